import type { TrailDestination } from '@vrsky/contracts/trail';
import type { LogicResult } from '@vrsky/logic/pool';
import type { PipelinePlan } from '../core/pipeline-plan.ts';
import { reasonText } from '../core/trail-text.ts';
import type { PackJob, Pass } from './pack-job.ts';
import { deadLetter } from './travel-alone.ts';

/** What a message is at a destination when the steps let nothing through; null when they did. */
export function endedBySteps(job: PackJob, pass: Pass, id: string, result: LogicResult | null): Promise<TrailDestination> | TrailDestination | null {
  if (result?.outcome === 'filtered') return { id, state: 'filtered', attempt: 0, code: result.code, reason: reasonText(result.reason) };
  if (result?.outcome === 'failed') return deadLetter(job, pass, id, { attempt: 0, code: result.code, reason: stepReason(job.plan, result) });
  return null;
}

export function destinationRemoved(job: PackJob, pass: Pass, id: string, attempt: number): Promise<TrailDestination> {
  return deadLetter(job, pass, id, { attempt, code: 'destination_removed', reason: 'This destination is no longer part of the pipeline.' });
}

/** In the trail until the queue of the destination comes to the message: any other word about the destination counts for more. */
export function waitsForItsTurn(id: string): TrailDestination {
  return { id, state: 'retrying', attempt: 0, code: 'waits_in_order', reason: 'It waits for its turn: this destination gets its messages in strict order.' };
}

function stepReason(plan: PipelinePlan, result: { stepId: string; reason: string }): string {
  const name = plan.steps.find(({ stepId }) => stepId === result.stepId)?.name ?? result.stepId;
  return reasonText(`Step "${name}": ${result.reason}`);
}
