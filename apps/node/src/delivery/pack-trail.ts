import type { StoredPack } from '@vrsky/bus/consumer';
import type { TrailDestination, TrailMessage, TrailStep } from '@vrsky/contracts/trail';
import type { LogicResult } from '@vrsky/logic/pool';
import { findOrigin } from '../core/pack-headers.ts';
import { type Pass, traceIdOf } from './pack-job.ts';

/** What happened to one message in this pass. */
export function toTrail(pack: StoredPack, pass: Pass, result: LogicResult | null, destinations: TrailDestination[]): TrailMessage {
  const { message, index, lane } = pass;
  const origin = findOrigin(lane.origin) ?? { seq: pack.seq, index };
  const replayOf = Number(lane.replayOf);
  return {
    id: message.messageId,
    seq: origin.seq,
    index: origin.index,
    receivedAtMs: message.receivedAtUs > 0 ? Math.floor(message.receivedAtUs / 1_000) : pack.storedAtMs,
    storedAtMs: Number(lane.storedAt) || pack.storedAtMs,
    bytes: message.payload.length,
    contentType: message.contentType,
    traceId: traceIdOf(pass),
    ...(lane.answerOf === '' ? {} : { answerOf: { messageId: lane.answerTo[pass.index] ?? '', destinationId: lane.answerOf } }),
    ...(lane.replayOf !== '' && Number.isSafeInteger(replayOf) ? { replayOf } : {}),
    steps:
      result === null
        ? noSteps
        : result.steps.map(({ stepId, instructions, durationUs, result: made }) => ({
            id: stepId,
            instructions,
            durationUs: Math.round(durationUs),
            result: made,
          })),
    destinations,
  };
}

const noSteps: TrailStep[] = [];
