import { packHeaders } from '@vrsky/contracts/message-headers';
import { subjects } from '@vrsky/contracts/subjects';
import type { TrailDestination } from '@vrsky/contracts/trail';
import { encodeMessage, joinEntries } from '@vrsky/proto/message-codec';
import { formatOrigin, headerText, packHeadersOf } from '../core/pack-headers.ts';
import { reasonText } from '../core/trail-text.ts';
import { type PackJob, type Pass, repliedMessage } from './pack-job.ts';
import { publishUntilStored } from './publish-until-stored.ts';

/** Alone, for this destination, into the lane where it waits for its time. */
export async function scheduleRetry(job: PackJob, pass: Pass, destinationId: string, attempt: number, atMs: number): Promise<void> {
  const headers = {
    ...aloneHeaders(job, pass, destinationId, `retry:${pass.message.messageId}:${destinationId}:${attempt}`, attempt),
    [packHeaders.notBefore]: String(atMs),
    ...(pass.lane.replyTo === '' ? {} : { [packHeaders.replyTo]: pass.lane.replyTo, [packHeaders.replyFor]: repliedMessage(pass) }),
  };
  await publishUntilStored(job, subjects.retry(job.plan.pipelineId), headers, aloneBody(pass, destinationId, attempt));
}

/** Kept for good before the pack is acknowledged. */
export async function deadLetter(
  job: PackJob,
  pass: Pass,
  destinationId: string,
  end: { attempt: number; code: string; reason: string },
): Promise<TrailDestination> {
  const { messageId } = pass.message;
  const headers = {
    ...aloneHeaders(job, pass, destinationId, `dlq:${messageId}:${destinationId}`, end.attempt),
    [packHeaders.reasonCode]: end.code,
    [packHeaders.reason]: headerText(end.reason),
  };
  const { seq } = await publishUntilStored(job, subjects.dlq(job.plan.pipelineId), headers, aloneBody(pass, destinationId, end.attempt));
  return { id: destinationId, state: 'dead_lettered', attempt: end.attempt, code: end.code, reason: reasonText(end.reason), dlqSeq: seq };
}

function aloneHeaders({ tenant, plan, pack }: PackJob, pass: Pass, destinationId: string, msgId: string, attempt: number): Record<string, string> {
  const { lane, message, index } = pass;
  const { messageId } = message;
  return {
    ...packHeadersOf(tenant.stamp, {
      msgId,
      pipelineId: plan.pipelineId,
      revision: plan.revision,
      connectionId: plan.sourceConnectionId,
      messageIds: [messageId],
    }),
    [packHeaders.attempt]: String(attempt),
    [packHeaders.destination]: destinationId,
    [packHeaders.origin]: lane.origin === '' ? formatOrigin({ seq: pack.seq, index }) : lane.origin,
    [packHeaders.storedAt]: lane.storedAt === '' ? String(pack.storedAtMs) : lane.storedAt,
    ...(lane.replayOf === '' ? {} : { [packHeaders.replayOf]: lane.replayOf }),
    ...(lane.answerOf === '' ? {} : { [packHeaders.answerOf]: lane.answerOf, [packHeaders.answerTo]: lane.answerTo[index] ?? '' }),
  };
}

/** The message as it came in; its steps run again on the next attempt, since they are deterministic. */
function aloneBody(pass: Pass, destinationId: string, attempt: number): Uint8Array {
  return joinEntries([Buffer.concat([pass.raw, encodeMessage({ attempt, destinationId })])]);
}
