import type { TrailDestination, TrailMessage } from '@vrsky/contracts/trail';
import type { LogicResult } from '@vrsky/logic/pool';
import { type DestinationPlan, listDestinations, type PipelinePlan, type StagePlan } from '../core/pipeline-plan.ts';
import { reasonText } from '../core/trail-text.ts';
import { type Answers, createAnswers } from './answers.ts';
import { deliver } from './deliver.ts';
import { openPack } from './open-pack.ts';
import type { Lane, PackJob, Pass } from './pack-job.ts';
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
  const stage = job.plan.stages.get(passes[0]?.lane.answerOf ?? '') ?? noStage;
  const results = await runSteps(job, stage.steps, passes);
  const passed = results === null ? passes.length : results.filter(({ outcome }) => outcome === 'ok').length;
  const answers = createAnswers(job, stage, passed);
  const messages = await Promise.all(passes.map((pass, i) => finish(job, stage, pass, results?.[i] ?? null, answers)));
  await job.trail.add(`${job.stream}:${job.pack.seq}:${job.pack.storedAtMs}`, job.plan.revision, messages);
  job.tally.flush();
}

/** Of an answer that nothing takes any more. */
const noStage: StagePlan = { steps: [], destinations: [] };

/** Everything that is left for one message once its steps have run. */
async function finish(job: PackJob, stage: StagePlan, pass: Pass, result: LogicResult | null, answers: Answers | null): Promise<TrailMessage> {
  const { message, span, lane } = pass;
  const targets = targetsOf(stage, lane);
  const body = result?.outcome === 'ok' ? result : message;
  const failure = result?.outcome === 'failed' ? stepReason(stage, result) : '';
  if (failure === '') replyWithSteps(job, pass, result, failure);
  const decide = (target: Target): Promise<TrailDestination> | TrailDestination => {
    if (result?.outcome === 'filtered') return { id: target.id, state: 'filtered', attempt: 0, code: result.code, reason: reasonText(result.reason) };
    if (result?.outcome === 'failed') return deadLetter(job, pass, target.id, { attempt: 0, code: result.code, reason: failure });
    if (target.plan === null) return deadLetter(job, pass, target.id, { attempt: lane.attemptsMade, ...whyGone(job.plan, target.id, lane) });
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

/** The pipeline was published anew since the message was taken. */
function whyGone(plan: PipelinePlan, id: string, { answerOf }: Lane): { code: string; reason: string } {
  if (id === answerOf) return { code: 'stage_removed', reason: 'Nothing in the pipeline takes the answers of this destination any more.' };
  if (!listDestinations(plan).some((destination) => destination.id === id))
    return { code: 'destination_removed', reason: 'This destination is no longer part of the pipeline.' };
  return { code: 'stage_removed', reason: 'This destination has another input now: it stands elsewhere in the pipeline than when this message was taken.' };
}

function stepReason(stage: StagePlan, result: { stepId: string; reason: string }): string {
  const name = stage.steps.find(({ stepId }) => stepId === result.stepId)?.name ?? result.stepId;
  return reasonText(`Step "${name}": ${result.reason}`);
}
