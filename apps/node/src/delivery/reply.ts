import { limits } from '@vrsky/contracts/limits';
import { STEPS_REPLY } from '@vrsky/contracts/pipeline-spec';
import type { TrailDestination } from '@vrsky/contracts/trail';
import type { LogicResult } from '@vrsky/logic/pool';
import { type PackJob, type Pass, repliedMessage } from './pack-job.ts';
import type { ReplyContent, SendOutcome } from './ports.ts';

/** Clocks of two machines may differ by this much; what is later than that reaches nobody. */
const CLOCK_SKEW_MS = 5_000;

/** Tells the sender that waits for it what the steps made of its message. `failure`: why they failed; say it once the message is kept. */
export function replyWithSteps(job: PackJob, pass: Pass, result: LogicResult | null, failure: string): void {
  // On a later attempt at a destination, and after its answer, the sender has had this.
  if (!isAwaited(job, pass, STEPS_REPLY) || pass.lane.destinationId !== '' || pass.lane.answerOf !== '') return;
  if (result?.outcome === 'filtered') reply(job, pass, { ...nothing, status: 'filtered', code: result.code, reason: result.reason });
  else if (result?.outcome === 'failed') reply(job, pass, { ...nothing, status: 'failed', code: result.code, reason: failure });
  else {
    const { payload, contentType } = result?.outcome === 'ok' ? result : pass.message;
    reply(job, pass, { ...nothing, status: 'done', payload, contentType });
  }
}

/** Tells the sender that waits for it what the destination answered. */
export function replyWithAnswer(job: PackJob, pass: Pass, destinationId: string, outcome: SendOutcome): void {
  if (!isAwaited(job, pass, destinationId)) return;
  const { peerStatus, peerAnswer, peerAnswerType, peerAnswerCut } = outcome;
  const whole: ReplyContent = { ...nothing, status: 'done', peerStatus, payload: peerAnswer, contentType: peerAnswerType };
  reply(job, pass, peerAnswerCut ? { ...answerNotWhole, peerStatus } : whole);
}

/** Tells the sender why the destination that it waits for gives no answer, or will not be reached. */
export function replyWithoutAnswer(job: PackJob, pass: Pass, { id, state, code = '', reason = '' }: TrailDestination): void {
  if (pass.lane.replyTo === '' || !job.plan.reply?.path.has(id)) return;
  if (state === 'filtered') reply(job, pass, { ...nothing, status: 'filtered', code, reason });
  else if (state === 'dead_lettered') reply(job, pass, { ...nothing, status: 'failed', code, reason });
}

const nothing: ReplyContent = { status: 'unspecified', peerStatus: 0, contentType: '', payload: new Uint8Array(0), code: '', reason: '' };
const resultTooLarge: ReplyContent = {
  ...nothing,
  status: 'too_large',
  code: 'result_too_large',
  reason: `The result is larger than the ${limits.replyBytesMax.toLocaleString('en')} bytes that can be handed back.`,
};
const answerNotWhole: ReplyContent = {
  ...nothing,
  status: 'too_large',
  code: 'answer_not_whole',
  reason: `The destination has the message, but its answer did not come whole, or is longer than ${limits.wholeAnswerBytesMax.toLocaleString('en')} bytes.`,
};

/** Whether the sender waits for what this destination answers, or for `steps`. */
function isAwaited({ plan }: PackJob, { lane }: Pass, from: string): boolean {
  return lane.replyTo !== '' && plan.reply?.from === from;
}

function reply({ plan, pack, replies, tenant }: PackJob, pass: Pass, content: ReplyContent): void {
  const { lane } = pass;
  const storedAtMs = Number(lane.storedAt) || pack.storedAtMs;
  if (plan.reply === undefined || Date.now() > storedAtMs + plan.reply.withinMs + CLOCK_SKEW_MS) return;
  replies.send(tenant, lane.replyTo, repliedMessage(pass), content.payload.length > limits.replyBytesMax ? resultTooLarge : content);
}
