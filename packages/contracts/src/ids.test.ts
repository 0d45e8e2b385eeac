import { expect, test } from 'vitest';
import { isId, newId, newInletPath } from './ids.ts';

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
