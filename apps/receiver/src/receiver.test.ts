import { request as httpRequest } from 'node:http';
import { limits } from '@vrsky/contracts/limits';
import { type ReceivedRequest, receiverBin } from '@vrsky/contracts/receiver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createReceiver, type Receiver } from './receiver.ts';

const key = 'a key of the test';
let receiver: Receiver;
let nextTenant = 0;

beforeAll(async () => {
  receiver = createReceiver({ host: '127.0.0.1', port: 0, key });
  await receiver.start?.(new AbortController().signal);
});
afterAll(() => receiver[Symbol.asyncDispose]());

const newBin = (): string => `${receiver.url()}/${receiverBin(key, `cus_${nextTenant++}`)}`;

async function list(bin: string, query = ''): Promise<ReceivedRequest[]> {
  const response = await fetch(bin + query, { headers: { accept: 'application/json' } });
  return ((await response.json()) as { requests: ReceivedRequest[] }).requests;
}

describe('the test receiver', () => {
  it('stores a request of any method with path, headers and exact body, and lists it newest last', async () => {
    const bin = newBin();
    const body = Buffer.from([0, 255, 10, 13]);
    const answer = await fetch(`${bin}/orders?x=1`, { method: 'PATCH', headers: { 'content-type': 'application/octet-stream', 'x-mark': 'one' }, body });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toContain('application/json');
    await fetch(bin, { method: 'DELETE' });

    const requests = await list(bin);
    expect(requests.map((item) => item.method)).toEqual(['PATCH', 'DELETE']);
    expect(new URL(requests[0]?.url ?? '', bin).search).toBe('?x=1');
    expect(requests[0]?.headers['x-mark']).toBe('one');
    expect(Buffer.from(requests[0]?.bodyBase64 ?? '', 'base64')).toEqual(body);
    expect(Math.abs(Date.parse(requests[0]?.receivedAt ?? '') - Date.now())).toBeLessThan(60_000);
  });

  it('keeps the last 1,000 requests and no more', async () => {
    const bin = newBin();
    for (let i = 0; i < 1_010; i += 10)
      await Promise.all(Array.from({ length: 10 }, (_, k) => fetch(`${bin}?n=${i + k}`, { method: 'POST', body: String(i + k) })));
    const requests = await list(bin);
    expect(requests).toHaveLength(limits.receiverRequestsMax);
    expect(await list(bin, '?limit=3')).toEqual(requests.slice(-3));
  });

  it('does not list one bin in another', async () => {
    const mine = newBin();
    await fetch(mine, { method: 'POST', body: 'mine' });
    expect(await list(newBin())).toEqual([]);
  });

  it('knows no bin whose tag it did not make', async () => {
    const made = receiverBin('another key', 'cus_0');
    for (const path of [made, 'cus_0', '', 'cus_0.0000', 'live.x']) {
      const response = await fetch(`${receiver.url()}/${path}`, { method: 'POST', body: '{}' });
      expect(response.status).toBe(404);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
    }
  });

  it('refuses a body over the limit, whether its length is told or not, and stores nothing', async () => {
    const bin = newBin();
    const body = Buffer.alloc(limits.payloadBytesMax + 1);
    expect((await fetch(bin, { method: 'POST', body })).status).toBe(413);
    expect(await postChunked(bin, body)).toBe(413);
    expect((await fetch(bin, { method: 'POST', body: body.subarray(1) })).status).toBe(200);
    expect(await list(bin)).toHaveLength(1);
  });

  it('answers with the status, delay and Retry-After that the URL asks for', async () => {
    const bin = newBin();
    const limited = await fetch(`${bin}?status=429&retryAfter=7&delayMs=20`, { method: 'POST' });
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '7']);
    expect((await fetch(`${bin}?status=999`, { method: 'POST' })).status).toBe(400);
  });

  it('answers with the text that the URL asks for, or with what was sent', async () => {
    const bin = newBin();
    const json = await fetch(`${bin}?answer=${encodeURIComponent('{"customer":"Ann"}')}`, { method: 'POST', body: 'x' });
    expect([json.headers.get('content-type'), await json.json()]).toEqual(['application/json', { customer: 'Ann' }]);
    const text = await fetch(`${bin}?answer=Gr%C3%BC%C3%9Fe&status=201`, { method: 'POST' });
    expect([text.status, text.headers.get('content-type'), await text.text()]).toEqual([201, 'text/plain; charset=utf-8', 'Grüße']);
    const echo = await fetch(`${bin}?echo`, { method: 'POST', headers: { 'content-type': 'text/csv' }, body: 'a,b' });
    expect([echo.headers.get('content-type'), await echo.text()]).toEqual(['text/csv', 'a,b']);
    expect((await fetch(`${bin}?echo&status=204`, { method: 'POST', body: 'x' })).status).toBe(204);
    expect(await (await fetch(`${bin}?answer=x&status=500`, { method: 'POST' })).json()).toMatchObject({ answeredOnRequest: 500 });
  });

  it('recovers after failTimes tries of one Idempotency-Key', async () => {
    const bin = `${newBin()}?failTimes=2`;
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await fetch(bin, { method: 'POST', headers: { 'idempotency-key': 'msg_1' } })).status);
    expect(statuses).toEqual([500, 500, 200]);
    expect((await fetch(bin, { method: 'POST', headers: { 'idempotency-key': 'msg_2' } })).status).toBe(500);
  });

  it('streams arrivals as server-sent events, and forgets a reader who leaves', async () => {
    const bin = newBin();
    const abort = new AbortController();
    const stream = await fetch(`${bin}/events`, { signal: abort.signal });
    expect(stream.headers.get('content-type')).toBe('text/event-stream');
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    await fetch(bin, { method: 'POST', body: '1' });
    let text = '';
    while (!text.includes('event: arrival')) text += (await reader?.read())?.value ?? '';
    expect(text).toContain('data: {"count":1}');
    abort.abort();
    expect((await fetch(bin, { method: 'POST', body: '2' })).status).toBe(200);
  });
});

function postChunked(url: string, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method: 'POST' }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', reject);
    request.write(body);
    request.end();
  });
}
