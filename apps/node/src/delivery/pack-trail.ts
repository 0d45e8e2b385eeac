import type { StoredPack } from '@vrsky/bus/consumer';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { subjects } from '@vrsky/contracts/subjects';
import type { TrailDestination, TrailMessage, TrailRecord, TrailStep } from '@vrsky/contracts/trail';
import type { LogicResult } from '@vrsky/logic/pool';
import { findOrigin } from '../core/pack-headers.ts';
import { type PackJob, type Pass, traceIdOf } from './pack-job.ts';
import { publishUntilStored } from './publish-until-stored.ts';

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

/** One record for the pack, on disk before the pack is acknowledged. */
export async function storeTrail(job: PackJob, messages: TrailMessage[]): Promise<void> {
  const { plan, tenant, pack } = job;
  const record: TrailRecord = {
    v: 1,
    nodeId: job.nodeId,
    tenantId: tenant.tenantId,
    pipelineId: plan.pipelineId,
    revision: plan.revision,
    atMs: Date.now(),
    messages,
  };
  // The same pack is written once, whoever processes it: what the first pass did is what happened, a repeat adds copies only.
  const headers = {
    [packHeaders.msgId]: `trail:${job.stream}:${pack.seq}:${pack.storedAtMs}`,
    [packHeaders.customerId]: tenant.tenantId,
    [packHeaders.pipeline]: plan.pipelineId,
  };
  await publishUntilStored(job, subjects.trail(plan.pipelineId), headers, Buffer.from(JSON.stringify(record)));
}
