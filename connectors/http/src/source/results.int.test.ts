import { once } from 'node:events';
import net from 'node:net';
import { eventually } from '@vrsky/testkit/eventually';
import { type Dispatcher, request } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import type { HttpSource, SourceLimits } from './http-source.ts';
import { connectionOf, numbered, PATH, startSource } from './source.test-support.ts';

const sources: HttpSource[] = [];
afterEach(async () => {
  for (const source of sources.splice(0)) await source.close();
});

async function start(limits: Partial<SourceLimits> = {}, settings: Parameters<typeof connectionOf>[0] = {}) {
  const started = await startSource({ limits, receipt: numbered, connections: [{ ...connectionOf(settings), replyWithinMs: 5_000 }] });
  sources.push(started.source);
  const { offers, url } = started;
  const post = (headers: Record<string, string> = {}) => request(url, { method: 'POST', body: '{}', headers });
  const offered = (n: number) => eventually(() => offers[n - 1] ?? false);
  return { ...started, post, offered };
}
const read = async (answer: Promise<Dispatcher.ResponseData>) => {
  const { statusCode, headers, body } = await answer;
  return {
    status: statusCode,
    type: headers['content-type'],
    result: headers['vrsky-result'],
    id: headers['vrsky-message-id'],
    text: await body.text(),
    headers,
  };
};

describe('a sender that waits for the result', () => {
  test('gets it with its content type, its id, and guarded against being taken for the platform’s word', async () => {
    const { post, offered } = await start();
    const answer = post();
    const { message, reply } = await offered(1);
    expect(message.replyWithinMs).toBe(5_000);
    reply({ payload: Buffer.from('<b>made</b>'), contentType: 'text/html; charset=utf-8' });
    const { headers, ...rest } = await read(answer);
    expect(rest).toEqual({ status: 200, type: 'text/html; charset=utf-8', result: 'done', id: 'msg_1', text: '<b>made</b>' });
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'content-security-policy': 'sandbox', 'cache-control': 'no-store' });
  });

  test.each([
    [201, 201, 'made'],
    [203, 203, 'made'],
    [204, 204, ''],
    [206, 200, 'made'],
    [302, 200, 'made'],
    [0, 200, 'made'],
  ])('whose receiver answered %i gets %i', async (peerStatus, status, text) => {
    const { post, offered } = await start();
    const answer = post();
    (await offered(1)).reply({ payload: Buffer.from('made'), contentType: 'text/plain', peerStatus });
    expect(await read(answer)).toMatchObject({ status, text, id: 'msg_1' });
  });

  test('is told in words what failed, and where the message is kept', async () => {
    const { post, offered } = await start();
    const answer = post();
    (await offered(1)).reply({ status: 'failed', code: 'http_500', reason: 'The receiver answered 500.' });
    const { text, ...rest } = await read(answer);
    expect(rest).toMatchObject({ status: 502, type: 'application/problem+json', result: 'failed', id: 'msg_1' });
    expect(JSON.parse(text)).toEqual({
      type: 'urn:vrsky:problem:pipeline_failed',
      title: 'The pipeline failed',
      status: 502,
      detail:
        'The message was stored, but the pipeline failed: The receiver answered 500. It is kept as a dead letter under its id, from where it can be sent on: do not send it again.',
      code: 'pipeline_failed',
      reasonCode: 'http_500',
      messageId: 'msg_1',
    });
  });

  test.each([
    ['filtered', 204, ''],
    ['pending', 202, '{"messageId":"msg_1"}'],
    ['too_large', 202, '{"messageId":"msg_1"}'],
  ] as const)('of a message that is %s gets %i', async (status, code, text) => {
    const { post, offered } = await start({}, { answer: { status: 200, body: 'not this' } });
    const answer = post();
    (await offered(1)).reply({ status });
    expect(await read(answer)).toMatchObject({ status: code, text, result: status, id: 'msg_1' });
  });

  test.each(['text/plain\r\nset-cookie: a=1', 'text/plain\u0000', 'nonsense', '', 'text/\u{1F600}', `text/${'x'.repeat(300)}`])(
    'is not fooled by what a result calls itself: %j',
    async (contentType) => {
      const { post, offered } = await start();
      const answer = post();
      (await offered(1)).reply({ payload: Buffer.from('made'), contentType });
      const { type, headers, text } = await read(answer);
      expect({ type, text }).toEqual({ type: 'application/octet-stream', text: 'made' });
      expect(headers['set-cookie']).toBeUndefined();
    },
  );

  test('whose message comes again gets the one result with both, and afterwards only that it is a repeat', async () => {
    const { post, offered, offers } = await start({}, { deduplicate: { by: 'header', header: 'x-id' } });
    const first = post({ 'x-id': 'a' });
    const { reply } = await offered(1);
    const second = post({ 'x-id': 'a' });
    const other = post({ 'x-id': 'b' });
    (await offered(2)).reply({ status: 'filtered' });
    await other; // the server has read the repeat before it
    reply({ payload: Buffer.from('made'), contentType: 'text/plain' });
    expect(await read(first)).toMatchObject({ status: 200, text: 'made', id: 'msg_1' });
    expect(await read(second)).toMatchObject({ status: 200, text: 'made', id: 'msg_1' });
    expect(await read(post({ 'x-id': 'a' }))).toMatchObject({ status: 202, text: '{"messageId":"msg_1","duplicate":true}', id: 'msg_1', result: undefined });
    expect(offers).toHaveLength(2);
  });

  test('and gave up finds the result with its repeat, when that comes in time', async () => {
    const { url, post, offered } = await start({}, { deduplicate: { by: 'header', header: 'x-id' } });
    const impatient = new AbortController();
    const first = request(url, { method: 'POST', body: '{}', headers: { 'x-id': 'a' }, signal: impatient.signal });
    const { reply } = await offered(1);
    impatient.abort();
    await expect(first).rejects.toThrow();
    const repeat = post({ 'x-id': 'a' });
    const other = post({ 'x-id': 'b' });
    (await offered(2)).reply({});
    await other; // the server has read the repeat before it
    reply({ payload: Buffer.from('made'), contentType: 'text/plain' });
    expect(await read(repeat)).toMatchObject({ status: 200, text: 'made', id: 'msg_1' });
  });
});

describe('many who wait', () => {
  test('have a bound: who comes beyond it is told at once that the result is pending, and who leaves makes room', async () => {
    const { url, post, offered } = await start({ resultsPerConnection: 1 });
    const leaving = new AbortController();
    const first = request(url, { method: 'POST', body: '{}', signal: leaving.signal });
    await offered(1);
    expect(await read(post())).toMatchObject({ status: 202, result: 'pending', id: 'msg_2' });
    leaving.abort();
    await expect(first).rejects.toThrow();
    let n = 2;
    await eventually(async () => {
      const answer = post();
      (await offered(++n)).reply({});
      return (await read(answer)).result === 'done';
    });
  });

  test('over one connection hear in the order in which they asked', async () => {
    const { port, offered } = await start();
    const socket = net.connect(port, '127.0.0.1');
    const ask = `POST /in/${PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}`;
    socket.write(ask + ask);
    const [first, second] = [await offered(1), await offered(2)];
    second.reply({ payload: Buffer.from('second') });
    first.reply({ payload: Buffer.from('first') });
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    await eventually(() => text.includes('second'));
    expect(text.match(/first|second/g)).toEqual(['first', 'second']);
    socket.destroy();
  });

  test('are told that it is pending when the connector drains, which then ends', async () => {
    const { source, post, offered } = await start();
    const answers = [post(), post()];
    await offered(2);
    await source.drain();
    for (const answer of answers) expect(await read(answer)).toMatchObject({ status: 202, result: 'pending', headers: { connection: 'close' } });
  });
});

describe('a sender that does not take its result', () => {
  async function ask(port: number) {
    const socket = net.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`POST /in/${PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}`);
    return socket;
  }

  test('is cut off, and its result is no longer kept', async () => {
    const { port, offered, post } = await start({ sendMs: 100, checkMs: 20, resultBytes: 20_000_000 });
    const socket = await ask(port);
    socket.pause();
    (await offered(1)).reply({ payload: Buffer.alloc(16_000_000) });
    const large = async (n: number) => {
      const answer = post();
      (await offered(n)).reply({ payload: Buffer.alloc(16_000_000) });
      const { statusCode, headers, body } = await answer;
      await body.dump({ limit: 20_000_000 });
      return `${statusCode} ${headers['vrsky-result']}`;
    };
    // While it is kept there is no room for another one.
    expect(await large(2)).toBe('202 pending');
    let n = 2;
    await eventually(async () => (await large(++n)) === '200 done');
    socket.destroy();
  });
});
