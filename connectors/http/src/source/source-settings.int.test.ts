import { once } from 'node:events';
import net from 'node:net';
import type { Receipt } from '@vrsky/sdk/connector';
import { eventually } from '@vrsky/testkit/eventually';
import { type Dispatcher, request } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import { connectionOf, numbered, PATH, type StartOptions, startSource, stored } from './source.test-support.ts';

const started: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const source of started.splice(0)) await source.close();
});

type Settings = Parameters<typeof connectionOf>[0];

async function start(settings: Settings, more: StartOptions = {}) {
  const source = await startSource({ receipt: numbered, connections: [connectionOf(settings)], ...more });
  started.push(source.source);
  const send = async (options: Partial<Dispatcher.RequestOptions> = {}, suffix = '') => {
    const response = await request(source.url + suffix, { method: 'POST', body: 'x', ...options } as never);
    const text = await response.body.text();
    return { status: response.statusCode, headers: response.headers, text, json: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : null };
  };
  return { ...source, send };
}

describe('what is taken', () => {
  test('methods: the allowed ones, and the message says which it was; others are told which are', async () => {
    const { send, offers, refusals } = await start({ methods: ['GET', 'DELETE', 'POST'] });
    expect((await send({ method: 'GET', body: null })).status).toBe(202);
    expect((await send({ method: 'DELETE', body: null })).status).toBe(202);
    expect((await send()).status).toBe(202);
    const refused = await send({ method: 'PUT' });
    expect([refused.status, refused.headers.allow, refused.json?.detail]).toEqual([405, 'GET, DELETE, POST', expect.stringContaining('GET or DELETE or POST')]);
    expect(offers.map(({ message }) => message.headers)).toEqual([[['vrsky-http-method', 'GET']], [['vrsky-http-method', 'DELETE']], []]);
    expect(refusals).toEqual(['pip/src method_not_allowed']);
  });

  test('paths below the URL only where they are wanted; path and query come along, and nobody can make them up', async () => {
    const closed = await start({});
    expect((await closed.send({}, '/orders')).status).toBe(404);
    const { send, offers } = await start({ subpaths: true });
    expect((await send({ headers: { 'vrsky-http-path': '/forged', 'Vrsky-Http-Query': 'forged' } }, '/orders/7%20a/?a=1&b=%C3%A9')).status).toBe(202);
    expect((await send({}, '?only=query')).status).toBe(202);
    expect((await send({}, '/')).status).toBe(202);
    expect((await send({}, 'x')).status).toBe(404);
    expect(offers.map(({ message }) => message.headers)).toEqual([
      [
        ['vrsky-http-path', '/orders/7%20a/'],
        ['vrsky-http-query', 'a=1&b=%C3%A9'],
      ],
      [['vrsky-http-query', 'only=query']],
      [['vrsky-http-path', '/']],
    ]);
  });

  test('content types: those of the list, whatever their parameters; 415 for others', async () => {
    const { send, offers, refusals } = await start({ contentTypes: ['application/json', 'text/*'] });
    for (const type of ['application/json', 'Application/JSON; charset=utf-8', 'text/csv'])
      expect((await send({ headers: { 'content-type': type } })).status).toBe(202);
    for (const headers of [{ 'content-type': 'application/xml' }, { 'content-type': 'application/json5' }, {}])
      expect(await send({ headers })).toMatchObject({ status: 415, json: { code: 'content_type' } });
    expect([offers.length, refusals]).toEqual([3, Array.from({ length: 3 }, () => 'pip/src content_type')]);
  });
});

describe('limits of one source', () => {
  test('the size of a body, declared or not', async () => {
    const { send, offers } = await start({ limits: { bodyBytes: 10 } });
    expect((await send({ body: '0123456789' })).status).toBe(202);
    expect(await send({ body: '0123456789a' })).toMatchObject({ status: 413, json: { detail: expect.stringContaining('at most 10 bytes') } });
    async function* chunks() {
      yield '0123456789';
      yield 'a';
    }
    expect((await send({ body: chunks() as never })).status).toBe(413);
    expect(offers).toHaveLength(1);
  });

  test('how many headers, and how large they are', async () => {
    const { send } = await start({ limits: { headers: 4, headerBytes: 300 } });
    expect((await send({ headers: { 'x-a': '1' } })).status).toBe(202);
    expect(await send({ headers: { 'x-a': '1', 'x-b': '1', 'x-c': '1', 'x-d': '1' } })).toMatchObject({ status: 431, json: { code: 'headers_too_large' } });
    expect((await send({ headers: { 'x-a': 'a'.repeat(300) } })).status).toBe(431);
  });

  test('the time for a body: a slow sender is cut off with 408, its memory is given back, and it is counted', async () => {
    const { port, url, refusals, offers } = await start({ limits: { bodyMs: 100 } }, { limits: { checkMs: 20, bodyBytes: 1_000 } });
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.write(`POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n${'x'.repeat(800)}`);
    await eventually(() => text.includes('"slow_body"'));
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect((await request(url, { method: 'POST', body: Buffer.alloc(900) })).statusCode).toBe(202);
    expect([refusals, offers.length]).toEqual([['pip/src slow_body'], 1]);
    socket.destroy();
  });

  test('the rate: beyond the burst 429 says when to come again; another source and a stranger do not use it up', async () => {
    const other = connectionOf({ path: 'in_another_path' }, {}, 'pip/other');
    const auth = { scheme: 'token' as const, token: { $secret: 'token' } };
    const limited = connectionOf({ auth, limits: { perSecond: 0.01, burst: 2 } }, { token: ['value'] });
    const { send, origin, refusals, configure } = await start({}, { connections: [limited, other] });
    const headers = { 'x-api-key': 'value' };
    for (let i = 0; i < 5; i++) expect((await send()).status).toBe(401);
    expect([(await send({ headers })).status, (await send({ headers })).status]).toEqual([202, 202]);
    const refused = await send({ headers });
    expect([refused.status, refused.json?.code, Number(refused.headers['retry-after'])]).toEqual([429, 'rate_limited', 100]);
    configure([limited, other]);
    expect((await send({ headers })).status, 'a new configuration is no new burst').toBe(429);
    expect((await request(`${origin}/in/in_another_path`, { method: 'POST', body: 'x' })).statusCode).toBe(202);
    expect(refusals.filter((text) => text.includes('rate_limited'))).toHaveLength(2);
  });
});

describe('what comes again', () => {
  const settings: Settings = { deduplicate: { by: 'header', header: 'Idempotency-Key' } };
  const key = (id: string) => ({ headers: { 'idempotency-key': id } });

  test('is answered as the first, says so, and is stored once; what has no id is a message each time', async () => {
    const { send, offers } = await start(settings);
    expect((await send(key('a'))).json).toEqual({ messageId: 'msg_1' });
    expect(await send(key('a'))).toMatchObject({ status: 202, json: { messageId: 'msg_1', duplicate: true } });
    expect((await send(key('b'))).json).toEqual({ messageId: 'msg_2' });
    expect((await send()).json).toEqual({ messageId: 'msg_3' });
    expect((await send()).json).toEqual({ messageId: 'msg_4' });
    expect(offers).toHaveLength(4);
  });

  test('while the first is being stored waits for its word', async () => {
    const { send, offers } = await startOpen(settings);
    const answers = [send(key('a')), send(key('a')), send(key('a'))];
    (await eventually(() => offers[0] ?? false)).answer(stored);
    expect((await Promise.all(answers)).map(({ json }) => json)).toEqual([
      { messageId: 'msg_1' },
      { messageId: 'msg_1', duplicate: true },
      { messageId: 'msg_1', duplicate: true },
    ]);
    expect(offers).toHaveLength(1);
  });

  test('after a failure is a message: nothing that was not stored is called a duplicate', async () => {
    const { send, offers } = await startOpen(settings);
    const first = send(key('a'));
    const offer = await eventually(() => offers[0] ?? false);
    const second = send(key('a'));
    offer.answer({ status: 'unavailable', messageId: '', retryAfterMs: 0 });
    expect((await first).status).toBe(503);
    // It came while the first was waiting, or behind it.
    const settled = await Promise.race([second, eventually(() => offers[1] ?? false)]);
    if ('answer' in settled) settled.answer(stored);
    expect([202, 503]).toContain((await second).status);
    const third = send(key('a'));
    if ((await second).status === 503) (await eventually(() => offers[1] ?? false)).answer(stored);
    expect((await third).json).toMatchObject({ messageId: 'msg_1' });
  });

  test('is remembered over a new configuration, and while the source is away', async () => {
    const { send, configure } = await start(settings);
    await send(key('a'));
    configure([connectionOf({ ...settings, methods: ['POST'] })]);
    expect((await send(key('a'))).json).toMatchObject({ duplicate: true });
    configure([]);
    configure([connectionOf(settings)]);
    expect((await send(key('a'))).json).toEqual({ messageId: 'msg_1', duplicate: true });
  });

  test('with an id that is there twice is refused: either could be meant', async () => {
    const { send } = await start(settings);
    expect(await send({ headers: ['idempotency-key', 'a', 'idempotency-key', 'b'] as never })).toMatchObject({ status: 400 });
  });

  async function startOpen(of: Settings) {
    const source = await startSource({ connections: [connectionOf(of)] });
    started.push(source.source);
    const send = async (options: object) => {
      const response = await request(source.url, { method: 'POST', body: 'x', ...options });
      return { status: response.statusCode, json: (await response.body.json()) as Record<string, unknown> };
    };
    return { ...source, send };
  }
});

describe('a body that is split', () => {
  test('into lines or entries becomes messages, in order and byte for byte, with one answer', async () => {
    const lines = await start({ split: 'lines' });
    expect((await lines.send({ body: '{"a": 1}\r\n\n{"b":2}\n', headers: { 'content-type': 'application/x-ndjson', 'x-a': '1' } })).json).toEqual({
      messageIds: ['msg_1', 'msg_2'],
    });
    expect(lines.offers.map(({ message }) => [String(Buffer.from(message.payload)), message.contentType, message.headers])).toEqual([
      ['{"a": 1}', 'application/json', [['x-a', '1']]],
      ['{"b":2}', 'application/json', [['x-a', '1']]],
    ]);
    const array = await start({ split: 'array' });
    expect((await array.send({ body: '[{"a":1.0},2]' })).json).toEqual({ messageIds: ['msg_1', 'msg_2'] });
    expect(array.offers.map(({ message }) => String(Buffer.from(message.payload)))).toEqual(['{"a":1.0}', '2']);
    expect(await array.send({ body: '[]' })).toMatchObject({ status: 202, json: { messageIds: [] } });
  });

  test.each<[Receipt['status'], number]>([
    ['unavailable', 503],
    ['exhausted', 429],
    ['too_large', 413],
  ])('is accepted whole or not at all: one part that is %s makes it %i', async (status, code) => {
    const { send } = await start({ split: 'array' }, { receipt: (i) => (i === 2 ? { status, messageId: '', retryAfterMs: 0 } : numbered(i)) });
    expect((await send({ body: '[1,2,3]' })).status).toBe(code);
  });

  test('that cannot be is refused with where, and nothing of it is stored', async () => {
    const { send, offers, refusals } = await start({ split: 'lines' });
    expect(await send({ body: '{}\nnope' })).toMatchObject({ status: 400, json: { code: 'cannot_split', detail: expect.stringContaining('Line 2') } });
    expect(await send({ body: '1\n'.repeat(1_001) })).toMatchObject({ status: 400, json: { detail: expect.stringContaining('more than 1,000') } });
    expect([offers, refusals]).toEqual([[], ['pip/src cannot_split', 'pip/src cannot_split']]);
  });

  test('comes again as a whole', async () => {
    const { send, offers } = await start({ split: 'array', deduplicate: { by: 'header', header: 'x-id' } });
    await send({ body: '[1,2]', headers: { 'x-id': 'a' } });
    expect((await send({ body: '[1,2]', headers: { 'x-id': 'a' } })).json).toEqual({ messageIds: ['msg_1', 'msg_2'], duplicate: true });
    expect(offers).toHaveLength(2);
  });
});

describe('the answer', () => {
  test.each<[Settings['answer'], number, string | undefined, string]>([
    [{ status: 200 }, 200, 'application/json', '{"messageId":"msg_1"}'],
    [{ status: 204 }, 204, undefined, ''],
    [{ status: 200, body: 'ok {{messageId}}: ☃' }, 200, 'text/plain; charset=utf-8', 'ok msg_1: ☃'],
    [{ body: '<ok/>', contentType: 'application/xml' }, 202, 'application/xml', '<ok/>'],
    [{ body: '' }, 202, 'text/plain; charset=utf-8', ''],
  ])('%j', async (answer, status, contentType, text) => {
    const { send } = await start(answer === undefined ? {} : { answer });
    const got = await send();
    expect([got.status, got.headers['content-type'], got.text]).toEqual([status, contentType, text]);
  });
});

describe('attacks', () => {
  async function raw(port: number, text: string): Promise<string> {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.end(text);
    let answer = '';
    socket.on('data', (chunk) => (answer += String(chunk)));
    // Reset or ended: what arrived before counts.
    await new Promise((resolve) => socket.once('close', resolve));
    return answer;
  }
  const post = `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\n`;

  test.each([
    ['a length and chunks at once', `${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n`],
    ['a coding that hides chunks', `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['two codings', `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`],
    ['a space before the colon', `${post}Content-Length : 0\r\n\r\n`],
    ['a folded header', `${post}X-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n`],
    ['bare line feeds', `POST /in/${PATH} HTTP/1.1\nHost: x\nContent-Length: 0\n\n`],
    ['a bare carriage return in a value', `${post}X-A: 1\rX-B: 2\r\nContent-Length: 0\r\n\r\n`],
    ['a null in a value', `${post}X-A: 1\0\r\nContent-Length: 0\r\n\r\n`],
    ['a chunk with a sign', `${post}Transfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n`],
    ['a chunk that is too long to count', `${post}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n0\r\n\r\n`],
    ['a length with a sign', `${post}Content-Length: +1\r\n\r\nx`],
    ['two hosts', `${post}Host: y\r\nContent-Length: 0\r\n\r\n`],
    ['no host', `POST /in/${PATH} HTTP/1.1\r\nContent-Length: 0\r\n\r\n`],
  ])('%s: 400 with the reason, the connection ends, and no message comes of it', async (_, text) => {
    const { port, offers } = await start({});
    const answer = await raw(port, text);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400']);
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({ status: 400, detail: expect.any(String) });
    expect(offers).toEqual([]);
  });

  test('100,000 headers are refused before they fill memory', async () => {
    const { port, offers, url } = await start({});
    const many = Array.from({ length: 100_000 }, (_, i) => `x-${i}: 1\r\n`).join('');
    // Whoever goes on sending may lose the answer with the connection.
    expect(await raw(port, `${post}${many}\r\n`)).toMatch(/^(HTTP\/1\.1 431 |$)/);
    expect(offers).toEqual([]);
    expect((await request(url, { method: 'POST', body: 'x' })).statusCode).toBe(202);
  });

  test('500 senders that drip bodies are all cut off, and every message of another connection meanwhile is taken', async () => {
    const other = connectionOf({ path: 'in_another_path' }, {}, 'pip/other');
    const slow = connectionOf({ limits: { bodyMs: 500 } });
    const { port, origin, refusals, offers } = await start({}, { connections: [slow, other], limits: { checkMs: 50 } });
    const answers: string[] = [];
    const sockets = Array.from({ length: 500 }, () => {
      const socket = net.connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => answers.push(String(chunk).slice(0, 12)));
      socket.write(`${post}Content-Length: 1000\r\n\r\nx`);
      return socket;
    });
    const drip = setInterval(() => {
      for (const socket of sockets) if (socket.writable) socket.write('x');
    }, 50);
    let taken = 0;
    await eventually(
      async () => {
        if ((await request(`${origin}/in/in_another_path`, { method: 'POST', body: 'x' })).statusCode === 202) taken++;
        return refusals.length === 500;
      },
      { timeoutMs: 20_000, everyMs: 1 },
    );
    clearInterval(drip);
    await eventually(() => answers.length >= 500);
    expect(answers.filter((text) => text === 'HTTP/1.1 408')).toHaveLength(500);
    expect(offers.map(({ message }) => message.connectionId)).toEqual(Array.from({ length: taken }, () => 'pip/other'));
    expect(taken).toBeGreaterThan(10);
    for (const socket of sockets) socket.destroy();
  });
});
