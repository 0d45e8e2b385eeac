import { once } from 'node:events';
import net from 'node:net';
import type { Receipt } from '@vrsky/sdk/connector';
import { eventually } from '@vrsky/testkit/eventually';
import { request } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import { type HttpSource, listenHttpSource, type SourceLimits } from './http-source.ts';
import { PATH, startSource, stored } from './source.test-support.ts';

const sources: HttpSource[] = [];
afterEach(async () => {
  for (const source of sources.splice(0)) await source.close();
});

describe('a message', () => {
  test('is answered 202 with its id, and only after the platform’s word', async () => {
    const { url, offers } = await start();
    const answer = request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-github-event': 'push', authorization: 'Bearer secret', 'customer-id': 'cus_forged' },
      body: '{"a":1}',
    });
    const offer = await eventually(() => offers[0] ?? false);
    expect(offer.message).toMatchObject({ connectionId: 'pip/src', contentType: 'application/json', traceparent: '' });
    expect(offer.message.headers).toEqual([['x-github-event', 'push']]);
    expect(Buffer.from(offer.message.payload).toString()).toBe('{"a":1}');
    expect(await Promise.race([answer.then(() => 'answered'), settled().then(() => 'waiting')])).toBe('waiting');
    offer.answer(stored);
    const response = await answer;
    expect(response.statusCode).toBe(202);
    expect(response.headers['content-type']).toBe('application/json');
    expect(await response.body.json()).toEqual({ messageId: 'msg_1' });
  });

  test.each([0, 1, 65_536, 1_048_576])('of %i bytes arrives byte for byte, by PUT and in chunks too', async (length) => {
    const { url, offers } = await start({}, stored);
    const body = Buffer.from(Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255));
    expect((await request(url, { method: 'PUT', body })).statusCode).toBe(202);
    async function* chunks() {
      for (let i = 0; i < body.length; i += 50_000) yield body.subarray(i, i + 50_000);
    }
    expect((await request(url, { method: 'POST', body: chunks() as never })).statusCode).toBe(202);
    expect(offers).toHaveLength(2);
    for (const { message } of offers) expect(Buffer.compare(Buffer.from(message.payload), body)).toBe(0);
  });

  test('keeps the sender’s trace context', async () => {
    const { url, offers } = await start({}, stored);
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await request(url, { method: 'POST', headers: { traceparent, tracestate: 'a=1' }, body: 'x' });
    expect(offers[0]?.message).toMatchObject({ traceparent, tracestate: 'a=1' });
  });

  test('may have a query in its URL', async () => {
    const { url } = await start({}, stored);
    expect((await request(`${url}?token=1`, { method: 'POST', body: 'x' })).statusCode).toBe(202);
  });

  test.each<[Receipt, number, string | undefined]>([
    [{ status: 'unavailable', messageId: '', retryAfterMs: 2_500 }, 503, '3'],
    [{ status: 'unavailable', messageId: '', retryAfterMs: 0 }, 503, '1'],
    [{ status: 'exhausted', messageId: '', retryAfterMs: 0 }, 429, '30'],
    [{ status: 'too_large', messageId: '', retryAfterMs: 0 }, 413, undefined],
    [{ status: 'not_found', messageId: '', retryAfterMs: 0 }, 404, undefined],
  ])('that is not stored (%j) is answered %i', async (receipt, status, retryAfter) => {
    const { url } = await start({}, receipt);
    const response = await request(url, { method: 'POST', body: 'x' });
    expect(response.statusCode).toBe(status);
    expect(response.headers['retry-after']).toBe(retryAfter);
    await expectProblem(response, status);
  });

  test('that nobody decides about is answered 503 after a while, and a late word goes nowhere', async () => {
    const { url, offers } = await start({ receiptMs: 50, checkMs: 20 });
    const response = await request(url, { method: 'POST', body: 'x' });
    expect(response.statusCode).toBe(503);
    offers[0]?.answer(stored);
    await expectProblem(response, 503);
  });

  test('whose sender went away in the meantime harms nobody', async () => {
    const { port, offers } = await start();
    const socket = net.connect(port, '127.0.0.1');
    socket.write(`POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx`);
    const offer = await eventually(() => offers[0] ?? false);
    socket.destroy();
    await settled();
    offer.answer(stored);
    const next = raw(port, `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nagain`);
    (await eventually(() => offers[1] ?? false)).answer(stored);
    expect(await next).toMatch(/^HTTP\/1\.1 202 Accepted/);
  });
});

describe('a refusal names the problem', () => {
  test('404 for a URL nobody listens on, whatever the method', async () => {
    const { origin } = await start({}, stored);
    for (const path of ['/', '/in/', '/in/in_unknown', `/in/${PATH}/more`, `/IN/${PATH}`, '/metrics']) {
      const response = await request(origin + path, { method: 'POST', body: 'x' });
      expect(response.statusCode, path).toBe(404);
      await expectProblem(response, 404);
    }
    expect((await request(`${origin}/in/in_unknown`)).statusCode).toBe(404);
  });

  test('405 with Allow for another method, and a GET says how it is done', async () => {
    const { url } = await start({}, stored);
    for (const method of ['GET', 'DELETE', 'PATCH', 'OPTIONS'] as const) {
      const response = await request(url, { method });
      expect(response.statusCode, method).toBe(405);
      expect(response.headers.allow).toBe('POST, PUT');
      expect((await expectProblem(response, 405)).detail).toMatch(/POST or PUT, for example `curl/);
    }
  });

  test('413 for a declared 2 MB, without reading it, and the connection ends', async () => {
    const { url, offers } = await start({}, stored);
    const response = await request(url, { method: 'POST', body: Buffer.alloc(2_000_000) });
    expect(response.statusCode).toBe(413);
    await expectProblem(response, 413);
    expect(offers).toEqual([]);
  });

  test('413 for one byte too many in chunks, although no length was declared', async () => {
    const { url, offers } = await start({}, stored);
    async function* chunks() {
      for (let i = 0; i < 16; i++) yield Buffer.alloc(65_536);
      yield Buffer.alloc(1);
    }
    const response = await request(url, { method: 'POST', body: chunks() as never });
    expect(response.statusCode).toBe(413);
    await expectProblem(response, 413);
    expect(offers).toEqual([]);
  });

  test('413 instead of 100 Continue when the sender asks first', async () => {
    const { port } = await start({}, stored);
    const answer = await raw(port, `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('and 100 Continue when the size is right', async () => {
    const { port } = await start({}, stored);
    const answer = await raw(port, `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx`);
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 202 /);
  });

  test('415 for a compressed body', async () => {
    const { url } = await start({}, stored);
    expect((await request(url, { method: 'POST', headers: { 'content-encoding': 'gzip' }, body: 'x' })).statusCode).toBe(415);
  });

  test.each([
    ['broken chunked encoding', `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n`, 400],
    ['a chunk longer than it says', `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n`, 400],
    [
      'both a length and chunks (request smuggling)',
      `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ['two lengths', `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello`, 400],
    ['a negative length', `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n`, 400],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 400],
    ['a header line without a colon', `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n`, 400],
    ['17 KiB of headers', `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nx-a: ${'a'.repeat(17_000)}\r\n\r\n`, 431],
    [
      '120 headers',
      `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${Array.from({ length: 120 }, (_, i) => `x-${i}: 1\r\n`).join('')}Content-Length: 0\r\n\r\n`,
      431,
    ],
    ['an expectation we do not know', `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: tea\r\nContent-Length: 0\r\n\r\n`, 417],
  ])('%s', async (_, text, status) => {
    const { port, offers } = await start({}, stored);
    const answer = await raw(port, text);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(head).toMatch(/content-type: application\/problem\+json/i);
    expect(JSON.parse(body)).toMatchObject({ status, detail: expect.any(String) });
    expect(offers).toEqual([]);
  });

  test('503 as long as it does not know its URLs, since then no URL is wrong for good', async () => {
    const { url } = await start({}, stored, false);
    const response = await request(url, { method: 'POST', body: 'x' });
    expect(response.statusCode).toBe(503);
    expect(response.headers['retry-after']).toBe('1');
  });

  test('503 when bodies fill the memory they may have', async () => {
    const { url, offers } = await start({ bodyBytes: 100_000 });
    const first = request(url, { method: 'POST', body: Buffer.alloc(60_000) });
    const offer = await eventually(() => offers[0] ?? false);
    expect((await request(url, { method: 'POST', body: Buffer.alloc(60_000) })).statusCode).toBe(503);
    offer.answer(stored);
    expect((await first).statusCode).toBe(202);
    const third = request(url, { method: 'POST', body: Buffer.alloc(60_000) });
    (await eventually(() => offers[1] ?? false)).answer(stored);
    expect((await third).statusCode).toBe(202);
  });
});

describe('a connection', () => {
  test('carries many messages, and goes on after a refusal', async () => {
    const { port } = await start({}, stored);
    const post = `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx`;
    const socket = net.connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    for (const [i, part] of [post, 'POST /in/nope HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n', post].entries()) {
      socket.write(part);
      await eventually(() => text.split('HTTP/1.1 ').length === i + 2);
    }
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 202', 'HTTP/1.1 404', 'HTTP/1.1 202']);
    socket.destroy();
  });

  test('may bring many messages at once: the answers keep their order, whichever is stored first', async () => {
    const { port, offers } = await start();
    const post = (body: string): string => `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const socket = net.connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.write(`${post('a')}POST /in/nope HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n${post('bb')}${post('ccc')}`);
    await eventually(() => offers.length === 3);
    for (const i of [2, 0, 1]) offers[i]?.answer({ ...stored, messageId: `msg_${String(offers[i]?.message.payload)}` });
    await eventually(() => text.includes('msg_ccc'));
    expect(text.match(/HTTP\/1\.1 \d+|msg_\w+/g)).toEqual(['HTTP/1.1 202', 'msg_a', 'HTTP/1.1 404', 'HTTP/1.1 202', 'msg_bb', 'HTTP/1.1 202', 'msg_ccc']);
    socket.destroy();
  });

  test('that brings nonsense behind a whole message: the message gets its own answer, not the one for the nonsense', async () => {
    const { port, offers } = await start();
    const answer = raw(port, `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nxNONSENSE\r\n\r\n`);
    (await eventually(() => offers[0] ?? false)).answer(stored);
    expect((await answer).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 202']);
  });

  test('whose headers drip in is ended with 408', async () => {
    const { port } = await start({ headersMs: 200, checkMs: 50 });
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    const drip = setInterval(() => socket.write('x'), 20);
    socket.write(`POST /in/${PATH} HTTP/1.1\r\nx-slow: `);
    const text = await readAll(socket);
    clearInterval(drip);
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('whose body drips in is ended with 408, and its memory is given back', async () => {
    const { port, url, offers } = await start({ headersMs: 100, requestMs: 300, checkMs: 50, bodyBytes: 1_000 }, stored);
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n${'x'.repeat(800)}`);
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 408 /);
    await eventually(async () => (await request(url, { method: 'POST', body: Buffer.alloc(900) })).statusCode === 202);
    expect(offers.every(({ message }) => message.payload.length === 900)).toBe(true);
  });

  test('beyond the most that are allowed is refused; those below go on', async () => {
    const { port, url } = await start({ connections: 2 }, stored);
    const held = [net.connect(port, '127.0.0.1'), net.connect(port, '127.0.0.1')];
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    const third = net.connect(port, '127.0.0.1');
    third.on('error', () => undefined);
    await once(third, 'close');
    held[0]?.destroy();
    await eventually(async () => (await request(url, { method: 'POST', body: 'x' })).statusCode === 202);
    held[1]?.destroy();
  });

  test('500 senders that drip do not hold up the others', async () => {
    const { port, url } = await start({}, stored);
    const slow = Array.from({ length: 500 }, () => {
      const socket = net.connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write('POST / HTTP/1.1\r\nx: ');
      return socket;
    });
    for (let i = 0; i < 100; i++) expect((await request(url, { method: 'POST', body: 'x' })).statusCode).toBe(202);
    for (const socket of slow) socket.destroy();
  });
});

test('drained, it answers what it has, refuses what comes, and lets go of every connection', async () => {
  const { port, offers, source } = await start();
  const idle = net.connect(port, '127.0.0.1');
  await once(idle, 'connect');
  const answer = raw(port, `POST /in/${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx`);
  const offer = await eventually(() => offers[0] ?? false);
  const drained = source.drain();
  offer.answer(stored);
  expect(await answer).toMatch(/^HTTP\/1\.1 202 /);
  await drained;
  idle.destroy();
  await expect(raw(port, 'GET / HTTP/1.1\r\n\r\n')).rejects.toThrow();
});

test('a busy port is an error that names it', async () => {
  const { port } = await start();
  await expect(listenHttpSource({ listen: { host: '127.0.0.1', port }, intake: { offer: () => undefined } })).rejects.toThrow(/EADDRINUSE.*127\.0\.0\.1/);
});

async function start(limits: Partial<SourceLimits> = {}, receipt?: Receipt, routed = true) {
  const started = await startSource({ limits, ...(receipt === undefined ? {} : { receipt }), ...(routed ? {} : { connections: [] }) });
  sources.push(started.source);
  return started;
}

async function raw(port: number, text: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(text);
  return await readAll(socket);
}

/** Until the other end closes, or says nothing more although it keeps the connection. */
async function readAll(socket: net.Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => (text += String(chunk)));
  await new Promise<void>((resolve, reject) => {
    socket.once('close', resolve);
    socket.once('error', (error) => (text === '' ? reject(error) : resolve()));
    const poll = setInterval(() => {
      if (!isWhole(text)) return;
      clearInterval(poll);
      socket.destroy();
    }, 20);
    socket.once('close', () => clearInterval(poll));
  });
  return text;
}

/** A final answer with all of its body. */
function isWhole(text: string): boolean {
  const final = text.slice(text.lastIndexOf('HTTP/1.1 '));
  const [head = '', body] = final.split('\r\n\r\n');
  const length = /content-length: (\d+)/i.exec(head)?.[1];
  return body !== undefined && length !== undefined && body.length >= Number(length);
}

async function expectProblem(
  response: { headers: Record<string, string | string[] | undefined>; body: { json(): Promise<unknown> } },
  status: number,
): Promise<{ detail: string }> {
  expect(response.headers['content-type']).toBe('application/problem+json');
  const problem = (await response.body.json()) as { detail: string };
  expect(problem).toMatchObject({
    type: expect.stringMatching(/^urn:vrsky:problem:/),
    title: expect.any(String),
    status,
    detail: expect.stringMatching(/\.$/),
  });
  return problem;
}

/** Long enough for an answer on loopback that would come by itself. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}
