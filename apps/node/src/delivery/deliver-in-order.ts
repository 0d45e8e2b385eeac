import type { TrailDestination } from '@vrsky/contracts/trail';
import { sleep } from '@vrsky/kernel/lifecycle';
import { reasonText } from '../core/trail-text.ts';
import { type Body, deliver, makeAttempt } from './deliver.ts';
import { destinationRemoved } from './ended-without-delivery.ts';
import { type PackJob, type Pass, throwIfStopped } from './pack-job.ts';
import { deadLetter } from './travel-alone.ts';

export interface InOrder {
  /** The destination. */
  id: string;
  body: Body;
  attemptsMade: number;
  notBeforeMs: number;
  /** Resolves when it is written down that the message waits for its next attempt. */
  onWaiting(waiting: TrailDestination): Promise<void>;
}

/**
 * All attempts, in place: who calls this goes on with the next message when it has resolved. Each attempt is made by the revision of that moment,
 * and a new revision ends the wait for it, since it may be the cure. Throws Abandoned when it is stopped between two attempts.
 */
export async function deliverInOrder(job: PackJob, pass: Pass, { id, body, notBeforeMs, onWaiting, ...from }: InOrder): Promise<TrailDestination> {
  const { ordering, stop, pack } = job;
  let { attemptsMade } = from;
  if (attemptsMade > 0) await waitUntil(job, notBeforeMs);
  for (;;) {
    throwIfStopped(stop);
    const destination = ordering.plan().destinations.find((one) => one.id === id);
    if (destination === undefined) return destinationRemoved(job, pass, id, attemptsMade);
    if (!destination.isStrict) return deliver(job, { ...pass, lane: { ...pass.lane, attemptsMade } }, destination, body);
    const attempt = attemptsMade + 1;
    const { verdict, facts } = await makeAttempt(job, pass, { destination, attempt, body });
    if (verdict.kind === 'delivered') return { ...facts, state: 'delivered' };
    if (verdict.kind === 'dead') return { ...facts, ...(await deadLetter(job, pass, id, { attempt, code: verdict.code, reason: verdict.reason })) };
    attemptsMade = attempt;
    const unblock = ordering.blocked(pack.storedAtMs);
    try {
      const { code, reason, atMs: nextAtMs } = verdict;
      await Promise.all([onWaiting({ ...facts, state: 'retrying', code, reason: reasonText(reason), nextAtMs }), waitUntil(job, nextAtMs)]);
    } finally {
      unblock();
    }
  }
}

async function waitUntil({ ordering }: PackJob, atMs: number): Promise<void> {
  await sleep(Math.max(0, atMs - Date.now()), ordering.wake());
}
