import { expect, test } from 'vitest';
import { createRecent } from './recent.ts';

test('the newest keys are known, the oldest is forgotten first', () => {
  const recent = createRecent(2);
  for (const key of ['a', 'b', 'c']) recent.add(key);
  expect(['a', 'b', 'c'].map(recent.has)).toEqual([false, true, true]);
});
