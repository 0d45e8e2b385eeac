import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import { createIdentity } from '@vrsky/plugin/certificate';
import { type RequestBin, requestBin } from '@vrsky/testkit/request-bin';
import { afterEach, describe, expect, test } from 'vitest';
import { createAnswerRoom } from './answer-room.ts';
import { type OpenedDestination, type OpenOptions, openDestination, secretOf } from './destination.test-support.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function open(settings: { url: string } & Record<string, unknown>, o: OpenOptions = {}): OpenedDestination {
  const opened = openDestination(settings, o);
  cleanups.push(() => opened.destination.close());
  return opened;
}

async function openBin(): Promise<RequestBin> {
  const bin = await requestBin();
  cleanups.push(() => bin.close());
  return bin;
}

async function openRaw(onConnection: (socket: net.Socket) => void): Promise<string> {
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
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const order = {
  payload: Buffer.from('{"id":"a/b","kind":"put","customer":{"name":"Ann \\"A\\" Ö"},"total":12.50}'),
  headers: [['x-tenant', 'blue']] as [string, string][],
};

describe('a request of templates', () => {
  test('has method, URL, headers and body of the message', async () => {
    const bin = await openBin();
    const { send } = open({
      url: `${bin.url}/orders/{{ message.id }}?by={{ message.customer.name }}`,
      methodFrom: '{{ message.kind }}',
      headers: [
        { name: 'X-Tenant', value: 't-{{ header.x-tenant }}' },
        { name: 'X-Fixed', value: 'f' },
      ],
      body: { template: '{"who":"{{ message.customer.name }}","total":{{ message.total }},"id":"{{ messageId }}","note":{{ message.note ?? "" }}}' },
    });
    expect((await send(order)).status).toBe('ok');
    expect(bin.requests[0]).toMatchObject({
      method: 'PUT',
      url: '/orders/a%2Fb?by=Ann%20%22A%22%20%C3%96',
      headers: { 'x-tenant': 't-blue', 'x-fixed': 'f', 'content-type': 'application/json' },
    });
    expect(bin.requests[0]?.body.toString()).toBe('{"who":"Ann \\"A\\" Ö","total":12.50,"id":"msg_1","note":""}');
  });

  test('that a message does not fill is not sent, and says what is missing', async () => {
    const bin = await openBin();
    const { send } = open({ url: `${bin.url}/{{ message.gone }}` });
    const results = await Promise.all(Array.from({ length: 2_000 }, () => send(order)));
    expect(results[1_999]).toMatchObject({ status: 'permanent', code: 'template_failed', reason: expect.stringContaining('message.gone') });
    expect(bin.requests).toEqual([]);
    expect((await send({ payload: Buffer.from('{"gone":1}') })).status).toBe('ok');
  });

  test('with GET has no body and no content type', async () => {
    const bin = await openBin();
    await open({ url: bin.url, method: 'GET' }).send(order);
    expect(bin.requests[0]).toMatchObject({ method: 'GET', body: Buffer.alloc(0) });
    expect(bin.requests[0]?.headers).not.toHaveProperty('content-type');
  });
});

describe('a redirect', () => {
  const to = (location: string, status = 307) => ({ status, headers: { location } });

  test('to the same origin is followed with method, body and credentials where the destination allows it', async () => {
    const bin = await openBin();
    bin.behave(({ url }) => (url === '/old' ? to('/new?x=1', 308) : {}));
    const auth = { scheme: 'bearer', token: { $secret: 's' } };
    const { send } = open({ url: `${bin.url}/old`, redirects: { max: 1 }, auth }, { secrets: [secretOf('s', ['127.0.0.1'], 'tok-123456')] });
    expect((await send()).status).toBe('ok');
    expect(bin.requests[1]).toMatchObject({ method: 'POST', url: '/new?x=1', body: Buffer.from('{"a":1}'), headers: { authorization: 'Bearer tok-123456' } });
    expect(bin.requests[1]?.headers['idempotency-key']).toBe(bin.requests[0]?.headers['idempotency-key']);
  });

  test('to a listed origin gets the message, and neither credentials nor the destination’s own headers', async () => {
    const [from, other] = [await openBin(), await openBin()];
    from.behave(to(`${other.url}/there`));
    const settings = {
      url: from.url,
      headers: [{ name: 'X-Token', value: 'plain-secret' }],
      auth: { scheme: 'api_key', name: 'x-key', value: { $secret: 's' } },
      redirects: { max: 1, origins: [other.url] },
    };
    const secrets = [secretOf('s', ['127.0.0.1'], 'key-123456')];
    const { send } = open(settings, { secrets, allow: [from, other].map(({ port }) => `127.0.0.1:${port}`) });
    expect((await send()).status).toBe('ok');
    expect(from.requests[0]?.headers).toMatchObject({ 'x-key': 'key-123456', 'x-token': 'plain-secret' });
    expect(other.requests[0]).toMatchObject({ url: '/there', body: Buffer.from('{"a":1}'), headers: { 'customer-id': 'cus_a' } });
    for (const name of ['x-key', 'x-token']) expect(other.requests[0]?.headers).not.toHaveProperty(name);
  });

  test.each([
    ['to an origin that is not listed', 'http://evil.test/x', 'evil.test'],
    ['to another port', 'http://127.0.0.1:1/', '127.0.0.1:1'],
    ['to another scheme', 'file:///etc/passwd', 'without an address'],
    ['with a user name', 'http://u:p@127.0.0.1/', 'without an address'],
  ])('%s is not followed', async (_, location, words) => {
    const bin = await openBin();
    bin.behave(to(location));
    const { send, connects } = open({ url: bin.url, redirects: { max: 3 } });
    expect(await send()).toMatchObject({ status: 'permanent', code: 'redirect_refused', reason: expect.stringContaining(words) });
    expect(connects).toEqual([`127.0.0.1:${bin.port}`]);
  });

  test('to the inside is refused by the guard on that hop, by address and by name, even when it is listed', async () => {
    const [bin, inside] = [await openBin(), await openBin()];
    for (const host of ['127.0.0.1', 'inside.test', '[::ffff:7f00:1]']) {
      bin.behave(to(`http://${host}:${inside.port}/secret`));
      const { send } = open(
        { url: bin.url, redirects: { max: 3, origins: [`http://${host}:${inside.port}`] } },
        { allow: [`127.0.0.1:${bin.port}`], names: { 'inside.test': '127.0.0.1' } },
      );
      expect(await send()).toMatchObject({ status: 'permanent', code: 'egress_forbidden' });
    }
    expect(inside.requests).toEqual([]);
  });

  test('without end ends, and one that would lose the message is an answer', async () => {
    const bin = await openBin();
    bin.behave(to('/again'));
    const { send } = open({ url: bin.url, redirects: { max: 2 } });
    expect(await send()).toMatchObject({ status: 'permanent', code: 'redirect_refused', reason: expect.stringContaining('more than 2') });
    expect(bin.requests).toHaveLength(3);
    bin.behave(to('/x', 302));
    expect(await send()).toMatchObject({ status: 'permanent', code: 'http_302' });
  });
});

describe('a receiver that is gone', () => {
  test('stops the destination: nothing more is sent to it until its settings are others', async () => {
    const bin = await openBin();
    bin.behave({ status: 410 });
    const { send, configure } = open({ url: bin.url });
    expect(await send()).toMatchObject({ status: 'permanent', code: 'http_410' });
    bin.behave({});
    configure({ url: bin.url }); // another destination of the node has changed, not this one
    expect(await send()).toMatchObject({ status: 'permanent', code: 'receiver_gone', reason: expect.stringContaining('answered 410') });
    expect(bin.requests).toHaveLength(1);
    configure({ url: `${bin.url}/new` });
    expect((await send()).status).toBe('ok');
  });

  test('comes back with a pipeline that was paused and resumed', async () => {
    const bin = await openBin();
    bin.behave({ status: 410 });
    const { destination, send, configure } = open({ url: bin.url });
    await send();
    bin.behave({});
    destination.setTargets(new Map());
    configure({ url: bin.url });
    expect((await send()).status).toBe('ok');
  });
});

describe('the pace of a destination', () => {
  test('one after the other keeps the order of arrival', async () => {
    const bin = await openBin();
    let running = 0;
    let most = 0;
    const server = http.createServer((request, response) => {
      most = Math.max(most, ++running);
      request.resume().on('end', () =>
        setImmediate(() => {
          running--;
          response.end('ok');
        }),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { send } = open({ url, pace: { inOrder: true } });
    await Promise.all(Array.from({ length: 50 }, () => send()));
    expect(most).toBe(1);
    const ordered = open({ url: bin.url, pace: { inOrder: true } });
    await Promise.all(Array.from({ length: 30 }, (_, i) => ordered.send({ messageId: `msg_${i}` })));
    expect(bin.requests.map(({ headers }) => headers['idempotency-key'])).toEqual(Array.from({ length: 30 }, (_, i) => `msg_${i}/p/out`));
  });

  test('is its own: a slow destination leaves the connections of others to the same receiver alone', async () => {
    const bin = await openBin();
    const { send } = open({ url: bin.url, pace: { ratePerSecond: 20 } });
    const startedMs = performance.now();
    const results = await Promise.all(Array.from({ length: 8 }, () => send()));
    expect(results.every(({ status }) => status === 'ok')).toBe(true);
    // Two at once, then one every 50 ms.
    expect(performance.now() - startedMs).toBeGreaterThan(250);
  });
});

describe('compression', () => {
  test('a large body is sent in gzip, a small one is not, and the answer is readable', async () => {
    const bin = await openBin();
    bin.behave({ headers: { 'content-encoding': 'gzip' }, body: gzipSync('stored') });
    const { send } = open({ url: bin.url, compress: true });
    const payload = Buffer.from('{"a":"'.concat('x'.repeat(5_000), '"}'));
    expect(Buffer.from((await send({ payload })).peerAnswer ?? []).toString()).toBe('stored');
    await send();
    const [large, small] = bin.requests;
    expect(large?.headers).toMatchObject({ 'content-encoding': 'gzip', 'accept-encoding': 'gzip, deflate' });
    expect(Buffer.compare(gunzipSync(large?.body as Buffer), payload)).toBe(0);
    expect([small?.headers['content-encoding'], small?.body.toString()]).toEqual([undefined, '{"a":1}']);
  });

  test('an answer that is a bomb is a delivery with 1 KiB of answer', async () => {
    const bin = await openBin();
    bin.behave({ headers: { 'content-encoding': 'gzip' }, body: gzipSync(Buffer.alloc(50_000_000)) });
    const result = await open({ url: bin.url, compress: true }).send();
    expect([result.status, result.peerAnswer?.length]).toEqual(['ok', 1_024]);
  });
});

describe('an answer that goes on', () => {
  const answerBytesMax = 1_000_000;

  test('comes whole with its type, inflated, and one byte longer than asked for as its beginning', async () => {
    const bin = await openBin();
    const { send, configure } = open({ url: bin.url });
    configure({ url: bin.url }, [], answerBytesMax);
    bin.behave({ headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' }, body: gzipSync(Buffer.alloc(answerBytesMax, 'x')) });
    const whole = await send();
    expect([whole.status, whole.peerAnswerType, whole.peerAnswerCut, whole.peerAnswer?.length]).toEqual(['ok', 'application/json', false, answerBytesMax]);
    bin.behave({ headers: { 'content-encoding': 'gzip' }, body: gzipSync(Buffer.alloc(answerBytesMax + 1, 'x')) });
    const cut = await send();
    expect([cut.status, cut.peerAnswerCut, cut.peerAnswer?.length]).toEqual(['ok', true, 1_024]);
    bin.behave({ body: Buffer.alloc(3_000_000, 'x') });
    expect(await send()).toMatchObject({ status: 'ok', peerStatus: 200, peerAnswerCut: true });
  });

  test('waits for its room in memory and comes whole then, also when it cannot be compressed', async () => {
    const bin = await openBin();
    const body = gzipSync(randomBytes(answerBytesMax));
    bin.behave({ headers: { 'content-encoding': 'gzip' }, body });
    const { send } = open({ url: bin.url }, { answerBytesMax, answerRoom: createAnswerRoom({ bytesMax: 1_500_000 }) });
    const answers = await Promise.all(Array.from({ length: 5 }, () => send()));
    expect(answers.map(({ status, peerAnswer, peerAnswerCut }) => [status, peerAnswer?.length, peerAnswerCut])).toEqual(
      Array.from({ length: 5 }, () => ['ok', answerBytesMax, false]),
    );
  });

  test('and finds no room within the request’s time is asked for again', async () => {
    const bin = await openBin();
    bin.behave({ body: Buffer.alloc(200_000) });
    const answerRoom = createAnswerRoom({ bytesMax: 1_000 });
    const leave = answerRoom.ask('cus_other', 1_000, () => undefined);
    const { send } = open({ url: bin.url, timeoutMs: 300 }, { answerBytesMax, answerRoom });
    expect(await send()).toMatchObject({ status: 'retryable', code: 'answer_lost', peerStatus: 200 });
    leave();
    expect(await send()).toMatchObject({ status: 'ok', peerAnswerCut: false });
  });

  test('and cannot be read is no delivery that could go on', async () => {
    const bin = await openBin();
    const { send, configure } = open({ url: bin.url });
    configure({ url: bin.url }, [], answerBytesMax);
    bin.behave({ headers: { 'content-encoding': 'gzip' }, body: 'plain' });
    expect(await send()).toMatchObject({ status: 'permanent', code: 'answer_unreadable', peerStatus: 200, reason: expect.stringContaining('has the message') });
    configure({ url: bin.url }, [], answerBytesMax, true);
    expect(await send()).toMatchObject({ status: 'ok', peerAnswerCut: true });
    bin.behave({ status: 400, headers: { 'content-encoding': 'gzip' }, body: 'plain' });
    expect(await send()).toMatchObject({ status: 'permanent', code: 'http_400', peerAnswerCut: true });
  });

  test('and breaks off is asked for again, unless nobody needs it', async () => {
    const url = await openRaw((socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthe beginning')));
    const { send, configure } = open({ url });
    expect(await send()).toMatchObject({ status: 'ok', peerStatus: 200 });
    configure({ url }, [], answerBytesMax);
    const lost = await send();
    expect(lost).toMatchObject({ status: 'retryable', code: 'answer_lost', peerStatus: 200, peerAnswerCut: true });
    expect(Buffer.from(lost.peerAnswer ?? []).toString()).toBe('the beginning');
    configure({ url }, [], answerBytesMax, true);
    expect(await send()).toMatchObject({ status: 'ok', peerStatus: 200, peerAnswerCut: true });
  });
});

describe('HTTP/2', () => {
  async function openHttp2(): Promise<{ url: string; ca: string; server: Http2SecureServer; versions: string[]; sessions: () => number }> {
    const { keyPem, certPem } = createIdentity();
    const versions: string[] = [];
    let sessions = 0;
    const server = createSecureServer({ key: keyPem, cert: certPem, allowHTTP1: true }, (request, response) => {
      versions.push(request.httpVersion);
      request.resume().on('end', () => setTimeout(() => response.end('ok'), 5));
    }).on('session', (session) => {
      sessions++;
      cleanups.push(() => session.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => server.close());
    return { url: `https://localhost:${(server.address() as AddressInfo).port}/`, ca: certPem, server, versions, sessions: () => sessions };
  }
  const names = { localhost: '127.0.0.1' };

  test('is spoken where the destination allows it, many requests on few connections', async () => {
    const { url, ca, versions, sessions } = await openHttp2();
    const { send } = open({ url, tls: { ca }, http2: true }, { names });
    const results = await Promise.all(Array.from({ length: 200 }, () => send()));
    expect(results.every(({ status }) => status === 'ok')).toBe(true);
    expect([new Set(versions), sessions()]).toEqual([new Set(['2.0']), 8]);
  });

  test('is not needed: a receiver that does not offer it gets as many connections as any other', async () => {
    const { keyPem, certPem } = createIdentity();
    let most = 0;
    let running = 0;
    const server = https.createServer({ key: keyPem, cert: certPem }, (request, response) => {
      most = Math.max(most, ++running);
      request.resume().on('end', () =>
        setTimeout(() => {
          running--;
          response.end('ok');
        }, 20),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => server.close());
    const { send } = open({ url: `https://localhost:${(server.address() as AddressInfo).port}/`, tls: { ca: certPem }, http2: true }, { names });
    const results = await Promise.all(Array.from({ length: 200 }, () => send()));
    expect(results.every(({ status }) => status === 'ok')).toBe(true);
    expect(most).toBeGreaterThan(8);
  });

  test('is not spoken otherwise', async () => {
    const { url, ca, versions } = await openHttp2();
    expect((await open({ url, tls: { ca } }, { names }).send()).status).toBe('ok');
    expect(versions).toEqual(['1.1']);
  });
});

describe('a hostile receiver', () => {
  test('that sends 100,000 headers is cut off, and the next one is served', async () => {
    const url = await openRaw((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\n');
        socket.end(`${Array.from({ length: 100_000 }, (_, i) => `h${i}: v`).join('\r\n')}\r\n\r\n`);
      });
    });
    const { send } = open({ url });
    expect(await send()).toMatchObject({ status: 'retryable', code: 'bad_response' });
    expect(await send()).toMatchObject({ code: 'bad_response' });
  });

  test('that never ends its answer costs a bounded number of bytes, and has the message', async () => {
    let written = 0;
    const url = await openRaw((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
        const more = (): void => {
          while (socket.writable && socket.write(`10000\r\n${'x'.repeat(65_536)}\r\n`)) written += 65_536;
          written += 65_536;
          if (socket.writable) socket.once('drain', more);
        };
        more();
      });
    });
    expect(await open({ url, timeoutMs: 5_000 }).send()).toMatchObject({ status: 'ok' });
    expect(written).toBeLessThan(20_000_000);
  });

  test('that sends two lengths, or headers that are none, is not believed', async () => {
    for (const headers of ['content-length: 2\r\ncontent-length: 3', 'content-length: 2\r\ntransfer-encoding: chunked', 'x: a\r\n folded: b\r\nx y: z']) {
      const url = await openRaw((socket) => socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${headers}\r\n\r\nok`)));
      expect(await open({ url }).send()).toMatchObject({ status: 'retryable', code: 'bad_response' });
    }
  });

  test('that stops before its headers, or in its body, is given up after the time for that', async () => {
    const silent = await openRaw(() => undefined);
    const settings = { timeoutMs: 30_000, timeouts: { headersMs: 100, bodyMs: 100 } };
    expect(await open({ url: silent, ...settings }).send()).toMatchObject({
      status: 'retryable',
      code: 'timeout',
      reason: expect.stringContaining('did not begin'),
    });
    const half = await openRaw((socket) => socket.once('data', () => socket.write('HTTP/1.1 500 Broken\r\ncontent-length: 9\r\n\r\nx')));
    expect(await open({ url: half, ...settings }).send()).toMatchObject({ status: 'retryable', code: 'http_500' });
  });
});
