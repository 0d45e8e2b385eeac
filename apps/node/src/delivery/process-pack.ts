import { packHeaders } from '@vrsky/contracts/message-headers';
import { subjects } from '@vrsky/contracts/subjects';
import type { TrailDestination, TrailMessage } from '@vrsky/contracts/trail';
import type { LogicResult } from '@vrsky/logic/pool';
import { readOrdered } from '../core/pack-headers.ts';
import type { DestinationPlan, PipelinePlan } from '../core/pipeline-plan.ts';
import { deliver } from './deliver.ts';
import { destinationRemoved, endedBySteps, waitsForItsTurn } from './ended-without-delivery.ts';
import { openPack } from './open-pack.ts';
import { ORDERED, type PackJob, type Pass } from './pack-job.ts';
import { toTrail } from './pack-trail.ts';
import { processInOrder } from './process-in-order.ts';
import { runSteps } from './run-steps.ts';

/**
 * Brings every message of a pack to an outcome at each destination, or into the retry lane, and writes it into the trail.
 * When this resolves, all of that is stored and the pack may be acknowledged. Throws Abandoned when it was stopped before.
 */
export async function processPack(job: PackJob): Promise<void> {
  const passes = await openPack(job);
  if (passes === null) return;
  const ordered = orderedOf(job);
  if (job.stream === ORDERED) return processInOrder(job, passes, ordered);
  const results = needsSteps(job, ordered) ? await runSteps(job, passes) : null;
  const messages = await Promise.all(passes.map((pass, i) => finish(job, pass, results?.[i] ?? null, ordered)));
  await job.trail.add(`${job.stream}:${job.pack.seq}:${job.pack.storedAtMs}`, job.plan.revision, messages);
  job.tally.flush();
}

/** Everything that is left for one message once its steps have run. */
async function finish(job: PackJob, pass: Pass, result: LogicResult | null, ordered: readonly string[]): Promise<TrailMessage> {
  const { message, span, lane } = pass;
  const targets = targetsOf(job.plan, lane.destinationId);
  const body = result?.outcome === 'ok' ? result : message;
  const destinations = await Promise.all(
    targets.map((target): Promise<TrailDestination> | TrailDestination => {
      if (ordered.includes(target.id)) return waitsForItsTurn(target.id);
      const ended = endedBySteps(job, pass, target.id, result);
      if (ended !== null) return ended;
      if (target.plan === null) return destinationRemoved(job, pass, target.id, lane.attemptsMade);
      return deliver(job, pass, target.plan, body);
    }),
  );
  for (const { state } of destinations) job.tally.outcome(state);
  span?.end(Date.now());
  job.onMessageDone();
  return toTrail(job.pack, pass, result, destinations);
}

/** All destinations, or the one that the retry lane names, which may have gone meanwhile. */
function targetsOf(plan: PipelinePlan, only: string): { id: string; plan: DestinationPlan | null }[] {
  if (only === '') return plan.destinations.map((destination) => ({ id: destination.id, plan: destination }));
  return [{ id: only, plan: plan.destinations.find(({ id }) => id === only) ?? null }];
}

/** Which destinations get a pack in strict order; said by its header, and believed where a queue for them has it. */
function orderedOf({ plan, pack }: PackJob): string[] {
  const withQueue: string[] = [subjects.ordered(plan.pipelineId), subjects.orderedResend(plan.pipelineId)];
  return withQueue.includes(pack.subject) ? readOrdered(pack.header(packHeaders.ordered)) : [];
}

/** Whether there is anybody here to get what the steps make. */
function needsSteps({ plan, pack }: PackJob, ordered: readonly string[]): boolean {
  if (ordered.length === 0) return true;
  return pack.header(packHeaders.destination) === '' && plan.destinations.some(({ id }) => !ordered.includes(id));
}
