import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createLog } from '@vrsky/kernel/log';
import { decodeMessage } from '@vrsky/proto/message-codec';
import { eventually } from '@vrsky/testkit/eventually';
import { freePort } from '@vrsky/testkit/ports';
import { type RequestBin, requestBin } from '@vrsky/testkit/request-bin';
import { scratchDir } from '@vrsky/testkit/scratch';
import { Agent, request } from 'undici';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type ConnectorHost, createConnectorHost } from './connector-host.ts';
import { releaseAt } from './fixtures/release.test-support.ts';

const home = join(import.meta.dirname, '..', '..', '..', '..', 'connectors', 'http');
const PATH = 'in_0123456789abcdefghjkmnpq';
const agent = new Agent({ connections: 32 });
const disposals: (() => PromiseLike<unknown>)[] = [];

beforeAll(async () => {
  await promisify(execFile)(process.execPath, [join(home, 'build.ts')]);
});
afterEach(async () => {
  for (const dispose of disposals.splice(0).reverse()) await dispose();
});
afterAll(() => agent.close());

test('a webhook goes through the real connector, is stored, answered 202, and delivered', async () => {
  const { url, bin, stored } = await start();
  const response = await post(url, '{"order":1}');
  expect(response.status).toBe(202);
  const { messageId } = JSON.parse(response.body) as { messageId: string };
  expect(stored).toEqual([{ messageId, text: '{"order":1}', contentType: 'application/json' }]);
  const [delivered] = await bin.waitFor(1);
  expect(delivered?.body.toString()).toBe('{"order":1}');
  expect(delivered?.headers).toMatchObject({
    'customer-id': 'cus_a',
    'idempotency-key': expect.stringMatching(`^${messageId}/`),
    'content-type': 'application/json',
  });
});

test('a connection that is wrong is reported with its field, and the others work', async () => {
  const { host, bin, url } = await start();
  const errors = await host.configure(2, [
    { connectionId: 'p/in', tenantId: 'cus_a', role: 'source', settings: { path: PATH } },
    {
      connectionId: 'p/bad',
      tenantId: 'cus_a',
      role: 'destination',
      settings: { url: 'ftp://x', method: 'POST', headers: [{ name: 'Customer-ID', value: 'forged' }], timeoutMs: 1 },
    },
    { connectionId: 'p/out', tenantId: 'cus_a', role: 'destination', settings: { url: bin.url } },
  ]);
  expect(errors).toEqual([
    {
      connectionId: 'p/bad',
      errors: [
        { path: '/url', message: 'Enter a whole http or https URL without user name and password' },
        { path: '/headers/0/name', message: 'The platform sets this header itself' },
        { path: '/timeoutMs', message: 'At least 100 ms' },
      ],
    },
  ]);
  expect((await post(url, 'x')).status).toBe(202);
  await bin.waitFor(1);
});

test('a secret reaches the receivers that it is for and no other: a destination elsewhere is refused with its field', async () => {
  const { host, bin } = await start();
  const sealed = (name: string, hosts: string[]) => ({ name, hosts, versions: [{ version: 1, open: () => Buffer.from('tok-123456') }] });
  const settings = { url: bin.url, auth: { scheme: 'bearer', token: { $secret: 'orders' } } };
  const connection = { tenantId: 'cus_a', role: 'destination', settings } as const;
  const errors = await host.configure(2, [
    { ...connection, connectionId: 'p/out', secrets: [sealed('orders', ['127.0.0.1'])] },
    { ...connection, connectionId: 'p/elsewhere', secrets: [sealed('orders', ['api.example.com'])] },
  ]);
  expect(errors).toEqual([
    { connectionId: 'p/elsewhere', errors: [{ path: '/auth/token', message: expect.stringContaining('may not be sent to 127.0.0.1') }] },
  ]);
  expect(await host.send(outgoing('msg_1', Buffer.from('x')), 5_000)).toMatchObject({ status: 'ok' });
  expect(bin.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer tok-123456']);
});

test('hundreds of messages to a receiver that is down fail one by one, and its connector lives', async () => {
  const { host, bin } = await start();
  const { pid } = host.state();
  await bin.down();
  const outcomes = await Promise.all(Array.from({ length: 300 }, (_, i) => host.send(outgoing(`msg_${i}`, Buffer.from('x')), 5_000)));
  expect(new Set(outcomes.map(({ code }) => code))).toEqual(new Set(['connect_refused']));
  await bin.up();
  expect(await host.send(outgoing('msg_up', Buffer.from('x')), 5_000)).toMatchObject({ status: 'ok' });
  expect(host.state()).toMatchObject({ state: 'running', pid });
});

test('an address inside that the operator did not list is refused', async () => {
  const { host } = await start();
  const inside = await requestBin();
  disposals.push(() => inside.close());
  await host.configure(2, [{ connectionId: 'p/out', tenantId: 'cus_a', role: 'destination', settings: { url: inside.url } }]);
  expect(await host.send(outgoing('msg_1', Buffer.from('x')), 5_000)).toMatchObject({ status: 'permanent', source: 'downstream', code: 'egress_forbidden' });
  expect(inside.requests).toEqual([]);
});

test('kill -9 under load: whatever was answered 202 was stored, senders that were cut off come again, and the way is free afterwards', async () => {
  const { host, url, bin, stored } = await start();
  const accepted: string[] = [];
  let stop = false;
  const sender = async (name: number): Promise<void> => {
    for (let i = 0; !stop; i++) {
      const answer = await post(url, `${name}-${i}`).catch(() => null); // cut off: nothing was promised
      if (answer?.status === 202) accepted.push((JSON.parse(answer.body) as { messageId: string }).messageId);
    }
  };
  const senders = Array.from({ length: 16 }, (_, name) => sender(name));
  for (let kills = 1; kills <= 3; kills++) {
    const before = accepted.length;
    await eventually(() => accepted.length > before + 100);
    process.kill(host.state().pid as number, 'SIGKILL');
    await eventually(() => host.state().restarts === kills && host.state().state === 'running');
  }
  const before = accepted.length;
  await eventually(() => accepted.length > before + 100);
  stop = true;
  await Promise.all(senders);

  const known = new Set(stored.map(({ messageId }) => messageId));
  expect(accepted.filter((messageId) => !known.has(messageId))).toEqual([]);
  await eventually(() => {
    const arrived = new Set(bin.requests.map(({ headers }) => String(headers['idempotency-key']).split('/')[0]));
    return [...known].every((messageId) => arrived.has(messageId));
  });
});

test('what comes again is known after kill -9: the same message, stored once', async () => {
  const { host, url, stored } = await start({ deduplicate: { by: 'header', header: 'Idempotency-Key' } });
  const send = (id: string) => post(url, 'x', { 'idempotency-key': id });
  const first = await send('a');
  expect(JSON.parse(first.body)).toEqual({ messageId: 'msg_1' });
  process.kill(host.state().pid as number, 'SIGKILL');
  await eventually(() => host.state().restarts === 1 && host.state().state === 'running');
  expect(JSON.parse((await send('a')).body)).toEqual({ messageId: 'msg_1', duplicate: true });
  expect(JSON.parse((await send('b')).body)).toEqual({ messageId: 'msg_2' });
  expect(stored).toHaveLength(2);
});

test('a folder that takes nothing costs no message: ids are remembered in memory, and the node counts them', async () => {
  const noFolder = join(scratchDir('data'), 'file');
  await writeFile(noFolder, '');
  const { host, url } = await start({ deduplicate: { by: 'header', header: 'Idempotency-Key' }, dataDir: noFolder });
  const send = () => post(url, 'x', { 'idempotency-key': 'a' });
  expect(JSON.parse((await send()).body)).toEqual({ messageId: 'msg_1' });
  expect(JSON.parse((await send()).body)).toEqual({ messageId: 'msg_1', duplicate: true });
  await eventually(() => host.stats().unwrittenIds === 1);
});

test('drained, it takes no more messages and answers those it has', async () => {
  const { host, url } = await start({ ackDelayMs: 200 });
  const last = post(url, 'last');
  await eventually(() => inHand > 0);
  await host.drain?.(AbortSignal.timeout(10_000));
  expect((await last).status).toBe(202);
  await expect(post(url, 'late')).rejects.toThrow();
});

test('a process for destinations alone listens nowhere: one that holds its port is no trouble', async () => {
  const taken = await requestBin();
  disposals.push(() => taken.close());
  const host = createConnectorHost({
    name: 'http destination',
    tenantId: null,
    release: releaseAt(join(home, 'dist', 'http-connector')),
    env: { VRSKY_HTTP_ROLES: 'destination', VRSKY_HTTP_LISTEN: `127.0.0.1:${taken.port}`, VRSKY_EGRESS_ALLOW: `127.0.0.1:${taken.port}` },
    credit: 16,
    log: createLog('test', 'silent'),
  });
  disposals.push(() => host[Symbol.asyncDispose]());
  await host.start?.(new AbortController().signal);
  expect(host.state()).toMatchObject({ state: 'running' });
});

/** Messages that wait for their acknowledgement in a test. */
let inHand = 0;

async function start(
  o: { ackDelayMs?: number; deduplicate?: object; dataDir?: string } = {},
): Promise<{ host: ConnectorHost; url: string; bin: RequestBin; stored: { messageId: string; text: string; contentType: string }[] }> {
  const [port, bin] = await Promise.all([freePort(), requestBin()]);
  disposals.push(() => bin.close());
  const stored: { messageId: string; text: string; contentType: string }[] = [];
  const host = createConnectorHost({
    name: 'http',
    tenantId: null,
    release: releaseAt(join(home, 'dist', 'http-connector')),
    env: { VRSKY_HTTP_LISTEN: `127.0.0.1:${port}`, VRSKY_EGRESS_ALLOW: `127.0.0.1:${bin.port}`, VRSKY_DATA_DIR: o.dataDir ?? scratchDir('data') },
    credit: 4_096,
    log: createLog('test', 'silent'),
  });
  disposals.push(() => host[Symbol.asyncDispose]());
  let count = 0;
  inHand = 0;
  host.onReceive((entries) => {
    for (const { seq, raw } of entries) {
      const { payload, contentType } = decodeMessage(raw);
      const messageId = `msg_${++count}`;
      inHand++;
      setTimeout(() => {
        inHand--;
        stored.push({ messageId, text: Buffer.from(payload).toString(), contentType });
        host.ack(seq, 'stored', { messageId });
        void deliver(host, messageId, payload, contentType);
      }, o.ackDelayMs ?? 0);
    }
  });
  await host.start?.(new AbortController().signal);
  await host.configure(1, [
    { connectionId: 'p/in', tenantId: 'cus_a', role: 'source', settings: { path: PATH, ...(o.deduplicate && { deduplicate: o.deduplicate }) } },
    { connectionId: 'p/out', tenantId: 'cus_a', role: 'destination', settings: { url: bin.url, method: 'POST', headers: [], timeoutMs: 5_000 } },
  ]);
  return { host, url: `http://127.0.0.1:${port}/in/${PATH}`, bin, stored };
}

/** What the node does with retryable outcomes, in short. */
async function deliver(host: ConnectorHost, messageId: string, payload: Uint8Array, contentType: string): Promise<void> {
  for (let attempts = 0; attempts < 10; attempts++) {
    const outcome = await host.send(outgoing(messageId, payload, contentType), 10_000);
    if (outcome.status === 'ok' || outcome.code === 'node_stopping') return;
  }
}

function outgoing(messageId: string, payload: Uint8Array, contentType = '') {
  return {
    connectionId: 'p/out',
    customerId: 'cus_a',
    pipelineId: 'p',
    messageId,
    traceparent: '',
    tracestate: '',
    attempt: 1,
    headers: [] as [string, string][],
    payload,
    contentType,
  };
}

async function post(url: string, body: string, headers = {}): Promise<{ status: number; body: string }> {
  const response = await request(url, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers }, dispatcher: agent });
  return { status: response.statusCode, body: await response.body.text() };
}
