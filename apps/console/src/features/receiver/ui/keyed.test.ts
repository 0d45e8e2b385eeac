import { expect, test } from 'vitest';
import { keyed } from './keyed.ts';

const request = (receivedAt: string) => ({ receivedAt, method: 'POST', url: '/', headers: {}, text: null, bodyBase64: '', bytes: 0 });

test('requests of the same millisecond have keys of their own, and keep them when newer ones come in', () => {
  const before = keyed([request('t1'), request('t1')]).map((item) => item.key);
  const after = keyed([request('t2'), request('t1'), request('t1')]).map((item) => item.key);
  expect(before).toEqual(['t1.1', 't1']);
  expect(after).toEqual(['t2', ...before]);
});
