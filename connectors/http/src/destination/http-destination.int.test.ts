import net from 'node:net';
import type { Delivery, DeliveryResult } from '@vrsky/sdk/connector';
import { eventually } from '@vrsky/testkit/eventually';
import { freePort } from '@vrsky/testkit/ports';
import { type RequestBin, requestBin } from '@vrsky/testkit/request-bin';
import { afterEach, describe, expect, test } from 'vitest';
import { createEgress, createGuard } from './egress.ts';
import { createHttpDestination, type HttpDestination } from './http-destination.ts';
import { destinationSettingsSchema } from './settings.ts';
import { type Target, toTarget } from './target.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('a message', () => {
  test('is sent with the platform’s headers, its own content type, the destination’s headers and nothing else of the sender', async () => {
    const bin = await openBin();
    const { send } = open(`${bin.url}/orders?x=1`, { headers: [{ name: 'X-Api-Key', value: 'k' }] });
    const result = await send({
      headers: [
        ['x-request-id', 'r1'],
        ['user-agent', 'curl'],
        ['x-forwarded-for', '1.2.3.4'],
        ['ce-type', 'order'],
        ['authorization', 'Bearer leaked'],
      ],
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'a=1',
    });
    expect(result).toMatchObject({ status: 'ok', peerStatus: 200, startedAtUs: expect.any(Number), durationUs: expect.any(Number) });
    expect(Buffer.from(result.peerAnswer ?? []).toString()).toBe('ok');
    const [request] = bin.requests;
    expect(request).toMatchObject({ method: 'POST', url: '/orders?x=1' });
    expect(request?.body.toString()).toBe('{"a":1}');
    expect(request?.headers).toEqual({
      host: `127.0.0.1:${bin.port}`,
      connection: 'keep-alive',
      'content-length': '7',
      'content-type': 'application/json',
      'customer-id': 'cus_a',
      'idempotency-key': expect.stringMatching(/^msg_1\//),
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'a=1',
      'user-agent': 'VRSky',
      'x-api-key': 'k',
      'x-request-id': 'r1',
      'ce-type': 'order',
    });
  });

  test('has the destination’s content type, user agent and ids when it names them, once', async () => {
    const bin = await openBin();
    const { send } = open(bin.url, {
      method: 'PUT',
      headers: [
        { name: 'Content-Type', value: 'text/plain' },
        { name: 'User-Agent', value: 'mine' },
        { name: 'X-Request-Id', value: 'ours' },
      ],
    });
    await send({ headers: [['x-request-id', 'theirs']] });
    expect(bin.requests[0]).toMatchObject({ method: 'PUT', headers: { 'content-type': 'text/plain', 'user-agent': 'mine', 'x-request-id': 'ours' } });
  });

  test.each([0, 1, 1_048_576])('of %i bytes arrives byte for byte', async (length) => {
    const bin = await openBin();
    const payload = Buffer.from(Array.from({ length }, (_, i) => (i * 31) & 255));
    await open(bin.url).send({ payload });
    expect(Buffer.compare(bin.requests[0]?.body as Buffer, payload)).toBe(0);
    expect(bin.requests[0]?.headers['content-length']).toBe(String(length));
  });

  test('with line breaks in what its sender chose makes no headers of the sender’s own', async () => {
    const bin = await openBin();
    const { send } = open(bin.url);
    const result = await send({
      contentType: 'text/plain\r\nx-evil: 1',
      tracestate: 'a=1\nx-evil: 1',
      headers: [
        ['x-request-id', 'r\r\nx-evil: 1'],
        ['ce-id', 'snowman ☃'],
      ],
    });
    expect(result.status).toBe('ok');
    const { headers } = bin.requests[0] as { headers: object };
    for (const name of ['x-evil', 'content-type', 'tracestate', 'x-request-id', 'ce-id']) expect(headers).not.toHaveProperty(name);
  });

  test('is not sent anywhere but to its own URL: a redirect is an answer', async () => {
    const bin = await openBin();
    bin.behave({ status: 302, headers: { location: `${bin.url}/elsewhere` } });
    expect(await open(bin.url).send()).toMatchObject({ status: 'permanent', code: 'http_302', peerStatus: 302 });
    expect(bin.requests).toHaveLength(1);
  });

  test('for a connection that is not set up waits', async () => {
    const bin = await openBin();
    expect(await open(bin.url).send({ connectionId: 'p/unknown' })).toMatchObject({ status: 'retryable', source: 'plugin', code: 'not_configured' });
  });
});

describe('a receiver', () => {
  test.each([
    [
      { status: 500, body: 'broken' },
      { status: 'retryable', code: 'http_500', peerStatus: 500, peerAnswer: 'broken' },
    ],
    [
      { status: 429, headers: { 'retry-after': '3' } },
      { status: 'rate_limited', code: 'http_429', retryAfterMs: 3_000 },
    ],
    [
      { status: 503, headers: { 'retry-after': '2' } },
      { status: 'rate_limited', code: 'http_503', retryAfterMs: 2_000 },
    ],
    [
      { status: 422, body: 'no' },
      { status: 'permanent', code: 'http_422', peerAnswer: 'no' },
    ],
    [{ reset: true }, { status: 'retryable', code: 'connection_lost' }],
    [{ hang: true }, { status: 'retryable', code: 'timeout' }],
    [{ delayMs: 5_000 }, { status: 'retryable', code: 'timeout' }],
  ])('that does %j', async (behaviour, expected) => {
    const bin = await openBin();
    bin.behave(behaviour);
    const { peerAnswer, ...result } = await open(bin.url, { timeoutMs: 300 }).send();
    const { peerAnswer: answer, ...rest } = expected as { peerAnswer?: string };
    expect(result).toMatchObject(rest);
    if (answer !== undefined) expect(Buffer.from(peerAnswer ?? []).toString()).toBe(answer);
  });

  test('that is not there', async () => {
    expect(await open(`http://127.0.0.1:${await freePort()}`).send()).toMatchObject({ status: 'retryable', code: 'connect_refused', source: 'downstream' });
  });

  test('that does not speak HTTP', async () => {
    const port = await openRaw((socket) => socket.end('220 mail ready\r\n'));
    expect(await open(`http://127.0.0.1:${port}`).send()).toMatchObject({ status: 'retryable', code: 'bad_response' });
  });

  test('that speaks no TLS', async () => {
    const bin = await openBin();
    expect(await open(bin.url.replace('http:', 'https:')).send()).toMatchObject({ status: 'retryable', code: 'tls_failed' });
  });

  test('that answers more than it should is not read to the end: 1 KiB is kept, the status counts', async () => {
    const bin = await openBin();
    bin.behave({ body: Buffer.alloc(5_000_000, 'x') });
    const result = await open(bin.url).send();
    expect(result).toMatchObject({ status: 'ok', peerStatus: 200 });
    expect(result.peerAnswer).toHaveLength(1_024);
  });

  test('that says it has the message and then drips its answer has it', async () => {
    const port = await openRaw((socket) => socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx')));
    expect(await open(`http://127.0.0.1:${port}`, { timeoutMs: 200 }).send()).toMatchObject({ status: 'ok', peerStatus: 200 });
  });

  test('that sends endless headers', async () => {
    const port = await openRaw((socket) => socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)));
    expect(await open(`http://127.0.0.1:${port}`).send()).toMatchObject({ status: 'retryable', code: 'bad_response' });
  });

  test('that comes back is used again at once', async () => {
    const bin = await openBin();
    const { send } = open(bin.url);
    expect((await send()).status).toBe('ok');
    await bin.down();
    expect((await send()).status).toBe('retryable');
    await bin.up();
    expect((await send()).status).toBe('ok');
  });

  test('inside is refused, also as a name, and nothing is opened', async () => {
    const bin = await openBin();
    const { send } = open(bin.url, {}, { allow: [] });
    expect(await send()).toMatchObject({ status: 'permanent', code: 'egress_forbidden', reason: expect.stringContaining('private or internal') });
    const byName = open(`http://inside.test:${bin.port}`, {}, { allow: [], names: { 'inside.test': '127.0.0.1' } });
    expect(await byName.send()).toMatchObject({ status: 'permanent', code: 'egress_forbidden' });
    expect(bin.requests).toEqual([]);
  });
});

describe('many messages', () => {
  test('to one receiver use its connections again, and never more than allowed', async () => {
    let most = 0;
    let open_ = 0;
    const server = await import('node:http').then(({ createServer }) =>
      createServer((request, response) => request.resume().on('end', () => setTimeout(() => response.end('ok'), 2))).on('connection', (socket) => {
        most = Math.max(most, ++open_);
        socket.on('close', () => open_--);
      }),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    const { send } = open(`http://127.0.0.1:${(server.address() as net.AddressInfo).port}`, {}, { connectionsMax: 8 });
    const results = await Promise.all(Array.from({ length: 300 }, () => send()));
    expect(results.every((result) => result.status === 'ok')).toBe(true);
    expect(most).toBe(8);
  });

  test('to a receiver that refuses connections fail one by one, also those that waited for a connection', async () => {
    const { send } = open(`http://127.0.0.1:${await freePort()}`, {}, { connectionsMax: 4 });
    const results = await Promise.all(Array.from({ length: 200 }, () => send()));
    expect(results.map(({ code }) => code)).toEqual(Array(200).fill('connect_refused'));
  });

  test('to a slow receiver: each one’s time begins when it is sent, not when it came', async () => {
    const bin = await openBin();
    bin.behave({ delayMs: 100 });
    const { send } = open(bin.url, { timeoutMs: 400 }, { connectionsMax: 2 });
    const results = await Promise.all(Array.from({ length: 20 }, () => send()));
    expect(results.map((result) => result.status)).toEqual(Array(20).fill('ok'));
  });

  test('to more receivers than are allowed: an idle one gives way, a busy one does not', async () => {
    const bins = await Promise.all([openBin(), openBin(), openBin()]);
    const { destination, send } = open(bins[0]?.url ?? '', {}, { originsMax: 2, allow: bins.map((bin) => `127.0.0.1:${bin.port}`) });
    destination.setTargets(new Map(bins.map((bin, i) => [`p/${i}`, plainTarget({ url: bin.url, timeoutMs: 500 })])));
    for (const i of [0, 1, 2]) expect((await send({ connectionId: `p/${i}` })).status).toBe('ok');
    for (const bin of bins) bin.behave({ hang: true });
    const busy = [send({ connectionId: 'p/1' }), send({ connectionId: 'p/2' })];
    expect(await send({ connectionId: 'p/0' })).toMatchObject({ status: 'retryable', source: 'plugin', code: 'too_many_receivers' });
    for (const result of await Promise.all(busy)) expect(result.code).toBe('timeout');
    for (const bin of bins) bin.behave({});
    await eventually(async () => (await send({ connectionId: 'p/0' })).status === 'ok');
  });
});

interface OpenOptions {
  allow?: string[];
  names?: Record<string, string>;
  connectionsMax?: number;
  originsMax?: number;
}

function open(
  url: string,
  settings: object = {},
  o: OpenOptions = {},
): { destination: HttpDestination; send(delivery?: Partial<Delivery>): Promise<DeliveryResult> } {
  const guard = createGuard({
    allow: new Set(o.allow ?? [new URL(url).host]),
    lookup: (hostname, _, callback) => {
      const address = o.names?.[hostname];
      if (address === undefined) callback(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }), []);
      else callback(null, [{ address, family: 4 }]);
    },
  });
  const destination = createHttpDestination({
    egress: (way) => createEgress({ guard, way }),
    ...(o.connectionsMax ? { connectionsMax: o.connectionsMax } : {}),
    ...(o.originsMax ? { originsMax: o.originsMax } : {}),
  });
  cleanups.push(() => destination.close());
  destination.setTargets(new Map([['p/out', plainTarget({ url, ...settings })]]));
  const send = (delivery: Partial<Delivery> = {}): Promise<DeliveryResult> =>
    new Promise((resolve) => {
      destination.send(
        {
          connectionId: 'p/out',
          customerId: 'cus_a',
          pipelineId: 'p',
          messageId: 'msg_1',
          traceparent: '',
          tracestate: '',
          attempt: 1,
          headers: [],
          payload: Buffer.from('{"a":1}'),
          contentType: 'application/json',
          ...delivery,
        },
        resolve,
      );
    });
  return { destination, send };
}

/** One without secrets. */
function plainTarget(settings: object): Target {
  return toTarget({ settings: destinationSettingsSchema.parse(settings), secret: unexpected, post: unexpected });
}

function unexpected(): never {
  throw new Error('this destination has no secrets');
}

async function openBin(): Promise<RequestBin> {
  const bin = await requestBin();
  cleanups.push(() => bin.close());
  return bin;
}

async function openRaw(onConnection: (socket: net.Socket) => void): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as net.AddressInfo).port;
}
