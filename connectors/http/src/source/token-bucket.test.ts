import { expect, test } from 'vitest';
import { createTokenBucket } from './token-bucket.ts';

test('a burst passes at once, then as many a second as are allowed; the wait says when the next may', () => {
  const bucket = createTokenBucket({ perSecond: 2, burst: 3 });
  expect([0, 0, 0, 0].map((atMs) => bucket.take(1_000 + atMs))).toEqual([0, 0, 0, 500]);
  expect(bucket.take(1_400)).toBe(100);
  expect(bucket.take(1_500)).toBe(0);
  expect(bucket.take(1_500)).toBe(500);
});

test('a long pause gives one burst and no more', () => {
  const bucket = createTokenBucket({ perSecond: 10, burst: 2 });
  bucket.take(0);
  expect([1, 2, 3].map(() => bucket.take(1e9))).toEqual([0, 0, 100]);
});

test('less than one a second works', () => {
  const bucket = createTokenBucket({ perSecond: 0.1, burst: 1 });
  expect([bucket.take(0), bucket.take(0), bucket.take(10_000)]).toEqual([0, 10_000, 0]);
});
