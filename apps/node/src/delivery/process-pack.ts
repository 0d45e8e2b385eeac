import type { TrailDestination, TrailMessage } from '@vrsky/contracts/trail';
import type { LogicResult } from '@vrsky/logic/pool';
import type { DestinationPlan, PipelinePlan } from '../core/pipeline-plan.ts';
import { reasonText } from '../core/trail-text.ts';
import { deliver } from './deliver.ts';
import { openPack } from './open-pack.ts';
import type { PackJob, Pass } from './pack-job.ts';
import { toTrail } from './pack-trail.ts';
import { replyWithoutAnswer, replyWithSteps } from './reply.ts';
import { runSteps } from './run-steps.ts';
import { deadLetter } from './travel-alone.ts';

/**
 * Brings every message of a pack to an outcome at each destination, or into the retry lane, and writes it into the trail.
 * When this resolves, all of that is stored and the pack may be acknowledged. Throws Abandoned when it was stopped before.
 */
export async function processPack(job: PackJob): Promise<void> {
  const passes = await openPack(job);
  if (passes === null) return;
  const results = await runSteps(job, passes);
  const messages = await Promise.all(passes.map((pass, i) => finish(job, pass, results?.[i] ?? null)));
  await job.trail.add(`${job.stream}:${job.pack.seq}:${job.pack.storedAtMs}`, job.plan.revision, messages);
  job.tally.flush();
}

/** Everything that is left for one message once its steps have run. */
async function finish(job: PackJob, pass: Pass, result: LogicResult | null): Promise<TrailMessage> {
  const { message, span, lane } = pass;
  const targets = targetsOf(job.plan, lane.destinationId);
  const body = result?.outcome === 'ok' ? result : message;
  const failure = result?.outcome === 'failed' ? stepReason(job.plan, result) : '';
  if (failure === '') replyWithSteps(job, pass, result, failure);
  const decide = (target: Target): Promise<TrailDestination> | TrailDestination => {
    if (result?.outcome === 'filtered') return { id: target.id, state: 'filtered', attempt: 0, code: result.code, reason: reasonText(result.reason) };
    if (result?.outcome === 'failed') return deadLetter(job, pass, target.id, { attempt: 0, code: result.code, reason: failure });
    if (target.plan === null)
      return deadLetter(job, pass, target.id, {
        attempt: lane.attemptsMade,
        code: 'destination_removed',
        reason: 'This destination is no longer part of the pipeline.',
      });
    return deliver(job, pass, target.plan, body);
  };
  const destinations = await Promise.all(
    targets.map(async (target) => {
      const decided = await decide(target);
      replyWithoutAnswer(job, pass, decided);
      return decided;
    }),
  );
  if (failure !== '') replyWithSteps(job, pass, result, failure);
  for (const { state } of destinations) job.tally.outcome(state);
  span?.end(Date.now());
  job.onMessageDone();
  return toTrail(job.pack, pass, result, destinations);
}

interface Target {
  readonly id: string;
  /** Null when it has gone. */
  readonly plan: DestinationPlan | null;
}

/** All destinations, or the one that the retry lane names, which may have gone meanwhile. */
function targetsOf(plan: PipelinePlan, only: string): Target[] {
  if (only === '') return plan.destinations.map((destination) => ({ id: destination.id, plan: destination }));
  return [{ id: only, plan: plan.destinations.find(({ id }) => id === only) ?? null }];
}

function stepReason(plan: PipelinePlan, result: { stepId: string; reason: string }): string {
  const name = plan.steps.find(({ stepId }) => stepId === result.stepId)?.name ?? result.stepId;
  return reasonText(`Step "${name}": ${result.reason}`);
}
