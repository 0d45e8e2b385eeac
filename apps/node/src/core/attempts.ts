import type { RetryPolicy } from '@vrsky/contracts/pipeline-spec';
import { backoffMs } from '@vrsky/kernel/backoff';

/** What a connector made of one send; the part of its answer that decides. */
export interface AttemptOutcome {
  status: 'ok' | 'retryable' | 'permanent' | 'rate_limited';
  source: 'plugin' | 'downstream';
  code: string;
  reason: string;
  retryAfterMs: number;
}

export type Verdict =
  | { kind: 'delivered' }
  /** The connector, not the receiver, was the trouble: the same attempt is made again when it is back. */
  | { kind: 'wait' }
  | { kind: 'retry'; atMs: number; code: string; reason: string }
  | { kind: 'dead'; code: string; reason: string };

export interface AttemptState {
  /** Which attempt this was, from 1. */
  attempt: number;
  /** How often within this attempt the connector itself failed, this time included. */
  connectorFailures: number;
  policy: RetryPolicy;
  nowMs: number;
  random?: () => number;
}

/** A message that takes its connector down with it each time must not do so for ever: from here on, failures count as attempts. */
export const connectorFailuresMax = 8;
/** A receiver that asks for more patience than this is asked again after it. */
export const retryAfterMsMax = 3_600_000;

/** The rule for what follows an attempt. */
export function judgeAttempt(outcome: AttemptOutcome, state: AttemptState): Verdict {
  if (outcome.status === 'ok') return { kind: 'delivered' };
  if (outcome.status === 'permanent') return { kind: 'dead', code: outcome.code, reason: outcome.reason };
  if (outcome.source === 'plugin' && outcome.status === 'retryable' && state.connectorFailures < connectorFailuresMax) return { kind: 'wait' };
  if (state.attempt >= state.policy.attempts) {
    return { kind: 'dead', code: outcome.code, reason: `${outcome.reason} That was attempt ${state.attempt} of ${state.policy.attempts}, the last.` };
  }
  return { kind: 'retry', atMs: state.nowMs + retryDelayMs(outcome, state), code: outcome.code, reason: outcome.reason };
}

function retryDelayMs(outcome: AttemptOutcome, { attempt, policy, random }: AttemptState): number {
  const own = backoffMs(attempt, { initialMs: policy.initialMs, maxMs: policy.maxMs, ...(random ? { random } : {}) });
  return Math.max(own, Math.min(outcome.retryAfterMs, retryAfterMsMax));
}
