import type { TrailDestination } from '@vrsky/contracts/trail';
import { sleep } from '@vrsky/kernel/lifecycle';
import { reasonText } from '../core/trail-text.ts';
import { createAnswers } from './answers.ts';
import { type Body, deliver, delivered, makeAttempt } from './deliver.ts';
import { destinationRemoved } from './ended-without-delivery.ts';
import { type PackJob, type Pass, throwIfStopped } from './pack-job.ts';
import { deadLetter } from './travel-alone.ts';

export interface InOrder {
  /** The destination. */
  id: string;
  body: Body;
  attemptsMade: number;
  notBeforeMs: number;
  /** Resolves when it is written down that the message waits for its next attempt. Called again every now and then: what waits behind it changes. */
  onWaiting(waiting: TrailDestination): Promise<void>;
}

/**
 * All attempts, in place: who calls this goes on with the next message when it has resolved. Each attempt is made by the revision of that moment,
 * and a new revision ends the wait for it, since it may be the cure. Throws Abandoned when it is stopped between two attempts.
 */
export async function deliverInOrder(job: PackJob, pass: Pass, order: InOrder): Promise<TrailDestination> {
  let unblock: (() => void) | null = null;
  try {
    return await makeAttempts(job, pass, order, () => {
      unblock ??= job.ordering.blocked(job.pack.storedAtMs);
    });
  } finally {
    (unblock as (() => void) | null)?.();
  }
}

/** `onFailed` hears of each attempt after which there is another one. */
async function makeAttempts(job: PackJob, pass: Pass, { id, body, notBeforeMs, onWaiting, ...from }: InOrder, onFailed: () => void): Promise<TrailDestination> {
  const { ordering, stop } = job;
  let { attemptsMade } = from;
  if (attemptsMade > 0) onFailed();
  // Whoever had it before has written that it waits.
  if (attemptsMade > 0) await waitUntil(job, notBeforeMs, async () => undefined);
  for (;;) {
    throwIfStopped(stop);
    const plan = ordering.plan();
    const destination = plan.stages.get(pass.lane.answerOf)?.destinations.find((one) => one.id === id);
    if (destination === undefined) return destinationRemoved(job, pass, id, attemptsMade, plan);
    const answers = createAnswers({ ...job, plan }, { steps: [], destinations: [destination] }, 1);
    if (!destination.isStrict) return deliver(job, { ...pass, lane: { ...pass.lane, attemptsMade } }, destination, body, answers);
    const attempt = attemptsMade + 1;
    const made = await makeAttempt(job, pass, { destination, attempt, body });
    const { verdict, facts } = made;
    if (verdict.kind === 'delivered') return delivered(job, pass, { destination, attempt, ...made }, answers);
    if (verdict.kind === 'dead') return { ...facts, ...(await deadLetter(job, pass, id, { attempt, code: verdict.code, reason: verdict.reason })) };
    attemptsMade = attempt;
    onFailed();
    const { code, reason, atMs: nextAtMs } = verdict;
    const waiting = { ...facts, state: 'retrying', code, reason: reasonText(reason), nextAtMs } as const;
    // One that came while this attempt was made is no reason to wait either.
    if (ordering.plan().revision === plan.revision) await waitUntil(job, nextAtMs, () => onWaiting(waiting));
    else await onWaiting(waiting);
  }
}

/** How often it is told anew that a message waits. */
const TELL_EVERY_MS = 10_000;

async function waitUntil({ ordering }: PackJob, atMs: number, tell: () => Promise<void>): Promise<void> {
  const wake = ordering.wake();
  while (!wake.aborted) {
    await tell();
    const restMs = atMs - Date.now();
    if (restMs <= 0) return;
    await sleep(Math.min(restMs, TELL_EVERY_MS), wake);
    if (restMs <= TELL_EVERY_MS) return;
  }
}
