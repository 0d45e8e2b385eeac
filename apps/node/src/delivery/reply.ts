import { limits } from '@vrsky/contracts/limits';
import { STEPS_REPLY } from '@vrsky/contracts/pipeline-spec';
import type { LogicResult } from '@vrsky/logic/pool';
import type { PackJob, Pass } from './pack-job.ts';
import type { ReplyContent } from './ports.ts';

/** Clocks of two machines may differ by this much; what is later than that reaches nobody. */
const CLOCK_SKEW_MS = 5_000;
const EMPTY = new Uint8Array(0);

/** Whether the sender waits for what this destination answers, or for `steps`. */
export function isAwaited({ plan }: PackJob, { lane }: Pass, from: string): boolean {
  return lane.replyTo !== '' && plan.reply?.from === from;
}

/** Tells the sender what the steps made of its message. A failed one is told once it is kept as a dead letter. */
export function replyWithSteps(job: PackJob, pass: Pass, result: LogicResult | null, reasonOf: (failed: { stepId: string; reason: string }) => string): void {
  // On a later attempt at a destination the sender has had its answer.
  if (!isAwaited(job, pass, STEPS_REPLY) || pass.lane.destinationId !== '') return;
  if (result?.outcome === 'filtered') reply(job, pass, { ...nothing, status: 'filtered', code: result.code, reason: result.reason });
  else if (result?.outcome === 'failed') reply(job, pass, { ...nothing, status: 'failed', code: result.code, reason: reasonOf(result) });
  else {
    const { payload, contentType } = result?.outcome === 'ok' ? result : pass.message;
    reply(job, pass, { ...nothing, status: 'done', payload, contentType });
  }
}

const nothing: ReplyContent = { status: 'unspecified', peerStatus: 0, contentType: '', payload: EMPTY, code: '', reason: '' };
const tooLarge: ReplyContent = {
  ...nothing,
  status: 'too_large',
  code: 'result_too_large',
  reason: `The result is larger than the ${limits.replyBytesMax.toLocaleString('en')} bytes that can be handed back.`,
};

function reply(job: PackJob, pass: Pass, content: ReplyContent): void {
  const { lane, message } = pass;
  const storedAtMs = Number(lane.storedAt) || job.pack.storedAtMs;
  if (job.plan.reply === undefined || Date.now() > storedAtMs + job.plan.reply.withinMs + CLOCK_SKEW_MS) return;
  job.replies.send(job.tenant, lane.replyTo, message.messageId, content.payload.length > limits.replyBytesMax ? tooLarge : content);
}
