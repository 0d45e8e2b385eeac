import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { openPlugin } from '@vrsky/plugin/client';
import { type ConnectorStream, createConnectorClient } from '@vrsky/plugin/connector-client';
import { connectorCookie, connectorVersions } from '@vrsky/plugin/handshake';
import type { AckBatchToSend } from '@vrsky/proto/ack-codec';
import { type ConnectionSchema, Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import type { Message } from '@vrsky/proto/message-codec';
import type { SendResult } from '@vrsky/proto/send-result-codec';
import type { Check, ConnectionErrors, ConnectorRole, FieldError, JsonSchema, Receipt, Reply } from './connector.ts';

/** What to run: a module that exports a definition (as `default`, unless `name` says otherwise), or an executable. */
export type ConnectorUnderTest = { module: string | URL; name?: string } | { command: string; args?: readonly string[] };

export interface StartOptions {
  /** The connector's whole environment, beside what every program needs: a node passes nothing of its own on. */
  env?: Readonly<Record<string, string>>;
  /** Longest wait for the connector to start, and for whatever a test waits for. 10,000 when left out. */
  timeoutMs?: number;
}

/** A connection as a test gives it. Secrets are values by name; of several values the first is the newest. */
export interface TestConnection {
  /** `test` when left out. */
  connectionId?: string;
  role: ConnectorRole;
  settings: unknown;
  /** How much of the peer's answer a destination's result carries whole; 0 when left out. */
  answerBytesMax?: number;
  /** With it: somebody waits for the answer, but nothing needs it. */
  answerOptional?: boolean;
  /** Of a source: its senders wait so long for the pipeline's result. */
  replyWithinMs?: number;
  secrets?: Readonly<Record<string, string | Uint8Array | { values: (string | Uint8Array)[]; hosts?: string[] }>>;
}

/** A message that the connector's source handed over. Nobody answers for the platform but the test. */
export interface ReceivedMessage {
  connectionId: string;
  payload: Buffer;
  contentType: string;
  headers: [name: string, value: string][];
  traceparent: string;
  tracestate: string;
  receivedAtUs: number;
  /** The platform's word; `stored` when left out. */
  ack(receipt?: Partial<Omit<Receipt, 'reply'>>): void;
  /** What the pipeline made of it, after `ack`; `done` with nothing in it when left out. */
  reply(reply?: Partial<Omit<Reply, 'status'>> & { status?: Exclude<Reply['status'], 'pending'> }): void;
}

/** A message for the connector's destination; what is left out is made up. */
export interface TestMessage {
  /** `test` when left out. */
  connectionId?: string;
  payload: string | Uint8Array;
  contentType?: string;
  headers?: [name: string, value: string][];
  messageId?: string;
  customerId?: string;
  pipelineId?: string;
  attempt?: number;
  traceparent?: string;
  tracestate?: string;
}

/** What the connector said became of a message. */
export interface TestResult {
  status: 'ok' | 'retryable' | 'permanent' | 'rate_limited' | 'unspecified';
  source: 'plugin' | 'downstream' | 'unspecified';
  code: string;
  reason: string;
  retryAfterMs: number;
  peerStatus: number;
  peerAnswer: Buffer;
  peerAnswerType: string;
  peerAnswerCut: boolean;
  startedAtUs: number;
  durationUs: number;
}

/** One line of the connector's log, or what it printed (`module` is then `stdout` or `stderr`). */
export interface TestLogLine {
  level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  message: string;
  module: string;
  fields: Record<string, unknown>;
}

/** A connector in a process of its own, with a test in the place of the node. */
export interface ConnectorHarness extends AsyncDisposable {
  readonly pid: number;
  /** What it wrote so far. */
  readonly logs: readonly TestLogLine[];
  describe(): Promise<{
    name: string;
    version: string;
    title: string;
    description: string;
    roles: ConnectorRole[];
    settingsSchemas: Partial<Record<ConnectorRole, JsonSchema>>;
  }>;
  /** With `probe` it also reaches out, as Test connection does. */
  validate(connection: TestConnection, options?: { probe?: boolean }): Promise<{ errors: FieldError[]; checks: Check[] }>;
  /** Replaces all connections; answers those that were refused. Each call is a generation of its own unless it names one. */
  configure(connections: readonly TestConnection[], options?: { generation?: number }): Promise<ConnectionErrors[]>;
  /** How many messages the source may have unanswered; 100 unless set. Opens the stream, also again after `disconnect`. */
  credit(messages: number): void;
  /** The next message of the source. Rejects when none comes in time. */
  received(): Promise<ReceivedMessage>;
  /** Breaks the source's stream, as a node does that goes away. */
  disconnect(): void;
  /** Gives the destination a message. Rejects when there is no result in time. */
  send(message: TestMessage): Promise<TestResult>;
  drain(): Promise<void>;
  /** Asks it to end, and ends it when it does not. Status 0 is what a node wants to see. */
  close(): Promise<{ code: number | null; signal: string | null }>;
}

const TIMEOUT_MS = 10_000;
const CREDIT = 100;
const roleNumbers: Record<ConnectorRole, Role> = { source: Role.SOURCE, destination: Role.DESTINATION };
const roleNames: Partial<Record<Role, ConnectorRole>> = { [Role.SOURCE]: 'source', [Role.DESTINATION]: 'destination' };

/**
 * Starts a connector in a process of its own and talks to it as a node does: the same handshake, mutual TLS and frames.
 *
 * ```ts
 * await using connector = await startConnector({ module: new URL('./connector.ts', import.meta.url) });
 * expect(await connector.configure([{ role: 'destination', settings: {} }])).toEqual([]);
 * expect(await connector.send({ payload: '{}' })).toMatchObject({ status: 'ok' });
 * ```
 *
 * Rejects with what the connector wrote when it does not start.
 */
export async function startConnector(target: ConnectorUnderTest, options: StartOptions = {}): Promise<ConnectorHarness> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const logs: TestLogLine[] = [];
  const story = (): string => (logs.length === 0 ? 'It wrote nothing.' : `It wrote:\n${logs.map(({ level, message }) => `  ${level}: ${message}`).join('\n')}`);
  const plugin = await openPlugin({
    ...commandOf(target),
    cookie: connectorCookie,
    versions: connectorVersions,
    ...(options.env !== undefined && { env: options.env }),
    startTimeoutMs: timeoutMs,
    onLog: (line) => void logs.push(line),
  }).catch((cause: Error) => {
    throw new Error(`The connector did not start: ${cause.message}\n${story()}`, { cause });
  });
  const client = createConnectorClient(plugin.client, timeoutMs);
  let generation = 0;

  const inbox: ReceivedMessage[] = [];
  const readers: ((message: ReceivedMessage) => void)[] = [];
  let source: ConnectorStream<AckBatchToSend> | null = null;
  const openSource = (credit: number): ConnectorStream<AckBatchToSend> => {
    const stream = client.receive((messages) => {
      for (const message of messages) {
        const received = toReceived(message, stream);
        const reader = readers.shift();
        if (reader === undefined) inbox.push(received);
        else reader(received);
      }
    });
    stream.write({ acks: [], credit });
    return stream;
  };

  let lastSeq = 0;
  const waiting = new Map<number, (result: SendResult) => void>();
  let destination: ConnectorStream<Partial<Message>[]> | null = null;
  const openDestination = (): ConnectorStream<Partial<Message>[]> =>
    client.send((results) => {
      for (const result of results) {
        waiting.get(result.seq)?.(result);
        waiting.delete(result.seq);
      }
    });

  const close = async (): Promise<{ code: number | null; signal: string | null }> => {
    source?.cancel();
    destination?.cancel();
    return await plugin.close();
  };

  return {
    pid: plugin.pid,
    logs,
    async describe() {
      const answer = await client.describe();
      const schemas = { source: answer.sourceSettingsSchema, destination: answer.destinationSettingsSchema };
      const { name, version, title, description } = answer;
      return {
        ...{ name, version, title, description },
        roles: answer.roles.flatMap((role) => roleNames[role] ?? []),
        settingsSchemas: Object.fromEntries(Object.entries(schemas).flatMap(([role, text]) => (text === '' ? [] : [[role, JSON.parse(text)]]))),
      };
    },
    async validate(connection, { probe = false } = {}) {
      const { errors, checks } = await client.validate({ connection: toWire(connection), probe });
      return { errors: errors.map(toFieldError), checks: checks.map(({ name, passed, detail, durationUs }) => ({ name, passed, detail, durationUs })) };
    },
    async configure(connections, named = {}) {
      generation = named.generation ?? generation + 1;
      const { errors } = await client.configure({ generation: BigInt(generation), connections: connections.map(toWire) });
      return errors.map((row) => ({ connectionId: row.connectionId, errors: row.errors.map(toFieldError) }));
    },
    credit(messages) {
      if (source === null) source = openSource(messages);
      else source.write({ acks: [], credit: messages });
    },
    received() {
      source ??= openSource(CREDIT);
      const next = inbox.shift();
      if (next !== undefined) return Promise.resolve(next);
      return within(timeoutMs, 'No message came', story, (resolve) => {
        readers.push(resolve);
        return () => void readers.splice(readers.indexOf(resolve), 1);
      });
    },
    disconnect() {
      source?.cancel();
      source = null;
      inbox.length = 0;
    },
    async send(message) {
      destination ??= openDestination();
      const seq = ++lastSeq;
      const stream = destination;
      const result = await within<SendResult>(timeoutMs, 'There was no result', story, (resolve) => {
        waiting.set(seq, resolve);
        stream.write([toMessage(message, seq)]);
        return () => void waiting.delete(seq);
      });
      const { seq: _, peerAnswer, ...rest } = result;
      return { ...rest, peerAnswer: Buffer.from(peerAnswer) };
    },
    async drain() {
      await client.drain(timeoutMs);
    },
    close,
    async [Symbol.asyncDispose]() {
      await close();
    },
  };
}

function commandOf(target: ConnectorUnderTest): { command: string; args: readonly string[] } {
  if ('command' in target) return { command: target.command, args: target.args ?? [] };
  const module = String(target.module);
  if (module.startsWith('file:') && !existsSync(fileURLToPath(module)))
    throw new Error(`${fileURLToPath(module)} does not exist: give the module's URL, new URL('./connector.ts', import.meta.url)`);
  const runner = ['js', 'ts'].map((extension) => new URL(`./connector-test/serve-definition.${extension}`, import.meta.url)).find((url) => existsSync(url));
  return { command: process.execPath, args: [fileURLToPath(runner as URL), module, target.name ?? 'default'] };
}

/** Waits for what `begin` hands over, and takes it back when the time is up. */
function within<T>(timeoutMs: number, what: string, story: () => string, begin: (resolve: (value: T) => void) => () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = begin((value) => {
      clearTimeout(timer);
      resolve(value);
    });
    const timer = setTimeout(() => {
      giveUp();
      reject(new Error(`${what} within ${timeoutMs} ms. ${story()}`));
    }, timeoutMs);
  });
}

function toReceived(message: Message, stream: ConnectorStream<AckBatchToSend>): ReceivedMessage {
  const { seq, connectionId, contentType, headers, traceparent, tracestate, receivedAtUs } = message;
  return {
    ...{ connectionId, contentType, headers, traceparent, tracestate, receivedAtUs },
    payload: Buffer.from(message.payload),
    ack: ({ status = 'stored', messageId = status === 'stored' ? `msg_${seq}` : '', retryAfterMs = 0 } = {}) =>
      stream.write({ acks: [{ seq, status, messageId, retryAfterMs }], credit: 0 }),
    reply: (reply = {}) =>
      stream.write({
        acks: [],
        credit: 0,
        replies: [{ status: 'done', payload: Buffer.alloc(0), contentType: '', peerStatus: 0, code: '', reason: '', ...reply, seq }],
      }),
  };
}

function toMessage(message: TestMessage, seq: number): Partial<Message> {
  return {
    connectionId: 'test',
    customerId: 'cus_test',
    pipelineId: 'pip_test',
    messageId: `msg_${seq}`,
    attempt: 1,
    receivedAtUs: Date.now() * 1_000,
    ...message,
    seq,
    payload: Buffer.from(message.payload),
  };
}

function toWire({
  connectionId = 'test',
  role,
  settings,
  answerBytesMax = 0,
  answerOptional = false,
  replyWithinMs = 0,
  secrets = {},
}: TestConnection): MessageInitShape<typeof ConnectionSchema> {
  return {
    connectionId,
    customerId: 'cus_test',
    role: roleNumbers[role],
    settings: JSON.stringify(settings),
    answerBytesMax,
    answerOptional,
    replyWithinMs,
    secrets: Object.entries(secrets).map(([name, given]) => {
      const { values, hosts = [] } = typeof given === 'string' || given instanceof Uint8Array ? { values: [given] } : given;
      return { name, hosts, versions: values.map((value, i) => ({ version: values.length - i, value: Buffer.from(value) })) };
    }),
  };
}

function toFieldError({ path, message }: FieldError): FieldError {
  return { path, message };
}
