import { isUtf8 } from 'node:buffer';
import { loadEngine } from '@vrsky/logic/engine';
import { createExecutor, type Executor } from '@vrsky/logic/executor';
import { instructionLimit } from '@vrsky/logic/step-limits';
import type { LogicStep, StepLimits, StepRun } from '@vrsky/logic/types';

/** One message for a step, as `vrsky run` makes it up: what is not given is as long as what a node would give, and counts the same. */
export interface RunMessage {
  payload: Uint8Array;
  contentType: string;
  headers: [string, string][];
  id: string;
  customerId: string;
  traceId: string;
  pipelineId: string;
  receivedAtMs: number;
}

export interface RunResult extends StepRun {
  /** What the step was allowed on this message. */
  limit: number;
}

/** The sandbox of a node, in this process: the same engine, the same limits, the same number of instructions. */
export async function openSandbox(): Promise<{ executor: Executor; run(step: LogicStep, message: RunMessage, limits: StepLimits): RunResult }> {
  const executor = createExecutor({ engine: await loadEngine(), isUtf8 });
  return {
    executor,
    run(step, message, limits) {
      const { headers, ...rest } = message;
      const [result] = executor.run({
        tenantId: message.customerId,
        steps: [step],
        messages: [{ ...rest, headersJson: JSON.stringify(headers) }],
        capture: true,
        limits,
      });
      const run = result?.steps[0];
      if (run === undefined) throw new Error('bug: a step ran and gave no result');
      return { ...run, limit: instructionLimit(limits, message.payload.length) };
    },
  };
}

export const testMessage: Omit<RunMessage, 'payload'> = {
  contentType: 'application/json',
  headers: [],
  id: 'msg_00000000000000000000000000',
  customerId: 'cus_00000000000000000000000000',
  traceId: '00000000000000000000000000000001',
  pipelineId: 'pip_00000000000000000000000000',
  receivedAtMs: Date.UTC(2026, 0, 1),
};
