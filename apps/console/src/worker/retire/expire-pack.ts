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

export interface LeftPack {
  pack: Pick<StoredPack, 'subject' | 'seq' | 'storedAtMs' | 'header' | 'data'>;
  /** It comes from the queue of destinations in strict order: the others have it from theirs. */
  isOrdered: boolean;
}

/** The trail of messages that were accepted and can no longer be delivered: their pipeline is gone. Throws WireError on a pack that cannot be read. */
export function expirePack(pipeline: RetiredPipeline, left: LeftPack, nowMs: number): TrailRecord {
  const { tenantId, pipelineId, revision } = pipeline;
  const messages = decodeBatch(left.pack.data)
    .map((message, index) => toExpired(pipeline, left, message, index))
    .filter(({ destinations }) => destinations.length > 0);
  return { v: 1, nodeId: WRITER, tenantId, pipelineId, revision, atMs: nowMs, messages };
}

function toExpired(pipeline: RetiredPipeline, { pack, isOrdered }: LeftPack, message: Message, index: number): TrailMessage {
  const { pipelineId } = pipeline;
  const ordered = pack
    .header(packHeaders.ordered)
    .split(',')
    .filter((id) => id !== '');
  const isRetry = pack.subject === subjects.retry(pipelineId);
  const travelsAlone = isRetry || pack.subject === subjects.resend(pipelineId) || pack.subject === subjects.orderedResend(pipelineId);
  const destination = travelsAlone ? pack.header(packHeaders.destination) || message.destinationId : '';
  const [originSeq, originIndex] = isRetry ? pack.header(packHeaders.origin).split('.').map(Number) : [];
  // As nodes do: of a dead letter that names whose answer it is, all that take it.
  const answerOf = pack.header(packHeaders.answerOf);
  const answerTo = pack.header(packHeaders.answerTo).split(' ')[index] ?? '';
  const replayOf = Number(pack.header(packHeaders.replayOf));
  const ids = destination !== '' && destination !== answerOf ? [destination] : isOrdered ? ordered : takersOf(pipeline, answerOf);
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
    destinations: ids
      .filter((id) => ordered.includes(id) === isOrdered)
      .map((id) => ({
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
