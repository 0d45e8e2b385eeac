import type { TrailState } from '@vrsky/contracts/trail';
import type { LogicResult } from '@vrsky/logic/pool';
import type { StepPlan } from '../core/pipeline-plan.ts';
import type { NodeMetrics } from '../metrics.ts';
import type { SendOutcome } from './ports.ts';

/** Counts of one pack, added to the metrics in one go: looking up labels for every message would cost more than the message. */
export interface Tally {
  attempt(outcome: SendOutcome): void;
  steps(plans: readonly StepPlan[], results: readonly LogicResult[]): void;
  outcome(state: TrailState): void;
  quarantined(messages: number): void;
  /** Adds what was counted since it was last called. */
  flush(): void;
}

export function createTally(metrics: NodeMetrics, tenantId: string): Tally {
  const tenant = metrics.tenantLabel(tenantId);
  const attempts = new Map<string, number>();
  const outcomes = new Map<string, number>();
  const stepResults = new Map<string, number>();
  let instructions = 0;
  return {
    attempt({ status, source, durationUs }) {
      add(attempts, `${status} ${status === 'ok' ? 'none' : source}`);
      if (durationUs > 0) metrics.deliverySeconds.observe(durationUs / 1e6);
    },
    steps(plans, results) {
      for (const { steps } of results) {
        for (const [i, run] of steps.entries()) {
          const kind = plans[i]?.kind ?? 'convert';
          metrics.stepSeconds.observe({ kind }, run.durationUs / 1e6);
          metrics.stepInstructions.observe({ kind }, run.instructions);
          instructions += run.instructions;
          add(stepResults, `${kind} ${run.result}`);
        }
      }
    },
    outcome(state) {
      if (state !== 'retrying') add(outcomes, state);
    },
    quarantined(messages) {
      metrics.quarantined.inc({ tenant, hop: 'delivery' }, messages);
    },
    flush() {
      for (const [key, count] of attempts) {
        const [status, source] = key.split(' ') as [string, string];
        metrics.attempts.inc({ tenant, status, source }, count);
      }
      for (const [outcome, count] of outcomes) metrics.outcomes.inc({ tenant, outcome }, count);
      for (const [key, count] of stepResults) {
        const [kind, result] = key.split(' ') as [string, string];
        metrics.stepResults.inc({ kind, result }, count);
      }
      if (instructions > 0) metrics.instructionsTotal.inc({ tenant }, instructions);
      for (const counts of [attempts, outcomes, stepResults]) counts.clear();
      instructions = 0;
    },
  };
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
