import { expect, test } from 'vitest';
import { withinTime } from './within-time.ts';

test('what takes for ever is ended, and what comes after runs', () => {
  expect(withinTime(50, () => /^(a+)+$/.test(`${'a'.repeat(40)}b`))).toBeNull();
  expect(withinTime(50, () => [1, 2].map((x) => x * 2))).toEqual({ value: [2, 4] });
});

test('an error is the caller’s', () => {
  expect(() => withinTime(50, () => JSON.parse('{'))).toThrow(SyntaxError);
});
