import { expect, test } from 'vitest';
import { createRestartPolicy } from './restart-policy.ts';

test('the first restart is immediate, the next ones wait longer and longer', () => {
  const policy = createRestartPolicy(() => 1);
  expect([policy.ended(0), policy.ended(0), policy.ended(0)].map((end) => end.delayMs)).toEqual([100, 200, 400]);
});

test('after eight quick ends in a row the breaker opens for a minute, and closes with the first healthy run', () => {
  const policy = createRestartPolicy(() => 1);
  for (let i = 0; i < 7; i++) expect(policy.ended(9_999).isOpen).toBe(false);
  expect(policy.ended(50)).toEqual({ delayMs: 60_000, isOpen: true });
  expect(policy.ended(50)).toEqual({ delayMs: 60_000, isOpen: true });
  expect(policy.ended(10_000)).toEqual({ delayMs: 100, isOpen: false });
});
