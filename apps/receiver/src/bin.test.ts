import { expect, it } from 'vitest';
import { createBin, type KeptRequest, toReceivedRequest } from './bin.ts';

const request = (bytes: number, mark: string): KeptRequest => ({ receivedAtMs: 0, method: 'POST', url: `/${mark}`, rawHeaders: [], body: Buffer.alloc(bytes) });

it('a bin never holds more bytes than its bound, but always the newest request', () => {
  const bin = createBin({ requestsMax: 10, bytesMax: 1_000 });
  for (const mark of ['a', 'b', 'c', 'd']) bin.add(request(400, mark));
  expect(bin.list(10).map((item) => item.url)).toEqual(['/c', '/d']);
  bin.add(request(5_000, 'e'));
  expect(bin.list(10).map((item) => item.url)).toEqual(['/e']);
});

it('repeated headers are joined and a header called __proto__ is only a header', () => {
  const kept = { ...request(0, 'x'), rawHeaders: ['X-A', '1', 'x-a', '2', '__proto__', 'p'] };
  const { headers } = toReceivedRequest(kept);
  expect(headers['x-a']).toBe('1, 2');
  expect(JSON.stringify(headers)).toBe('{"x-a":"1, 2","__proto__":"p"}');
});
