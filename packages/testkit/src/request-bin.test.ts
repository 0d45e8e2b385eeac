import { expect, test } from 'vitest';
import { requestBin } from './request-bin.ts';

const send = (url: string, body = 'x', msMax = 30_000): Promise<Response> => fetch(url, { method: 'POST', body, signal: AbortSignal.timeout(msMax) });

test('a bin keeps what arrived and answers as told', async () => {
  await using bin = await requestBin();
  bin.behave((_, count) => (count === 1 ? { status: 503, headers: { 'retry-after': '1' } } : { status: 201, body: 'kept' }));
  const first = await send(`${bin.url}/a`, 'one');
  const second = await send(`${bin.url}/b`, 'two');
  expect([first.status, first.headers.get('retry-after'), second.status, await second.text()]).toEqual([503, '1', 201, 'kept']);
  expect((await bin.waitFor(2)).map((request) => `${request.method} ${request.url} ${request.body}`)).toEqual(['POST /a one', 'POST /b two']);
});

test('a bin hangs, breaks connections, goes down and comes back on its port', async () => {
  await using bin = await requestBin();
  bin.behave({ hang: true });
  await expect(send(bin.url, 'x', 300)).rejects.toThrow(/timeout/);
  bin.behave({ reset: true });
  await expect(send(bin.url)).rejects.toThrow(/fetch failed/);
  await bin.down();
  await expect(send(bin.url)).rejects.toThrow(/fetch failed/);
  await bin.up();
  bin.behave({});
  expect((await send(bin.url)).status).toBe(200);
});
