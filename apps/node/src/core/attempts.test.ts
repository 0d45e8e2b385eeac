import { describe, expect, test } from 'vitest';
import { type AttemptOutcome, type AttemptState, connectorFailuresMax, judgeAttempt, retryAfterMsMax } from './attempts.ts';

const failed = (part: Partial<AttemptOutcome> = {}): AttemptOutcome => ({
  status: 'retryable',
  source: 'downstream',
  code: 'http_500',
  reason: 'The receiver answered 500.',
  retryAfterMs: 0,
  ...part,
});
const state = (part: Partial<AttemptState> = {}): AttemptState => ({
  attempt: 1,
  connectorFailures: 0,
  policy: { attempts: 3, initialMs: 1_000, maxMs: 60_000 },
  nowMs: 5_000,
  random: () => 1,
  ...part,
});

describe('what follows an attempt', () => {
  test('a delivered message is done', () => {
    expect(judgeAttempt(failed({ status: 'ok' }), state())).toEqual({ kind: 'delivered' });
  });

  test('a permanent failure is dead at once, with the reason as the connector gave it', () => {
    expect(judgeAttempt(failed({ status: 'permanent', code: 'http_400', reason: 'The receiver answered 400.' }), state())).toEqual({
      kind: 'dead',
      code: 'http_400',
      reason: 'The receiver answered 400.',
    });
  });

  test('retries wait longer each time, half of it by chance, up to the ceiling', () => {
    const policy = { attempts: 20, initialMs: 1_000, maxMs: 10_000 };
    const delay = (attempt: number, random: number): number => {
      const verdict = judgeAttempt(failed(), state({ attempt, policy, nowMs: 0, random: () => random }));
      return verdict.kind === 'retry' ? verdict.atMs : -1;
    };
    expect([1, 2, 3, 4, 5].map((attempt) => delay(attempt, 1))).toEqual([1_000, 2_000, 4_000, 8_000, 10_000]);
    expect([1, 2, 3, 4, 5].map((attempt) => delay(attempt, 0))).toEqual([500, 1_000, 2_000, 4_000, 5_000]);
  });

  test('the last attempt of the policy ends in a dead letter that says so', () => {
    const verdict = judgeAttempt(failed(), state({ attempt: 3 }));
    expect(verdict).toEqual({ kind: 'dead', code: 'http_500', reason: 'The receiver answered 500. That was attempt 3 of 3, the last.' });
  });

  test('Retry-After counts when it is longer than the back-off, and up to an hour', () => {
    expect(judgeAttempt(failed({ status: 'rate_limited', retryAfterMs: 30_000 }), state())).toMatchObject({ kind: 'retry', atMs: 35_000 });
    expect(judgeAttempt(failed({ status: 'rate_limited', retryAfterMs: 10 }), state())).toMatchObject({ kind: 'retry', atMs: 6_000 });
    expect(judgeAttempt(failed({ status: 'rate_limited', retryAfterMs: 10 ** 9 }), state())).toMatchObject({ kind: 'retry', atMs: 5_000 + retryAfterMsMax });
  });

  test("a connector's own failure costs no attempt, until it has failed on this message too often", () => {
    const down = failed({ source: 'plugin', code: 'connector_down', reason: 'The connector is not running.' });
    expect(judgeAttempt(down, state({ attempt: 3, connectorFailures: 1 }))).toEqual({ kind: 'wait' });
    expect(judgeAttempt(down, state({ attempt: 1, connectorFailures: connectorFailuresMax }))).toMatchObject({ kind: 'retry' });
    expect(judgeAttempt(down, state({ attempt: 3, connectorFailures: connectorFailuresMax }))).toMatchObject({ kind: 'dead' });
  });
});
