import { type ClientDuplexStream, status as grpcStatus, type ServiceError } from '@grpc/grpc-js';
import { AppError } from '@vrsky/kernel/errors';
import { sleep } from '@vrsky/kernel/lifecycle';
import { createBatcher } from '@vrsky/plugin/batcher';
import { openPlugin, type PluginHandle } from '@vrsky/plugin/client';
import { connectorCookie, connectorVersions } from '@vrsky/plugin/handshake';
import type { PluginLogRecord } from '@vrsky/plugin/plugin-log';
import { callUnary, methodPath } from '@vrsky/plugin/rpc';
import { type Ack, encodeAckBatch } from '@vrsky/proto/ack-codec';
import { Connector, Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { encodeBatch, type Message, type RawEntry, splitBatch } from '@vrsky/proto/message-codec';
import { decodeSendResults, type SendResult } from '@vrsky/proto/send-result-codec';
import { toBuffer } from '@vrsky/proto/wire';
import type { ConnectorTimes } from './connector-times.ts';
import type { Stray } from './sends.ts';

/** Why a process is used no more. */
export interface Breakdown {
  /** Stable, for rules and metrics: `PLUGIN.ENDED`, `PLUGIN.PROTOCOL`. */
  code: string;
  /** In words for a person, without a stranger's text. */
  reason: string;
}

export interface ConnectorConnection {
  connectionId: string;
  role: 'source' | 'destination';
  settings: unknown;
}

export interface ConnectionErrors {
  connectionId: string;
  errors: { path: string; message: string }[];
}

/** One running connector process and our streams to it. It is used until the first thing goes wrong; then a new one takes over. */
export interface ConnectorSession {
  readonly pid: number;
  readonly version: string;
  readonly handshakeMs: number;
  /** Resolves once the process is gone or broken. Never rejects. */
  readonly broken: Promise<Breakdown>;
  configure(generation: number, connections: readonly ConnectorConnection[]): Promise<ConnectionErrors[]>;
  /** Opens the streams: from now on messages come in and go out. */
  openStreams(credit: number): void;
  send(message: Partial<Message>, bytes: number): void;
  /** A result of this process answered nothing. Too many of them break it. */
  stray(kind: Stray): void;
  /** So many messages in a row got no result from it in time. Too many of them break it. */
  unanswered(inARow: number): void;
  /** `seq` as in the entry. Ignored when the entry came from somewhere else. */
  ack(seq: number, status: Exclude<Ack['status'], 'unspecified'>, messageId: string, retryAfterMs: number): void;
  ping(): Promise<void>;
  drain(deadlineMs: number): Promise<void>;
  close(): Promise<void>;
  kill(): Promise<void>;
}

export interface SessionOptions {
  executable: string;
  env: Record<string, string>;
  times: ConnectorTimes;
  onReceive(entries: RawEntry[]): void;
  onResults(results: SendResult[]): void;
  onLog(record: PluginLogRecord): void;
}

/** Results that answer nothing: a process with more of them does not know what it does. */
const STRAYS_MAX = 1_000;
/** Messages in a row without a result. A slow receiver keeps fewer of them waiting, and its results come some time. */
const UNANSWERED_MAX = 32;
/** How far apart the end of a process and the end of its lines may reach us. */
const END_NEWS_MS = 250;
const FIELD_ERRORS_MAX = 100;
const TEXT_CHARS_MAX = 500;
/** A connector numbers its messages; beyond this it is broken, not busy. */
const SEQ_MAX = 2 ** 40;
const ACK_BYTES = 64;

/** Launches the executable and asks what it is. Throws AppError `PLUGIN.*`. */
export async function openSession(options: SessionOptions): Promise<ConnectorSession> {
  const plugin = await openPlugin({
    command: options.executable,
    cookie: connectorCookie,
    versions: connectorVersions,
    env: options.env,
    startTimeoutMs: options.times.startMs,
    shutdownMs: options.times.shutdownMs,
    exitMs: options.times.exitMs,
    onLog: options.onLog,
  });
  try {
    const { version, roles } = await callUnary(plugin.client, Connector.method.describe, {}, options.times.callMs);
    return createSession(plugin, options, toVersion(version), new Set(roles));
  } catch (cause) {
    await plugin.kill();
    throw new AppError({
      code: 'PLUGIN.DESCRIBE',
      kind: 'unavailable',
      source: 'plugin',
      message: 'the connector does not say what it is',
      publicMessage: 'The connector started, but does not say what it is. It is tried again; if this stays, tell the platform’s operator.',
      details: { stderr: plugin.stderrTail() },
      cause,
    });
  }
}

/** What goes into logs, pages and labels is no free text. */
function toVersion(text: string): string {
  return /^[\w.+-]{1,64}$/.test(text) ? text : 'unknown';
}

function createSession(plugin: PluginHandle, options: SessionOptions, version: string, roles: ReadonlySet<Role>): ConnectorSession {
  const broken = Promise.withResolvers<Breakdown>();
  const lines: Promise<void>[] = [];
  void plugin.exited.then(async ({ code, signal, reason }) => {
    // What a program says when it crashes is on stderr in no log format, and only now known to matter.
    if (code !== 0) options.onLog({ level: 'error', message: 'the connector’s last words', module: 'host', fields: { stderr: plugin.stderrTail() } });
    // Results that it gave before its end are read first: what has its result is not sent again.
    await Promise.race([Promise.all(lines), sleep(END_NEWS_MS)]);
    const how = signal === null ? `The connector ended by itself (status ${code}).` : `The connector was ended by ${signal}.`;
    broken.resolve({ code: 'PLUGIN.ENDED', reason: reason === undefined ? how : `${how} ${reason}` });
  });
  /** A line ends also when its process does, and then that is what has happened. */
  const lineBroken = async (breakdown: Breakdown): Promise<void> => {
    await Promise.race([plugin.exited.then(() => broken.promise), sleep(END_NEWS_MS)]);
    broken.resolve(breakdown);
  };
  const strays = { unknown: 0, twice: 0 };
  const seqs = takeSeqs();
  let unacked = 0;
  let credit = 0;
  let receiving: ClientDuplexStream<Uint8Array, Buffer> | null = null;
  let sending: ClientDuplexStream<Uint8Array, Buffer> | null = null;

  const acks = createBatcher<Ack>((items) => receiving === null || receiving.write(encodeAckBatch({ acks: items, credit: 0 })));
  const sends = createBatcher<Partial<Message>>((items) => sending === null || sending.write(encodeBatch(items)));

  const openStream = (path: string, onFrame: (frame: Buffer) => void, resume: () => void): ClientDuplexStream<Uint8Array, Buffer> => {
    const stream = plugin.client.makeBidiStreamRequest<Uint8Array, Buffer>(path, toBuffer, (bytes) => bytes, {});
    stream.on('data', onFrame);
    stream.on('drain', resume);
    const closed = Promise.withResolvers<void>();
    lines.push(closed.promise);
    stream.on('end', () => {
      closed.resolve();
      void lineBroken({ code: 'PLUGIN.HUNG_UP', reason: 'The connector closed its line to the node.' });
    });
    stream.on('error', (error) => {
      closed.resolve();
      void lineBroken(lineFailure(error as ServiceError));
    });
    return stream;
  };
  let rulesBroken = false;
  const breakRules = (problem: string): void => {
    if (rulesBroken) return;
    rulesBroken = true;
    options.onLog({ level: 'error', message: `the connector broke the protocol: ${problem}`, module: 'host', fields: {} });
    broken.resolve({ code: 'PLUGIN.PROTOCOL', reason: 'The connector broke the rules of its protocol.' });
  };
  /** What a connector sends is read within our rules; against them, or unreadable, it is no connector any more. */
  const parse = <T>(read: () => T): T | null => {
    if (rulesBroken) return null;
    try {
      return read();
    } catch (error) {
      breakRules(String(error));
      return null;
    }
  };
  const admit = (frame: Buffer): RawEntry[] => {
    const entries = splitBatch(frame);
    unacked += entries.length;
    if (unacked > credit) throw new Error(`it handed over ${unacked} messages, ${credit} were allowed`);
    for (const entry of entries) {
      if (entry.seq > SEQ_MAX) throw new Error('it counts too far');
      entry.seq = seqs.toOurs(entry.seq);
    }
    return entries;
  };
  const onMessages = (frame: Buffer): void => {
    const entries = parse(() => admit(frame));
    if (entries !== null) options.onReceive(entries);
  };
  const onResults = (frame: Buffer): void => {
    const results = parse(() => decodeSendResults(frame));
    if (results !== null) options.onResults(results);
  };

  return {
    pid: plugin.pid,
    version,
    handshakeMs: plugin.handshakeMs,
    broken: broken.promise,
    async configure(generation, connections) {
      const wire = connections.map(({ connectionId, role, settings }) => ({
        connectionId,
        role: role === 'source' ? Role.SOURCE : Role.DESTINATION,
        settings: JSON.stringify(settings),
      }));
      const request = { generation: BigInt(generation), connections: wire };
      const { errors } = await callUnary(plugin.client, Connector.method.configure, request, options.times.configureMs).catch((cause) => {
        throw configureFailed(cause);
      });
      const asked = new Set(connections.map(({ connectionId }) => connectionId));
      return errors
        .filter(({ connectionId }) => asked.has(connectionId))
        .map((row) => ({ connectionId: row.connectionId, errors: row.errors.slice(0, FIELD_ERRORS_MAX).map(cutFieldError) }));
    },
    openStreams(allowed) {
      credit = allowed;
      if (roles.has(Role.DESTINATION)) sending = openStream(methodPath(Connector.method.send), onResults, sends.resume);
      if (!roles.has(Role.SOURCE)) return;
      receiving = openStream(methodPath(Connector.method.receive), onMessages, acks.resume);
      receiving.write(encodeAckBatch({ acks: [], credit }));
    },
    send: sends.add,
    stray(kind) {
      if (++strays[kind] === 1)
        options.onLog({
          level: 'warn',
          message: `the connector gave a result ${STRAY_WORDS[kind]}; further ones are only counted`,
          module: 'host',
          fields: {},
        });
      if (strays.unknown + strays.twice > STRAYS_MAX)
        breakRules(`${strays.unknown} results for messages it was not given, ${strays.twice} for ones it had answered`);
    },
    unanswered(inARow) {
      if (inARow >= UNANSWERED_MAX) broken.resolve({ code: 'PLUGIN.NO_RESULTS', reason: 'The connector takes messages, but gives no results.' });
    },
    ack(seq, status, messageId, retryAfterMs) {
      const theirs = seqs.toTheirs(seq);
      if (theirs === null) return;
      unacked--;
      acks.add({ seq: theirs, status, messageId: status === 'stored' ? messageId : '', retryAfterMs }, ACK_BYTES);
    },
    ping: () => plugin.ping(options.times.pingMs),
    async drain(deadlineMs) {
      await callUnary(plugin.client, Connector.method.drain, {}, deadlineMs).catch((cause) => {
        throw drainFailed(deadlineMs, cause);
      });
    },
    async close() {
      await plugin.close();
    },
    async kill() {
      await plugin.kill();
    },
  };
}

const STRAY_WORDS: Record<Stray, string> = { unknown: 'for a message it was not given', twice: 'for a message it had answered before' };

function lineFailure({ code }: ServiceError): Breakdown {
  // Both halves say so of a message that is over the bound.
  if (code === grpcStatus.RESOURCE_EXHAUSTED) return { code: 'PLUGIN.FRAME_TOO_LARGE', reason: 'The connector sent more at once than the platform takes.' };
  return { code: 'PLUGIN.LINE_BROKEN', reason: 'The line to the connector broke.' };
}

function configureFailed(cause: unknown): AppError {
  return new AppError({
    code: 'PLUGIN.CONFIGURE',
    kind: 'unavailable',
    source: 'plugin',
    message: 'the connector does not take its configuration',
    publicMessage: 'The connector could not take the new configuration.',
    cause,
  });
}

function drainFailed(deadlineMs: number, cause: unknown): AppError {
  return new AppError({
    code: 'PLUGIN.DRAIN',
    kind: 'timeout',
    source: 'plugin',
    message: `the connector did not finish what it has within ${deadlineMs} ms`,
    publicMessage: 'The connector did not finish what it had in hand in time. What has no result is sent again.',
    cause,
  });
}

function cutFieldError({ path, message }: { path: string; message: string }): { path: string; message: string } {
  return { path: path.slice(0, TEXT_CHARS_MAX), message: message.slice(0, TEXT_CHARS_MAX) };
}

/**
 * Our number of an entry = where its process began + the connector's own number, so that the number alone says whether the process
 * that waits for an acknowledgement still lives.
 */
function takeSeqs(): { toOurs(theirs: number): number; toTheirs(ours: number): number | null } {
  if (nextBase > Number.MAX_SAFE_INTEGER - 2 * SEQ_MAX) nextBase = 0;
  const base = nextBase;
  let last = base;
  return {
    toOurs(theirs) {
      const ours = base + theirs;
      if (ours > last) {
        last = ours;
        nextBase = Math.max(nextBase, last + 1);
      }
      return ours;
    },
    toTheirs: (ours) => (ours >= base && ours <= last ? ours - base : null),
  };
}
let nextBase = 0;
