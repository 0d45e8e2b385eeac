import { packHeaders } from '@vrsky/contracts/message-headers';
import { STEPS_REPLY } from '@vrsky/contracts/pipeline-spec';
import { subjects } from '@vrsky/contracts/subjects';
import type { TrailDestination, TrailMessage } from '@vrsky/contracts/trail';
import type { LogicResult } from '@vrsky/logic/pool';
import { readOrdered } from '../core/pack-headers.ts';
import type { DestinationPlan, StagePlan } from '../core/pipeline-plan.ts';
import { type Answers, createAnswers } from './answers.ts';
import { deliver } from './deliver.ts';
import { destinationRemoved, endedBySteps, stepReason, waitsForItsTurn } from './ended-without-delivery.ts';
import { openPack } from './open-pack.ts';
import { type Lane, ORDERED, type PackJob, type Pass } from './pack-job.ts';
import { toTrail } from './pack-trail.ts';
import { processInOrder } from './process-in-order.ts';
import { replyWithoutAnswer, replyWithSteps } from './reply.ts';
import { runSteps } from './run-steps.ts';

/**
 * Brings every message of a pack to an outcome at each destination, or into the retry lane, and writes it into the trail.
 * When this resolves, all of that is stored and the pack may be acknowledged. Throws Abandoned when it was stopped before.
 */
export async function processPack(job: PackJob): Promise<void> {
  const passes = await openPack(job);
  if (passes === null) return;
  const stage = job.plan.stages.get(passes[0]?.lane.answerOf ?? '') ?? noStage;
  const ordered = orderedOf(job);
  if (job.stream === ORDERED) return processInOrder(job, stage, passes, ordered);
  const results = needsSteps(job, stage, ordered) ? await runSteps(job, stage.steps, passes) : null;
  const passed = results === null ? passes.length : results.filter(({ outcome }) => outcome === 'ok').length;
  const answers = createAnswers(job, stage, passed);
  const messages = await Promise.all(passes.map((pass, i) => finish(job, pass, { stage, result: results?.[i] ?? null, ordered, answers })));
  await job.trail.add(`${job.stream}:${job.pack.seq}:${job.pack.storedAtMs}`, job.plan.revision, messages);
  job.tally.flush();
}

/** Of an answer that nothing takes any more. */
const noStage: StagePlan = { steps: [], destinations: [] };

interface Ending {
  stage: StagePlan;
  result: LogicResult | null;
  /** Destinations that another queue has the message for. */
  ordered: readonly string[];
  answers: Answers | null;
}

/** Everything that is left for one message once its steps have run. */
async function finish(job: PackJob, pass: Pass, { stage, result, ordered, answers }: Ending): Promise<TrailMessage> {
  const { message, span, lane } = pass;
  const targets = targetsOf(stage, lane);
  const body = result?.outcome === 'ok' ? result : message;
  const failure = result?.outcome === 'failed' ? stepReason(job.plan, result) : '';
  if (failure === '') replyWithSteps(job, pass, result, failure);
  const decide = (target: Target): Promise<TrailDestination> | TrailDestination => {
    if (ordered.includes(target.id)) return waitsForItsTurn(target.id);
    const ended = endedBySteps(job, pass, target.id, result);
    if (ended !== null) return ended;
    if (target.plan === null) return destinationRemoved(job, pass, target.id, lane.attemptsMade);
    return deliver(job, pass, target.plan, body, answers);
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

/** All destinations of the stage, or the one that the retry lane names, which may have gone meanwhile. */
function targetsOf(stage: StagePlan, { destinationId, answerOf }: Lane): Target[] {
  // A dead letter of an answer that nothing took names whose answer it is: sent again, it is for all that take it now.
  const only = destinationId === answerOf ? '' : destinationId;
  if (only !== '') return [{ id: only, plan: stage.destinations.find(({ id }) => id === only) ?? null }];
  if (stage.destinations.length === 0) return [{ id: answerOf, plan: null }];
  return stage.destinations.map((destination) => ({ id: destination.id, plan: destination }));
}

/** Which destinations get a pack in strict order; said by its header, and believed where a queue for them has it. */
function orderedOf({ plan, pack }: PackJob): string[] {
  const withQueue: string[] = [subjects.ordered(plan.pipelineId), subjects.orderedResend(plan.pipelineId), subjects.orderedAnswer(plan.pipelineId)];
  return withQueue.includes(pack.subject) ? readOrdered(pack.header(packHeaders.ordered)) : [];
}

/** Whether there is anybody here to get what the steps make. */
function needsSteps({ pack, plan }: PackJob, { destinations }: StagePlan, ordered: readonly string[]): boolean {
  if (ordered.length === 0) return true;
  // A sender that waits for it need not wait for its message's turn.
  if (plan.reply?.from === STEPS_REPLY) return true;
  return pack.header(packHeaders.destination) === '' && destinations.some(({ id }) => !ordered.includes(id));
}
