import type { TrailDestination } from '@vrsky/contracts/trail';
import type { LogicResult } from '@vrsky/logic/pool';
import { listDestinations, type PipelinePlan } from '../core/pipeline-plan.ts';
import { reasonText } from '../core/trail-text.ts';
import type { Lane, PackJob, Pass } from './pack-job.ts';
import { deadLetter } from './travel-alone.ts';

/** What a message is at a destination when the steps let nothing through; null when they did. */
export function endedBySteps(job: PackJob, pass: Pass, id: string, result: LogicResult | null): Promise<TrailDestination> | TrailDestination | null {
  if (result?.outcome === 'filtered') return { id, state: 'filtered', attempt: 0, code: result.code, reason: reasonText(result.reason) };
  if (result?.outcome === 'failed') return deadLetter(job, pass, id, { attempt: 0, code: result.code, reason: stepReason(job.plan, result) });
  return null;
}

/** `plan` is the revision that no longer sends it there. */
export function destinationRemoved(job: PackJob, pass: Pass, id: string, attempt: number, plan: PipelinePlan = job.plan): Promise<TrailDestination> {
  return deadLetter(job, pass, id, { attempt, ...whyGone(plan, id, pass.lane) });
}

function whyGone(plan: PipelinePlan, id: string, { answerOf }: Lane): { code: string; reason: string } {
  if (id === answerOf) return { code: 'stage_removed', reason: 'Nothing in the pipeline takes the answers of this destination any more.' };
  if (!listDestinations(plan).some((destination) => destination.id === id))
    return { code: 'destination_removed', reason: 'This destination is no longer part of the pipeline.' };
  return { code: 'stage_removed', reason: 'This destination has another input now: it stands elsewhere in the pipeline than when this message was taken.' };
}

/** In the trail until the queue of the destination comes to the message: any other word about the destination counts for more. */
export function waitsForItsTurn(id: string): TrailDestination {
  return { id, state: 'retrying', attempt: 0, code: 'waits_in_order', reason: 'It waits for its turn: this destination gets its messages in strict order.' };
}

export function stepReason(plan: PipelinePlan, result: { stepId: string; reason: string }): string {
  const name = [...plan.stages.values()].flatMap(({ steps }) => steps).find(({ stepId }) => stepId === result.stepId)?.name ?? result.stepId;
  return reasonText(`Step "${name}": ${result.reason}`);
}
