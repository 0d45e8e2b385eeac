import type { ClientDuplexStream } from '@grpc/grpc-js';
import { AppError } from '@vrsky/kernel/errors';
import type { Log } from '@vrsky/kernel/log';
import { createBatcher } from '@vrsky/plugin/batcher';
import { openPlugin, type PluginHandle } from '@vrsky/plugin/client';
import { connectorCookie, connectorVersions } from '@vrsky/plugin/handshake';
import type { PluginLogRecord } from '@vrsky/plugin/plugin-log';
import { callUnary, methodPath } from '@vrsky/plugin/rpc';
import { type Ack, encodeAckBatch } from '@vrsky/proto/ack-codec';
import { Connector, type DescribeResponse, Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { encodeBatch, type Message, type RawEntry, splitBatch } from '@vrsky/proto/message-codec';
import { decodeSendResults, type SendResult } from '@vrsky/proto/send-result-codec';
import { toBuffer } from '@vrsky/proto/wire';

import type { Release } from './release-store.ts';

export interface ConnectorConnection {
  connectionId: string;
  /** The tenant it is for. */
  tenantId: string;
  role: 'source' | 'destination';
  settings: unknown;
}

/** What a connector says about itself, within our bounds. */
export interface ConnectorDescription {
  name: string;
  version: string;
  title: string;
  description: string;
  roles: ConnectorConnection['role'][];
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
  readonly description: ConnectorDescription;
  readonly handshakeMs: number;
  /** Messages that it handed over and that were not answered yet. */
  readonly unacked: number;
  /** Resolves with the reason, in words for a person, once the process is gone or broken. Never rejects. */
  readonly broken: Promise<string>;
  /** Asks about a connection without applying it; with `probe` the connector also tries the other side. */
  check(connection: ConnectorConnection, probe: boolean, deadlineMs: number): Promise<ConnectionCheck>;
  configure(generation: number, connections: readonly ConnectorConnection[]): Promise<ConnectionErrors[]>;
  /** Opens the streams: from now on messages come in and go out. */
  openStreams(credit: number): void;
  send(message: Partial<Message>, bytes: number): void;
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
  onReceive(entries: RawEntry[]): void;
  onResults(results: SendResult[]): void;
  onLog(record: PluginLogRecord): void;
}

const CALL_MS = 10_000;
const PING_MS = 5_000;
const CONFIGURE_MS = 30_000;
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
    onLog: options.onLog,
  });
  try {
    return createSession(plugin, options, toDescription(await callUnary(plugin.client, Connector.method.describe, {}, CALL_MS)));
  } catch (cause) {
    await plugin.kill();
    throw new AppError({
      code: 'PLUGIN.DESCRIBE',
      kind: 'unavailable',
      source: 'plugin',
      message: 'the connector does not say what it is',
      publicMessage: 'The connector did not start properly. It is tried again.',
      cause,
    });
  }
}

/** Starts a release, asks it what it is, and ends it. Throws AppError `PLUGIN.*`. */
export async function describeRelease(release: Release, { env, log }: { env: Record<string, string>; log: Log }): Promise<ConnectorDescription> {
  const session = await openSession({
    executable: await release.stage(),
    env,
    onReceive: () => undefined, // its streams are never opened
    onResults: () => undefined,
    onLog: ({ level, message, module, fields }) => log[level]({ plugin: { name: 'new connector', module, fields } }, message),
  });
  await session.close();
  return session.description;
}

function createSession(plugin: PluginHandle, options: SessionOptions, description: ConnectorDescription): ConnectorSession {
  const broken = Promise.withResolvers<string>();
  void plugin.exited.then(({ code, signal }) => {
    // What a program says when it crashes is on stderr in no log format, and only now known to matter.
    if (code !== 0) options.onLog({ level: 'error', message: 'the connector’s last words', module: 'host', fields: { stderr: plugin.stderrTail() } });
    broken.resolve(signal === null ? `The connector ended by itself (status ${code}).` : `The connector was ended by ${signal}.`);
  });
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
    stream.on('end', () => broken.resolve('The connector closed its line to the node.'));
    stream.on('error', () => broken.resolve('The line to the connector broke.'));
    return stream;
  };
  /** What a connector sends is read within our rules; against them, or unreadable, it is no connector any more. */
  const parse = <T>(read: () => T): T | null => {
    try {
      return read();
    } catch (error) {
      options.onLog({ level: 'error', message: `the connector broke the protocol: ${String(error)}`, module: 'host', fields: {} });
      broken.resolve('The connector broke the rules of its protocol.');
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
    description,
    handshakeMs: plugin.handshakeMs,
    get unacked() {
      return unacked;
    },
    broken: broken.promise,
    async configure(generation, connections) {
      const request = { generation: BigInt(generation), connections: connections.map(toWire) };
      const { errors } = await callUnary(plugin.client, Connector.method.configure, request, CONFIGURE_MS);
      return errors.slice(0, connections.length).map((row) => ({ connectionId: row.connectionId, errors: toFieldErrors(row.errors) }));
    },
    async check(connection, probe, deadlineMs) {
      const { errors, checks } = await callUnary(plugin.client, Connector.method.validate, { connection: toWire(connection), probe }, deadlineMs);
      return {
        errors: toFieldErrors(errors),
        checks: checks.slice(0, CHECKS_MAX).map(({ name, passed, detail, durationUs }) => ({
          name: name.slice(0, TEXT_CHARS_MAX),
          passed,
          detail: detail.slice(0, TEXT_CHARS_MAX),
          durationUs,
        })),
      };
    },
    openStreams(allowed) {
      credit = allowed;
      if (description.roles.includes('destination')) sending = openStream(methodPath(Connector.method.send), onResults, sends.resume);
      if (!description.roles.includes('source')) return;
      receiving = openStream(methodPath(Connector.method.receive), onMessages, acks.resume);
      receiving.write(encodeAckBatch({ acks: [], credit }));
    },
    send: sends.add,
    ack(seq, status, messageId, retryAfterMs) {
      const theirs = seqs.toTheirs(seq);
      if (theirs === null) return;
      unacked--;
      acks.add({ seq: theirs, status, messageId: status === 'stored' ? messageId : '', retryAfterMs }, ACK_BYTES);
    },
    ping: () => plugin.ping(PING_MS),
    async drain(deadlineMs) {
      await callUnary(plugin.client, Connector.method.drain, {}, deadlineMs);
    },
    async close() {
      await plugin.close();
    },
    async kill() {
      await plugin.kill();
    },
  };
}

function toWire({ connectionId, tenantId, role, settings }: ConnectorConnection) {
  return { connectionId, customerId: tenantId, role: role === 'source' ? Role.SOURCE : Role.DESTINATION, settings: JSON.stringify(settings) };
}

const NAME_CHARS_MAX = 64;
const TEXT_CHARS_MAX = 2_000;
const ERRORS_MAX = 100;
const CHECKS_MAX = 50;

function toFieldErrors(errors: readonly { path: string; message: string }[]): { path: string; message: string }[] {
  return errors.slice(0, ERRORS_MAX).map(({ path, message }) => ({ path: path.slice(0, TEXT_CHARS_MAX), message: message.slice(0, TEXT_CHARS_MAX) }));
}

function toDescription(response: DescribeResponse): ConnectorDescription {
  const roles = [
    ...(response.roles.includes(Role.SOURCE) ? (['source'] as const) : []),
    ...(response.roles.includes(Role.DESTINATION) ? (['destination'] as const) : []),
  ];
  const name = response.name.slice(0, NAME_CHARS_MAX);
  return {
    name,
    version: response.version.slice(0, NAME_CHARS_MAX),
    title: response.title.slice(0, 80) || name,
    description: response.description.slice(0, TEXT_CHARS_MAX),
    roles,
    settingsSchemas: { source: response.sourceSettingsSchema, destination: response.destinationSettingsSchema },
  };
}

/** In which start of a connector an entry's number was given: `seq` divided by this, rounded down. */
export const SEQ_SPAN = 2 * SEQ_MAX;
const SPANS_MAX = Math.floor(Number.MAX_SAFE_INTEGER / SEQ_SPAN) - 1;
let spans = 0;

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
