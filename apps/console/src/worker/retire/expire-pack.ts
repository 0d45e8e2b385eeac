import type { StoredPack } from '@vrsky/bus/consumer';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { subjects } from '@vrsky/contracts/subjects';
import type { TrailMessage, TrailRecord } from '@vrsky/contracts/trail';
import { decodeBatch, type Message } from '@vrsky/proto/message-codec';

export interface RetiredPipeline {
  tenantId: string;
  pipelineId: string;
  revision: number;
  destinations: readonly { id: string; after?: string | undefined }[];
}

/** In the trail, where a node's id stands otherwise. */
const WRITER = 'control-plane';

/** The trail of messages that were accepted and can no longer be delivered: their pipeline is gone. Throws WireError on a pack that cannot be read. */
export function expirePack(
  pipeline: RetiredPipeline,
  pack: Pick<StoredPack, 'subject' | 'seq' | 'storedAtMs' | 'header' | 'data'>,
  nowMs: number,
): TrailRecord {
  const { tenantId, pipelineId, revision } = pipeline;
  const messages = decodeBatch(pack.data).map((message, index) => toExpired(pipeline, pack, message, index));
  return { v: 1, nodeId: WRITER, tenantId, pipelineId, revision, atMs: nowMs, messages };
}

function toExpired(pipeline: RetiredPipeline, pack: Parameters<typeof expirePack>[1], message: Message, index: number): TrailMessage {
  const isRetry = pack.subject === subjects.retry(pipeline.pipelineId);
  const travelsAlone = isRetry || pack.subject === subjects.resend(pipeline.pipelineId);
  const destination = travelsAlone ? pack.header(packHeaders.destination) || message.destinationId : '';
  const [originSeq, originIndex] = isRetry ? pack.header(packHeaders.origin).split('.').map(Number) : [];
  // As nodes do: of a dead letter that names whose answer it is, all that take it.
  const answerOf = pack.header(packHeaders.answerOf);
  const answerTo = pack.header(packHeaders.answerTo).split(' ')[index] ?? '';
  const replayOf = Number(pack.header(packHeaders.replayOf));
  return {
    id: message.messageId,
    seq: originSeq || pack.seq,
    index: originIndex ?? index,
    receivedAtMs: message.receivedAtUs > 0 ? Math.floor(message.receivedAtUs / 1_000) : pack.storedAtMs,
    storedAtMs: Number(pack.header(packHeaders.storedAt)) || pack.storedAtMs,
    bytes: message.payload.length,
    contentType: message.contentType,
    traceId: message.traceparent.slice(3, 35),
    ...(travelsAlone && replayOf > 0 ? { replayOf } : {}),
    ...(answerOf === '' ? {} : { answerOf: { messageId: answerTo, destinationId: answerOf } }),
    steps: [],
    destinations: (destination === answerOf || destination === '' ? takersOf(pipeline, answerOf) : [destination]).map((id) => ({
      id,
      state: 'expired',
      attempt: isRetry ? Number(pack.header(packHeaders.attempt)) || 0 : 0,
      code: 'pipeline_deleted',
      reason: 'The pipeline was deleted before this message was delivered.',
    })),
  };
}

/** Whom a message was for: every destination that takes what comes in, or this answer. */
function takersOf({ destinations }: RetiredPipeline, answerOf: string): string[] {
  const takers = destinations.filter(({ after = '' }) => after === answerOf).map(({ id }) => id);
  return takers.length > 0 ? takers : [answerOf];
}
