import { type ClientDuplexStream, status as grpcStatus, type ServiceError } from '@grpc/grpc-js';
import { AppError } from '@vrsky/kernel/errors';
import { sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { createBatcher } from '@vrsky/plugin/batcher';
import { connectorCalls } from '@vrsky/plugin/call-gate';
import { openPlugin, type PluginHandle } from '@vrsky/plugin/client';
import { connectorCookie, connectorVersions } from '@vrsky/plugin/handshake';
import type { Exit } from '@vrsky/plugin/launch';
import type { PluginLogRecord } from '@vrsky/plugin/plugin-log';
import { callUnary, methodPath } from '@vrsky/plugin/rpc';
import type { Sandbox } from '@vrsky/plugin/sandbox/confine';
import { type Ack, encodeAckBatch } from '@vrsky/proto/ack-codec';
import { Connector, type DescribeResponse, Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { encodeBatch, type Message, type RawEntry, splitBatch } from '@vrsky/proto/message-codec';
import type { Reply } from '@vrsky/proto/reply-codec';
import { decodeSendResults, type SendResult } from '@vrsky/proto/send-result-codec';
import { toBuffer } from '@vrsky/proto/wire';
import type { SealedSecret } from '../core/sealed-secret.ts';
import type { ProcessCalls } from './call-ledger.ts';
import { type ConnectorTimes, connectorTimes } from './connector-times.ts';
import type { Release } from './release-store.ts';
import { createScrubber, type Scrubber, secretsIn } from './scrubber.ts';
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
  /** The tenant it is for. */
  tenantId: string;
  role: 'source' | 'destination';
  /** What people call it, for words to its tenant. */
  title?: string;
  settings: unknown;
  /** Of a destination: how much of the receiver's answer goes on, whole. */
  answerBytesMax?: number;
  /** With it: nothing needs the answer, so that a delivery does not fail for it. */
  answerOptional?: boolean;
  /** Of a source: its peers wait so long for the pipeline's result. */
  replyWithinMs?: number;
  /** What the settings refer to by name. They are opened for `Configure` and `Validate` alone. */
  secrets?: readonly SealedSecret[];
}

/** What a connector says about itself, within our bounds. */
export interface ConnectorDescription {
  name: string;
  version: string;
  title: string;
  description: string;
  roles: ConnectorConnection['role'][];
  /** It can hand a pipeline's result back to its peers. */
  replies: boolean;
  /** JSON Schema as text, by role; empty for a role that it does not play. */
  settingsSchemas: Record<ConnectorConnection['role'], string>;
}

/** What a connector makes of one connection's settings. */
export interface ConnectionCheck {
  errors: { path: string; message: string }[];
  /** What was tried, when it was asked to reach out. */
  checks: { name: string; passed: boolean; detail: string; durationUs: number }[];
}

export interface ConnectionErrors {
  connectionId: string;
  errors: { path: string; message: string }[];
}

/** One running connector process and our streams to it. It is used until the first thing goes wrong; then a new one takes over. */
export interface ConnectorSession {
  readonly pid: number;
  /** Unique for each start, as in the books of its calls; empty when there are none. */
  readonly processId: string;
  readonly description: ConnectorDescription;
  readonly handshakeMs: number;
  /** The layers of the sandbox that hold it. */
  readonly layers: readonly string[];
  /** The books of this process, if any are kept. */
  readonly calls: ProcessCalls | undefined;
  /** Messages that it handed over and that were not answered yet. */
  readonly unacked: number;
  /** Resolves once the process is gone or broken. Never rejects. */
  readonly broken: Promise<Breakdown>;
  /** Asks about a connection without applying it; with `probe` the connector also tries the other side. */
  check(connection: ConnectorConnection, probe: boolean, deadlineMs: number): Promise<ConnectionCheck>;
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
  /** What became of an entry whose peer waits, after its `ack`. False when it came from somewhere else, or the connector does not keep up. */
  reply(seq: number, content: Omit<Reply, 'seq'>): boolean;
  ping(): Promise<void>;
  /** It was started beside the process before it, which is gone now. */
  takeDataDir(): Promise<void>;
  drain(deadlineMs: number): Promise<void>;
  close(): Promise<void>;
  kill(): Promise<void>;
}

export interface SessionOptions {
  sandbox: Sandbox | undefined;
  executable: string;
  env: Record<string, string>;
  times: ConnectorTimes;
  onReceive(entries: RawEntry[]): void;
  onResults(results: SendResult[]): void;
  onLog(record: PluginLogRecord): void;
  /** The books of this process; without them nothing of it is written down. */
  calls?: ProcessCalls | undefined;
}

/** Results that answer nothing: a process with more of them does not know what it does. */
const STRAYS_MAX = 1_000;
const EMPTY_FRAMES_MAX = 1_000;
/** Messages in a row without a result. A slow receiver keeps fewer of them waiting, and its results come some time. */
const UNANSWERED_MAX = 32;
/** How far apart the end of a process and the end of its lines may reach us. */
const END_NEWS_MS = 250;
const FIELD_ERRORS_MAX = 100;
const TEXT_CHARS_MAX = 500;
/** A connector numbers its messages; beyond this it is broken, not busy. */
const SEQ_MAX = 2 ** 40;
const ACK_BYTES = 64;
/** Results that a connector has not read yet; beyond them its peers are answered without theirs. */
const REPLY_BYTES_MAX = 32 * 1_048_576;

/** Launches the executable and asks what it is. Throws AppError `PLUGIN.*`. */
export async function openSession(given: SessionOptions): Promise<ConnectorSession> {
  const scrubber = createScrubber();
  const options = { ...given, onLog: (record: PluginLogRecord) => given.onLog(scrubber.record(record)) };
  const plugin = await openPlugin({
    command: options.executable,
    cookie: connectorCookie,
    versions: connectorVersions,
    env: options.env,
    ...(options.sandbox === undefined ? {} : { sandbox: options.sandbox }),
    startTimeoutMs: options.times.startMs,
    shutdownMs: options.times.shutdownMs,
    exitMs: options.times.exitMs,
    onLog: options.onLog,
    ...(options.calls === undefined ? {} : { calls: options.calls.calls }),
  });
  try {
    const response = await callUnary(plugin.client, Connector.method.describe, {}, options.times.callMs);
    plugin.narrow(connectorCalls(response.roles));
    const description = toDescription(response);
    options.calls?.named(description.version);
    return createSession(plugin, options, description, scrubber);
  } catch (cause) {
    const exit = await Promise.race([plugin.exited, sleep(END_NEWS_MS)]);
    await plugin.kill();
    throw new AppError({
      code: 'PLUGIN.DESCRIBE',
      kind: 'unavailable',
      source: 'plugin',
      message: 'the connector does not say what it is',
      publicMessage: `The connector started, but does not say what it is. It is tried again; if this stays, tell the platform’s operator.${exit ? ` ${howItEnded(exit)}` : ''}`,
      details: { stderr: plugin.stderrTail() },
      cause,
    });
  }
}

/** For the customer. */
function howItEnded({ code, signal, reason }: Exit): string {
  const how = signal === null ? `The connector ended by itself (status ${code}).` : `The connector was ended by ${signal}.`;
  return reason === undefined ? how : `${how} ${reason}`;
}

/** What goes into logs, pages and labels is no free text. */
function toVersion(text: string): string {
  return /^[\w.+-]{1,64}$/.test(text) ? text : 'unknown';
}

/** Starts a release, asks it what it is, and ends it. Throws AppError `PLUGIN.*`. */
export async function describeRelease(
  release: Release,
  { env, sandbox, log }: { env: Record<string, string>; sandbox?: Sandbox | undefined; log: Log },
): Promise<ConnectorDescription> {
  const session = await openSession({
    executable: await release.stage(),
    env,
    sandbox,
    times: connectorTimes,
    onReceive: () => undefined, // its streams are never opened
    onResults: () => undefined,
    onLog: ({ level, message, module, fields }) => log[level]({ plugin: { name: 'new connector', module, fields } }, message),
  });
  await session.close();
  return session.description;
}

function createSession(plugin: PluginHandle, options: SessionOptions, description: ConnectorDescription, scrubber: Scrubber): ConnectorSession {
  const broken = Promise.withResolvers<Breakdown>();
  const lines: Promise<void>[] = [];
  void plugin.exited.then(async (exit) => {
    // What a program says when it crashes is on stderr in no log format, and only now known to matter.
    if (exit.code !== 0) options.onLog({ level: 'error', message: 'the connector’s last words', module: 'host', fields: { stderr: plugin.stderrTail() } });
    // Results that it gave before its end are read first: what has its result is not sent again.
    await Promise.race([Promise.all(lines), sleep(END_NEWS_MS)]);
    broken.resolve({ code: 'PLUGIN.ENDED', reason: howItEnded(exit) });
  });
  /** A line ends also when its process does, and then that is what has happened. */
  const lineBroken = async (breakdown: Breakdown): Promise<void> => {
    await Promise.race([plugin.exited.then(() => broken.promise), sleep(END_NEWS_MS)]);
    broken.resolve(breakdown);
  };
  const strays = { unknown: 0, twice: 0 };
  const { calls } = options;
  void plugin.exited.then(() => calls?.end());
  const tenantOf = new Map<string, string>();
  const seqs = takeSeqs();
  let unacked = 0;
  let credit = 0;
  let receiving: ClientDuplexStream<Uint8Array, Buffer> | null = null;
  let sending: ClientDuplexStream<Uint8Array, Buffer> | null = null;

  let unreadReplyBytes = 0;
  const acks = createBatcher<Ack | Reply>((items) => {
    const goesOn = receiving === null || receiving.write(encodeWords(items));
    if (goesOn) unreadReplyBytes = 0;
    return goesOn;
  });
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
  let emptyFrames = 0;
  /** They cost us work and say nothing; a connector may have sent one by mistake, and not for ever. */
  const countEmpty = (items: number): void => {
    if (items === 0 && ++emptyFrames > EMPTY_FRAMES_MAX) throw new Error(`it sent ${emptyFrames} frames with nothing in them`);
  };
  const admit = (frame: Buffer): RawEntry[] => {
    const entries = splitBatch(frame);
    countEmpty(entries.length);
    unacked += entries.length;
    if (unacked > credit) throw new Error(`it handed over ${unacked} messages, ${credit} were allowed`);
    for (const entry of entries) {
      if (entry.seq > SEQ_MAX) throw new Error('it counts too far');
      entry.seq = seqs.toOurs(entry.seq);
      calls?.attribute('received', tenantOf.get(entry.connectionId) ?? '', entry.raw.length);
    }
    return entries;
  };
  const onMessages = (frame: Buffer): void => {
    const entries = parse(() => admit(frame));
    if (entries !== null) options.onReceive(entries);
  };
  const onResults = (frame: Buffer): void => {
    const results = parse(() => {
      const decoded = decodeSendResults(frame);
      countEmpty(decoded.length);
      return decoded;
    });
    if (results === null) return;
    for (const result of results) {
      if (result.reason !== '') result.reason = scrubber.text(result.reason);
      if (result.peerAnswerType !== '') result.peerAnswerType = scrubber.text(result.peerAnswerType);
      if (result.peerAnswer.length > 0) result.peerAnswer = scrubber.bytes(result.peerAnswer);
    }
    options.onResults(results);
  };
  /** Before a connector is told them: from then on it may say them. */
  const learn = (connections: readonly OpenConnection[]): void => {
    for (const { settings, secrets } of connections) {
      scrubber.learn(secretsIn(JSON.parse(settings)));
      for (const { versions } of secrets) scrubber.learn(versions.map(({ value }) => value));
    }
  };
  const readErrors = (errors: readonly { path: string; message: string }[]): { path: string; message: string }[] =>
    toFieldErrors(errors.slice(0, FIELD_ERRORS_MAX).map(({ path, message }) => ({ path: scrubber.text(path), message: scrubber.text(message) })));
  /** What a failed call says comes from the connector as well. */
  const scrubbed = (cause: unknown): Error => {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    error.message = scrubber.text(error.message);
    if ('details' in error && typeof error.details === 'string') error.details = scrubber.text(error.details);
    if (error.stack !== undefined) error.stack = scrubber.text(error.stack);
    if ('metadata' in error) delete error.metadata;
    return error;
  };

  return {
    pid: plugin.pid,
    processId: calls?.processId ?? '',
    description,
    handshakeMs: plugin.handshakeMs,
    layers: plugin.layers,
    takeDataDir: plugin.takeDataDir,
    calls,
    get unacked() {
      return unacked;
    },
    broken: broken.promise,
    async configure(generation, connections) {
      // Messages of connections that go may still be on their way until it has answered.
      for (const { connectionId, tenantId } of connections) tenantOf.set(connectionId, tenantId);
      calls?.serves(new Set(tenantOf.values()));
      using opened = openSecrets(connections);
      learn(opened.connections);
      const request = { generation: BigInt(generation), connections: opened.connections };
      const { errors } = await callUnary(plugin.client, Connector.method.configure, request, options.times.configureMs).catch((cause) => {
        throw configureFailed(scrubbed(cause));
      });
      const asked = new Set(connections.map(({ connectionId }) => connectionId));
      for (const connectionId of tenantOf.keys()) if (!asked.has(connectionId)) tenantOf.delete(connectionId);
      calls?.serves(new Set(tenantOf.values()));
      return errors.filter(({ connectionId }) => asked.has(connectionId)).map((row) => ({ connectionId: row.connectionId, errors: readErrors(row.errors) }));
    },
    async check(connection, probe, deadlineMs) {
      using opened = openSecrets([connection]);
      learn(opened.connections);
      const request = { connection: opened.connections[0] as OpenConnection, probe };
      const { errors, checks } = await callUnary(plugin.client, Connector.method.validate, request, deadlineMs).catch((cause) => {
        throw scrubbed(cause);
      });
      return {
        errors: readErrors(errors),
        checks: checks.slice(0, CHECKS_MAX).map(({ name, passed, detail, durationUs }) => ({
          name: scrubber.text(name).slice(0, TEXT_CHARS_MAX),
          passed,
          detail: scrubber.text(detail).slice(0, TEXT_CHARS_MAX),
          durationUs,
        })),
      };
    },
    openStreams(allowed) {
      credit = allowed;
      if (description.roles.includes('destination')) sending = openStream(methodPath(Connector.method.send), onResults, sends.resume);
      if (!description.roles.includes('source')) return;
      receiving = openStream(methodPath(Connector.method.receive), onMessages, () => {
        unreadReplyBytes = 0;
        acks.resume();
      });
      receiving.write(encodeAckBatch({ acks: [], credit }));
    },
    send(message, bytes) {
      calls?.attribute('sent', message.customerId ?? '', message.payload?.length ?? 0);
      sends.add(message, bytes);
    },
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
    reply(seq, content) {
      const theirs = seqs.toTheirs(seq);
      const bytes = content.payload.length;
      if (theirs === null || unreadReplyBytes + bytes > REPLY_BYTES_MAX) return false;
      unreadReplyBytes += bytes;
      acks.add({ seq: theirs, ...content }, bytes + ACK_BYTES);
      return true;
    },
    ping: () => plugin.ping(options.times.pingMs),
    async drain(deadlineMs) {
      await callUnary(plugin.client, Connector.method.drain, {}, deadlineMs).catch((cause) => {
        throw drainFailed(deadlineMs, scrubbed(cause));
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

/** Acks and results in one line, in order: of a message, its ack comes first. */
function encodeWords(words: readonly (Ack | Reply)[]): Uint8Array {
  const acks: Ack[] = [];
  const replies: Reply[] = [];
  for (const word of words) {
    if ('payload' in word) replies.push(word);
    else acks.push(word);
  }
  return encodeAckBatch({ acks, credit: 0, replies });
}

/** A connection as it is told to a connector. */
type OpenConnection = ReturnType<typeof openConnection>;

function openConnection({
  connectionId,
  tenantId,
  role,
  settings,
  answerBytesMax = 0,
  answerOptional = false,
  replyWithinMs = 0,
  secrets = [],
}: ConnectorConnection) {
  return {
    connectionId,
    customerId: tenantId,
    role: role === 'source' ? Role.SOURCE : Role.DESTINATION,
    settings: JSON.stringify(settings),
    answerBytesMax,
    answerOptional,
    replyWithinMs,
    secrets: secrets.map(({ name, hosts, versions }) => ({
      name,
      hosts: [...hosts],
      versions: versions.map(({ version, open }) => ({ version, value: open() })),
    })),
  };
}

/** Opens the secrets for one call; disposing of them wipes the values. A restart of the process opens them anew. */
function openSecrets(connections: readonly ConnectorConnection[]): { connections: OpenConnection[] } & Disposable {
  const opened = connections.map(openConnection);
  return {
    connections: opened,
    [Symbol.dispose]() {
      for (const { secrets } of opened) for (const { versions } of secrets) for (const { value } of versions) value.fill(0);
    },
  };
}

const NAME_CHARS_MAX = 64;
const DESCRIPTION_CHARS_MAX = 2_000;
const CHECKS_MAX = 50;

function toFieldErrors(errors: readonly { path: string; message: string }[]): { path: string; message: string }[] {
  return errors.slice(0, FIELD_ERRORS_MAX).map(({ path, message }) => ({ path: path.slice(0, TEXT_CHARS_MAX), message: message.slice(0, TEXT_CHARS_MAX) }));
}

function toDescription(response: DescribeResponse): ConnectorDescription {
  const roles = [
    ...(response.roles.includes(Role.SOURCE) ? (['source'] as const) : []),
    ...(response.roles.includes(Role.DESTINATION) ? (['destination'] as const) : []),
  ];
  const name = response.name.slice(0, NAME_CHARS_MAX);
  return {
    name,
    version: toVersion(response.version),
    title: response.title.slice(0, 80) || name,
    description: response.description.slice(0, DESCRIPTION_CHARS_MAX),
    roles,
    replies: response.replies && roles.includes('source'),
    settingsSchemas: { source: response.sourceSettingsSchema, destination: response.destinationSettingsSchema },
  };
}

/** In which start of a connector an entry's number was given: `seq` divided by this, rounded down. */
export const SEQ_SPAN = 2 * SEQ_MAX;
const SPANS_MAX = Math.floor(Number.MAX_SAFE_INTEGER / SEQ_SPAN) - 1;
let spans = 0;
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

/**
 * Our number of an entry = where its process's span begins + the connector's own number, so that the number alone says which process
 * waits for the acknowledgement, and whether it still lives. Spans come round again after some thousand starts.
 */
function takeSeqs(): { toOurs(theirs: number): number; toTheirs(ours: number): number | null } {
  const base = (spans++ % SPANS_MAX) * SEQ_SPAN;
  let last = base;
  return {
    toOurs(theirs) {
      const ours = base + theirs;
      if (ours > last) last = ours;
      return ours;
    },
    toTheirs: (ours) => (ours >= base && ours <= last ? ours - base : null),
  };
}
