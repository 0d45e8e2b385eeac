import { describe, expect, it } from 'vitest';
import { createAttemptLimit } from './attempt-limit.ts';

describe('the limit of failed tries', () => {
  it('makes a key wait after its failures, until the window is over, and other keys not at all', () => {
    let now = 0;
    const limit = createAttemptLimit({ failuresMax: 3, windowMs: 1_000, keysMax: 10, clock: { nowMs: () => now } });
    for (let i = 0; i < 3; i++) {
      expect(limit.waitMs('ada')).toBe(0);
      limit.failed('ada');
    }
    now = 400;
    expect(limit.waitMs('ada')).toBe(600);
    expect(limit.waitMs('grace')).toBe(0);
    now = 1_000;
    expect(limit.waitMs('ada')).toBe(0);
  });

  it('forgets failures after a success', () => {
    const limit = createAttemptLimit({ failuresMax: 1, windowMs: 1_000, keysMax: 10, clock: { nowMs: () => 0 } });
    limit.failed('ada');
    limit.succeeded('ada');
    expect(limit.waitMs('ada')).toBe(0);
  });

  it('remembers no more keys than its bound, and drops the one that failed longest ago', () => {
    const limit = createAttemptLimit({ failuresMax: 1, windowMs: 1_000, keysMax: 2, clock: { nowMs: () => 0 } });
    for (const key of ['a', 'b', 'a', 'c']) limit.failed(key);
    expect(['a', 'b', 'c'].map((key) => limit.waitMs(key) > 0)).toEqual([true, false, true]);
  });
});
