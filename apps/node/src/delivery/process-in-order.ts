import type { TrailDestination, TrailMessage } from '@vrsky/contracts/trail';
import type { LogicResult } from '@vrsky/logic/pool';
import type { StagePlan } from '../core/pipeline-plan.ts';
import type { Body } from './deliver.ts';
import { deliverInOrder } from './deliver-in-order.ts';
import { endedBySteps } from './ended-without-delivery.ts';
import { Abandoned, type PackJob, type Pass, throwIfStopped } from './pack-job.ts';
import { toTrail } from './pack-trail.ts';
import { replyWithoutAnswer } from './reply.ts';
import { runSteps } from './run-steps.ts';

/**
 * Brings the messages of a pack to an outcome at the destinations that get them in strict order: one message after the other at each, and the next
 * only when the one before has its outcome. The server gives out the next pack when this one is acknowledged. Throws Abandoned when it was
 * stopped before; how far it came is then in the trail, where whoever gets the pack next reads it.
 */
export async function processInOrder(job: PackJob, stage: StagePlan, passes: readonly Pass[], ordered: readonly string[]): Promise<void> {
  const { destinationId = '', answerOf = '' } = passes[0]?.lane ?? {};
  const only = destinationId === answerOf ? '' : destinationId;
  const targets = only === '' ? ordered : [only];
  const results = await runSteps(job, stage.steps, [...passes]);
  const open = passes.map(() => targets.length);
  const onDone = (index: number): void => {
    open[index] = (open[index] as number) - 1;
    if (open[index] !== 0) return;
    passes[index]?.span?.end(Date.now());
    job.onMessageDone();
  };
  // Each ends for itself: what one has done is written down before the pack is given back.
  const ends = await Promise.allSettled(targets.map((id) => workOff(job, { id, passes, results, onDone })));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  job.tally.flush();
}

interface Chain {
  /** The destination. */
  id: string;
  passes: readonly Pass[];
  results: readonly LogicResult[] | null;
  onDone(index: number): void;
}

/** Where somebody else has stopped. */
interface Progress {
  index: number;
  attemptsMade: number;
  notBeforeMs: number;
}

async function workOff(job: PackJob, { id, passes, results, onDone }: Chain): Promise<void> {
  const { ordering, tally, plan, pack } = job;
  const trail = ordering.trail(id);
  const from = await findProgress(job, id);
  let done: TrailMessage[] = [];
  const toMessage = (pass: Pass, destination: TrailDestination): TrailMessage => toTrail(pack, pass, results?.[pass.index] ?? null, [destination]);
  const write = async (what: string, messages: TrailMessage[]): Promise<void> => {
    done = [];
    if (messages.length > 0) await trail.add(`${job.stream}:${pack.seq}:${pack.storedAtMs}:${id}:${what}`, plan.revision, messages);
  };
  try {
    for (const pass of passes) {
      const { index } = pass;
      if (index >= from.index) {
        throwIfStopped(job.stop);
        const result = results?.[index] ?? null;
        const progress = index === from.index ? from : { attemptsMade: 0, notBeforeMs: 0 };
        const body: Body = result?.outcome === 'ok' ? result : pass.message;
        let told = '';
        const onWaiting = async (waiting: TrailDestination): Promise<void> => {
          tally.flush();
          const behind = passes.length - 1 - index + (await ordering.packsBehind());
          const news = `${waiting.attempt} ${behind}`;
          if (news === told) return;
          told = news;
          await write(`${index}:${waiting.attempt}:${Date.now()}`, [...done, toMessage(pass, { ...waiting, behind })]);
        };
        const destination = await (endedBySteps(job, pass, id, result) ?? deliverInOrder(job, pass, { id, body, ...progress, onWaiting }));
        replyWithoutAnswer(job, pass, destination);
        tally.outcome(destination.state);
        done.push(toMessage(pass, destination));
      }
      onDone(index);
    }
  } catch (error) {
    if (error instanceof Abandoned) await write(`until:${done.at(-1)?.index ?? 0}`, done);
    throw error;
  }
  await write('end', done);
}

/** Only a pack that somebody had before has any. */
async function findProgress({ ordering, pack }: PackJob, id: string): Promise<Progress> {
  const record = pack.deliveryCount > 1 ? await ordering.lastRecord(id) : null;
  let progress: Progress = { index: 0, attemptsMade: 0, notBeforeMs: 0 };
  for (const { seq, storedAtMs, index, destinations } of record?.messages ?? []) {
    const found = destinations.find((destination) => destination.id === id);
    if (seq !== pack.seq || storedAtMs !== pack.storedAtMs || found === undefined || index < progress.index) continue;
    const isWaiting = found.behind !== undefined;
    progress = { index: isWaiting ? index : index + 1, attemptsMade: isWaiting ? found.attempt : 0, notBeforeMs: (isWaiting && found.nextAtMs) || 0 };
  }
  return progress;
}
