import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { type AckBatchToSend, encodeAckBatch } from '@vrsky/proto/ack-codec';
import { Connector, Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { decodeBatch, encodeBatch, type Message } from '@vrsky/proto/message-codec';
import { decodeSendResults, type SendResult } from '@vrsky/proto/send-result-codec';
import { toBuffer } from '@vrsky/proto/wire';
import { repositoryRoot } from '@vrsky/testkit/config';
import { eventually } from '@vrsky/testkit/eventually';
import { buildGoPrograms, goMissing, runGo } from '@vrsky/testkit/go';
import { isRunning, type Leftovers, watchLeftovers } from '@vrsky/testkit/leftovers';
import { requestBin } from '@vrsky/testkit/request-bin';
import { scratchDir } from '@vrsky/testkit/scratch';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type OpenOptions, openPlugin, type PluginHandle } from './client.ts';
import { connectorCookie, connectorVersions, NO_COMMON_VERSION } from './handshake.ts';
import { expectNoOrphan, nodeHost } from './orphan.test-support.ts';
import type { PluginLogRecord } from './plugin-log.ts';
import { callUnary, methodPath } from './rpc.ts';

// go-plugin's own library on one side of the line, our half on the other, in both directions.

const missing = goMissing();
const unless = missing === null ? '' : ` (skipped: ${missing})`;
const CALL_MS = 10_000;
/** Without a cache Go compiles for minutes on a busy machine. */
const BUILD_MS = 600_000;
const httpConnector = [process.execPath, join(repositoryRoot, 'connectors', 'http', 'src', 'main.ts')];
const fixture = [process.execPath, join(import.meta.dirname, 'fixtures', 'plugin.ts')];

const misbehaving = [process.execPath, join(import.meta.dirname, 'misbehaving', 'plugin.ts')];

let programs: Record<'testplugin' | 'testhost' | 'misbehave', string>;
const cleanups: (() => PromiseLike<unknown>)[] = [];

beforeAll(async () => {
  if (missing === null) programs = await buildGoPrograms(['testplugin', 'testhost', 'misbehave']);
}, BUILD_MS);
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test.skipIf(missing !== null)(`the Go SDK holds its own tests${unless}`, { timeout: BUILD_MS }, async () => {
  await runGo('test', './...');
});

describe.skipIf(missing !== null)(`a connector in Go under our host${unless}`, () => {
  test('says what it is, and what is wrong with settings', async () => {
    const { plugin } = await open();
    expect(plugin.version).toBe(1);
    await plugin.ping(1_000);
    expect(await callUnary(plugin.client, Connector.method.describe, {}, CALL_MS)).toMatchObject({
      name: 'sample',
      version: '1.2.3',
      roles: [Role.SOURCE, Role.DESTINATION],
      sourceSettingsSchema: expect.stringContaining('"count"'),
    });
    const connection = { connectionId: 'p/in', role: Role.SOURCE, settings: '{"count":0}' };
    const { errors } = await callUnary(plugin.client, Connector.method.validate, { connection }, CALL_MS);
    expect(errors).toMatchObject([{ path: '/count', message: 'From 1 to 1,000.' }]);
  });

  test('hands over no more messages than it may, and hears that they are stored', async () => {
    const { plugin, logs } = await open();
    const received: Message[] = [];
    const line = openReceive(plugin, received);
    line.write({ acks: [], credit: 2 });
    await configure(plugin, 'source', { count: 3, text: 'number' });
    await eventually(() => received.length === 2);
    line.write({ acks: [toAck(received[0] as Message)], credit: 0 });
    await eventually(() => received.length === 3);
    line.write({ acks: received.slice(1).map(toAck), credit: 0 });
    await eventually(() => logs.filter(({ message }) => message === 'emitted').length === 3);
    expect(received.map(({ payload }) => String(payload)).sort()).toEqual(['number 1', 'number 2', 'number 3']);
    expect(logs.find(({ message }) => message === 'emitted')).toMatchObject({
      level: 'info',
      module: 'sample',
      fields: { status: 'stored', message_id: expect.stringMatching(/^msg_\d$/) },
    });
  });

  test('gives every message its result: taken, refused, for later, broken, larger than gRPC takes by itself', async () => {
    const { plugin, logs } = await open();
    await configure(plugin, 'destination', { refuse: 'bad' });
    const results = await send(plugin, [
      { payload: Buffer.from('good') },
      { payload: Buffer.from('a bad one') },
      { payload: Buffer.from('later') },
      { payload: Buffer.from('panic') },
      { payload: Buffer.alloc(6 * 1_048_576) },
      { payload: Buffer.from('good'), connectionId: 'p/unknown' },
    ]);
    expect(results).toMatchObject([
      { seq: 1, status: 'ok', source: 'downstream', peerAnswer: Buffer.from('good'), startedAtUs: expect.any(Number) },
      { seq: 2, status: 'permanent', code: 'refused', reason: 'The receiver does not want it.', peerStatus: 422 },
      { seq: 3, status: 'rate_limited', retryAfterMs: 1_500 },
      { seq: 4, status: 'retryable', source: 'plugin', code: 'connector_fault' },
      { seq: 5, status: 'ok' },
      { seq: 6, status: 'retryable', source: 'plugin', code: 'not_configured' },
    ]);
    await eventually(() => logs.some(({ level, message }) => level === 'error' && message.startsWith('a delivery failed')));
    expect(logs).toContainEqual({ level: 'warn', message: 'refused', module: 'sample', fields: { message_id: 'msg_2' } });
    expect(logs).toContainEqual({ level: 'debug', message: 'configured', module: 'sample', fields: { connections: 1 } });
  });

  test('what it prints is text in the log, before and after the handshake', async () => {
    const { plugin, logs } = await open();
    await configure(plugin, 'destination', {});
    await eventually(() => logs.some(({ message, module }) => message === 'printed on stdout' && module === 'stdout'));
    await eventually(() => logs.some(({ message, module }) => message === 'printed on stderr' && module === 'stderr'));
    expect(logs).toContainEqual({ level: 'debug', message: 'printed before the handshake', module: '', fields: {} });
  });

  test('drains and ends by itself when asked, with status 0', async () => {
    const { plugin, logs } = await open();
    await configure(plugin, 'destination', {});
    await send(plugin, [{ payload: Buffer.from('good') }]);
    await callUnary(plugin.client, Connector.method.drain, {}, CALL_MS);
    await eventually(() => logs.some(({ message, fields }) => message === 'drained' && fields.ok === 1));
    expect(await plugin.close()).toEqual({ code: 0, signal: null });
  });

  test('an older configuration is refused', async () => {
    const { plugin } = await open();
    await configure(plugin, 'destination', {}, 2n);
    await expect(configure(plugin, 'destination', {}, 1n)).rejects.toThrow('generation 1 is older than 2');
  });

  test.each(['kernel', 'plain'] as const)('`kill -9` of its host leaves nothing of it behind (%s)', async (how) => {
    await expectNoOrphan(nodeHost(how, programs.testplugin));
  });

  test('started by hand it says what it is and fails', async () => {
    await expect(promisify(execFile)(programs.testplugin, { env: {} })).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('This program is a plugin of VRSky'),
    });
  });

  test('that cannot make its socket does not end with status 0', async () => {
    const env = { [connectorCookie.key]: connectorCookie.value, PLUGIN_PROTOCOL_VERSIONS: '1', PLUGIN_UNIX_SOCKET_DIR: '/nonexistent' };
    await expect(promisify(execFile)(programs.testplugin, { env })).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('cannot listen') });
  });
});

describe.skipIf(missing !== null)(`a plugin in Go that misbehaves under our host${unless}`, () => {
  let leftovers: Leftovers;
  beforeEach(() => {
    leftovers = watchLeftovers();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    await leftovers.expectNone();
  });
  const openOne = (manner: string, more: Partial<OpenOptions> = {}) => open({ command: programs.misbehave, env: { MISBEHAVE: manner }, ...more });

  test.each([
    ['dies-before-its-handshake', 'PLUGIN.EXITED', /ended before its handshake \(status 3\)/],
    ['dies-in-the-middle-of-its-handshake', 'PLUGIN.EXITED', /ended before its handshake \(status 3\)/],
    ['ends-with-status-0', 'PLUGIN.EXITED', /ended before its handshake \(status 0\)/],
    ['of-another-application', 'PLUGIN.COOKIE', /plugin of another application/],
  ])('%s: is refused', async (manner, code, message) => {
    await expect(openOne(manner)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test('and knows none of our versions is refused with both lists', async () => {
    await expect(open({ versions: [7, 8] })).rejects.toMatchObject({
      code: 'PLUGIN.VERSION',
      message: 'the plugin speaks version 1, we speak 7, 8',
      publicMessage: expect.stringMatching(/it speaks version 1 of the connector protocol, this node speaks versions 7, 8/),
      details: { plugin: [1], host: [7, 8] },
    });
  });

  test('floods-its-log: is read and bounded, and its calls are answered', async () => {
    const { plugin, logs } = await openOne('floods-its-log');
    const startedMs = performance.now();
    while (performance.now() - startedMs < 1_500) await plugin.ping(CALL_MS);
    await plugin.kill();
    const leftOut = await eventually(() => logs.findLast(({ message }) => message.endsWith('bytes of what the plugin wrote were left out')) ?? false);
    expect(Number.parseInt(leftOut.message, 10)).toBeGreaterThan(5_000_000);
    expect(logs.length).toBeLessThan(200 * (2 + (performance.now() - startedMs) / 1_000));
  });

  test('escapes: takes its child with it, which is in a session of its own', async () => {
    const { plugin, logs } = await openOne('escapes');
    const { fields } = await eventually(() => logs.find(({ message }) => message === 'escaped') ?? false);
    const pids = fields.pids as number[];
    expect(pids.map(isRunning)).toEqual([true]);
    expect(await plugin.close()).toEqual({ code: 0, signal: null });
    expect(pids.map(isRunning)).toEqual([false]);
  });

  test('ignores-shutdown: is killed when its time is over', async () => {
    const { plugin } = await openOne('ignores-shutdown', { exitMs: 300 });
    expect((await plugin.close()).signal).toBe('SIGKILL');
  });

  test('listens-on-tcp: is met there by mutual TLS, prints and ends as any other', async () => {
    const { plugin } = await openOne('listens-on-tcp');
    expect(plugin.client.getChannel().getTarget()).toMatch(/127\.0\.0\.1:\d+$/);
    expect(await callUnary(plugin.client, Connector.method.describe, {}, CALL_MS)).toMatchObject({ name: 'misbehaving' });
    expect(await plugin.close()).toEqual({ code: 0, signal: null });
  });
});

describe.skipIf(missing !== null)(`go-plugin's host and what ours leaves out, or has not in common with it${unless}`, () => {
  test('a host that wants the broker to share one connection is refused cleanly', async () => {
    await expect(runHost({ command: fixture, multiplex: true, pingOnly: true }).done).rejects.toThrow(
      'client requested gRPC broker multiplexing but plugin does not support the feature',
    );
  });

  test('a host that knows none of our versions says so, and has our whole list in its log', async () => {
    const host = runHost({ command: fixture, versions: [7, 8], pingOnly: true });
    await expect(host.done).rejects.toThrow(/Plugin version: 1, Client versions: \[(7 8|8 7)\]/);
    const said = await eventually(() => host.logs.find((line) => line['@message'] === NO_COMMON_VERSION) ?? false);
    expect(said).toMatchObject({ '@level': 'error', versions: '1', host_versions: expect.stringMatching(/^(7,8|8,7)$/) });
  });

  test('a plugin of ours on TCP is met there', async () => {
    const { report } = await runHost({ command: misbehaving, env: ['MISBEHAVE=listens-on-tcp'], pingOnly: true }).done;
    expect(report).toMatchObject({ health: '', ended: true });
  });

  test('a plugin without GRPCController and GRPCStdio is used, and killed in the end', async () => {
    const { report } = await runHost({ command: misbehaving, env: ['MISBEHAVE=has-no-controller-and-no-stdio', `TMPDIR=${scratchDir('p')}`], pingOnly: true })
      .done;
    expect(report).toMatchObject({ health: '', ended: false });
  });
});

describe.skipIf(missing !== null)(`a connector of ours under go-plugin's host${unless}`, () => {
  test('is asked, configured and sends to its receiver', async () => {
    await using bin = await requestBin();
    const { report } = await runHost({
      command: httpConnector,
      env: ['VRSKY_HTTP_ROLES=destination', `VRSKY_EGRESS_ALLOW=${new URL(bin.url).host}`],
      validate: [{ id: 'p/wrong', role: 'destination', settings: { url: 'ftp://x' } }],
      connections: [
        { id: 'p/out', role: 'destination', settings: { url: bin.url } },
        { id: 'p/bad', role: 'destination', settings: { url: bin.url, timeoutMs: 1 } },
      ],
      send: [
        { connectionId: 'p/out', payload: '{"order":1}' },
        { connectionId: 'p/bad', payload: '{"order":2}' },
      ],
    }).done;
    expect(report).toMatchObject({ protocol: 1, name: 'http', roles: ['ROLE_DESTINATION'], ended: true });
    expect(report.invalid).toEqual([{ connection: 'p/wrong', path: '/url', message: 'Enter a whole http or https URL without user name and password' }]);
    expect(report.refused).toEqual([{ connection: 'p/bad', path: '/timeoutMs', message: 'At least 100 ms' }]);
    expect(report.results.toSorted((a, b) => a.seq - b.seq)).toEqual([
      { seq: 1, status: 'SEND_STATUS_OK', code: '', peerStatus: 200 },
      { seq: 2, status: 'SEND_STATUS_RETRYABLE', code: 'not_configured', peerStatus: 0 },
    ]);
    const [delivered] = await bin.waitFor(1);
    expect(delivered?.body.toString()).toBe('{"order":1}');
    expect(delivered?.headers).toMatchObject({ 'customer-id': 'cus_go' });
  });

  test('hands over what came to it, and answers its sender once that is stored', async () => {
    const host = runHost({
      command: httpConnector,
      env: ['VRSKY_HTTP_ROLES=source', 'VRSKY_HTTP_LISTEN=127.0.0.1:0'],
      connections: [{ id: 'p/in', role: 'source', settings: { path: 'in_0123456789' } }],
      receive: 1,
    });
    const { port } = (await eventually(() => host.logs.find((line) => line['@message'] === 'listening') ?? false)) as { port: number };
    const answer = await eventually(async () => {
      const response = await fetch(`http://127.0.0.1:${port}/in/in_0123456789`, { method: 'POST', body: 'hello' });
      return response.status === 503 ? false : { status: response.status, body: await response.json() }; // not yet configured
    });
    expect(answer).toEqual({ status: 202, body: { messageId: 'msg_go_1' } });
    const { report } = await host.done;
    expect(report.received).toEqual([{ connectionId: 'p/in', payload: 'hello' }]);
    expect(report.ended).toBe(true);
    expect(host.logs.find((line) => line['@message'] === 'listening')).toMatchObject({ '@level': 'info', host: '127.0.0.1' });
  });

  test('has what it prints read by its host', async () => {
    const { report } = await runHost({ command: [...fixture, 'print'], awaitPrint: 'printed after the handshake' }).done;
    expect(report).toMatchObject({ prints: 'printed after the handshake\n', ended: true });
  });

  test('`kill -9` of its host leaves nothing of it behind', async () => {
    await expectNoOrphan([programs.testhost, JSON.stringify({ command: httpConnector, env: ['VRSKY_HTTP_ROLES=destination'], hold: true })]);
  });
});

async function open(more: Partial<OpenOptions> = {}): Promise<{ plugin: PluginHandle; logs: PluginLogRecord[] }> {
  const logs: PluginLogRecord[] = [];
  const plugin = await openPlugin({
    command: programs.testplugin,
    cookie: connectorCookie,
    versions: connectorVersions,
    onLog: (record) => void logs.push(record),
    ...more,
  });
  cleanups.push(plugin.kill);
  return { plugin, logs };
}

async function configure(plugin: PluginHandle, role: 'source' | 'destination', settings: object, generation = 1n): Promise<void> {
  const connection = {
    connectionId: role === 'source' ? 'p/in' : 'p/out',
    role: role === 'source' ? Role.SOURCE : Role.DESTINATION,
    settings: JSON.stringify(settings),
  };
  const { errors } = await callUnary(plugin.client, Connector.method.configure, { generation, connections: [connection] }, CALL_MS);
  expect(errors).toEqual([]);
}

function openReceive(plugin: PluginHandle, received: Message[]): ClientDuplexStream<AckBatchToSend, Message[]> {
  const encode = (batch: AckBatchToSend): Buffer => toBuffer(encodeAckBatch(batch));
  const stream = plugin.client.makeBidiStreamRequest(methodPath(Connector.method.receive), encode, decodeBatch);
  stream.on('data', (messages: Message[]) => void received.push(...messages));
  stream.on('error', () => undefined); // the plugin is ended under it
  return stream;
}

const toAck = ({ seq }: Message) => ({ seq, status: 'stored' as const, messageId: `msg_${seq}`, retryAfterMs: 0 });

/** Sends each message in a frame of its own; answers the results in the order of the messages. */
async function send(plugin: PluginHandle, messages: Partial<Message>[]): Promise<SendResult[]> {
  const encode = (batch: Partial<Message>[]): Buffer => toBuffer(encodeBatch(batch));
  const stream = plugin.client.makeBidiStreamRequest(methodPath(Connector.method.send), encode, decodeSendResults);
  const results: SendResult[] = [];
  stream.on('data', (batch: SendResult[]) => void results.push(...batch));
  for (const [i, message] of messages.entries()) stream.write([{ connectionId: 'p/out', messageId: `msg_${i + 1}`, ...message, seq: i + 1 }]);
  stream.end();
  await once(stream, 'end');
  return results.toSorted((a, b) => a.seq - b.seq);
}

interface Plan {
  command: string[];
  env?: string[];
  versions?: number[];
  multiplex?: boolean;
  pingOnly?: boolean;
  awaitPrint?: string;
  validate?: PlannedConnection[];
  connections?: PlannedConnection[];
  send?: { connectionId: string; payload: string }[];
  receive?: number;
}

interface PlannedConnection {
  id: string;
  role: 'source' | 'destination';
  settings: object;
}

interface FieldRow {
  connection: string;
  path: string;
  message: string;
}

interface Report {
  protocol: number;
  name: string;
  roles: string[];
  invalid: FieldRow[];
  refused: FieldRow[];
  results: { seq: number; status: string; code: string; peerStatus: number }[];
  received: { connectionId: string; payload: string }[];
  prints: string;
  health: string;
  ended: boolean;
}

/** Runs the Go host with a plan. `logs` is what it has logged so far, its plugin's log in it. */
function runHost(plan: Plan): { logs: Record<string, unknown>[]; done: Promise<{ report: Report }> } {
  const env = [`PATH=${dirname(process.execPath)}:/usr/bin:/bin`, ...(plan.env ?? [])];
  const child = spawn(programs.testhost, [JSON.stringify({ ...plan, env })], { env: { PATH: process.env.PATH }, stdio: ['ignore', 'pipe', 'pipe'] });
  cleanups.push(async () => void child.kill('SIGKILL'));
  const logs: Record<string, unknown>[] = [];
  let said = '';
  createInterface(child.stderr).on('line', (line) => {
    if (line.startsWith('{')) logs.push(JSON.parse(line));
    else said += `${line}\n`;
  });
  let printed = '';
  child.stdout.on('data', (chunk) => (printed += String(chunk)));
  const done = once(child, 'close').then(([code]) => {
    if (code !== 0) throw new Error(`the Go host ended with status ${code}: ${said}`);
    return { report: JSON.parse(printed) as Report };
  });
  return { logs, done };
}
