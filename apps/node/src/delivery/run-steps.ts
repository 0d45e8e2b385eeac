import { isAppError } from '@vrsky/kernel/errors';
import type { LogicResult } from '@vrsky/logic/pool';
import type { StepPlan } from '../core/pipeline-plan.ts';
import { SpanKind } from '../tracing.ts';
import { type PackJob, type Pass, throwIfStopped, traceIdOf } from './pack-job.ts';
import type { LogicMessage } from './ports.ts';

/** What `stepPlans` make of the messages, one result for each; null without steps. */
export async function runSteps(job: PackJob, stepPlans: StepPlan[], passes: Pass[]): Promise<LogicResult[] | null> {
  const { plan, tenant, steps, pauses, stop, log, tally } = job;
  if (stepPlans.length === 0) return null;
  const messages = passes.map((pass) => toLogicMessage(tenant.tenantId, plan.pipelineId, pass));
  for (;;) {
    const startedMs = Date.now();
    try {
      const results = await steps.run({ tenantId: tenant.tenantId, steps: stepPlans, messages });
      pauses.steps.over();
      tally.steps(stepPlans, results);
      if (job.tracing.isRecording) traceSteps(stepPlans, passes, results, startedMs);
      return results;
    } catch (error) {
      // The workers are overloaded or stopping: the messages are not to blame and wait.
      if (!isAppError(error)) throw error;
      if (pauses.steps.isOver) log.warn({ tenantId: tenant.tenantId, pipelineId: plan.pipelineId, err: error }, 'the steps take no work now');
    }
    await pauses.steps.wait(stop);
    throwIfStopped(stop);
  }
}

function toLogicMessage(customerId: string, pipelineId: string, pass: Pass): LogicMessage {
  const { messageId: id, headers, contentType, payload, receivedAtUs } = pass.message;
  return { id, customerId, traceId: traceIdOf(pass), pipelineId, headers, contentType, payload, receivedAtMs: Math.floor(receivedAtUs / 1_000) };
}

/** A pack's messages go through a worker one after the other, so each begins where the one before it ended. */
function traceSteps(stepPlans: StepPlan[], passes: Pass[], results: LogicResult[], startedMs: number): void {
  const kinds = new Map(stepPlans.map((step) => [step.stepId, step]));
  let atMs = startedMs;
  for (const [i, { span }] of passes.entries()) {
    for (const run of results[i]?.steps ?? []) {
      const step = kinds.get(run.stepId);
      const child = span?.child(`step ${step?.name ?? run.stepId}`, SpanKind.INTERNAL, atMs, {
        'vrsky.step.id': run.stepId,
        'vrsky.step.kind': step?.kind ?? '',
        'vrsky.step.result': run.result,
        'vrsky.step.instructions': run.instructions,
      });
      atMs += run.durationUs / 1_000;
      child?.end(atMs, run.result === 'failed' ? (run.reason ?? 'failed') : undefined);
    }
  }
}
