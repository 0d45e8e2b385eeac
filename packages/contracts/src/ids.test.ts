import { expect, test } from 'vitest';
import { answerId, isId, newId, newInletPath } from './ids.ts';

test('ids of one kind sort by age', () => {
  const ids = [1_000, 2_000_000, 1_780_000_000_000].map((nowMs) => newId('msg', nowMs));
  expect([...ids].sort()).toEqual(ids);
});

test('ten thousand ids of one moment differ', () => {
  expect(new Set(Array.from({ length: 10_000 }, () => newId('msg', 5))).size).toBe(10_000);
});

test('an id is known by its kind', () => {
  expect(isId('pip', newId('pip'))).toBe(true);
  expect(isId('pip', newId('nod'))).toBe(false);
  expect(isId('pip', 'pip_../../etc/passwd')).toBe(false);
  expect(newInletPath()).toMatch(/^in_[0-9a-hjkmnp-tv-z]{24}$/);
});

test('an answer has the same id each time, another one for each destination and message, and sorts beside its message', () => {
  const [first, second] = [newId('msg', 5_000), newId('msg', 6_000)];
  const ids = [answerId(first, 'a'), answerId(first, 'b'), answerId(answerId(first, 'a'), 'a'), answerId(second, 'a')];
  expect(answerId(first, 'a')).toBe(ids[0]);
  expect(new Set([first, second, ...ids]).size).toBe(6);
  expect(ids.every((id) => isId('msg', id))).toBe(true);
  expect(ids.slice(0, 3).every((id) => id < second)).toBe(true);
});
