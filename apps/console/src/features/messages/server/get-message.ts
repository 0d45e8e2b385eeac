import { isHttp, type PipelineSpec, pipelineSpecSchema } from '@vrsky/contracts/pipeline-spec';
import { withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import { connectorTitles } from '../../connectors/server/connector-titles.ts';
import { plainSettings } from '../../connectors/server/plain-settings.ts';
import type { StoredAttempt, StoredDestination, StoredStep } from '../stored-trail.ts';
import type { AttemptView, MessageDetail, StepTrailView } from '../types.ts';
import { toSummary } from './list-messages.ts';
import { getMessageRow } from './message-row.ts';

/** A message with its trail, in the words of the revision it ran with. */
export async function getMessage(ctx: TenantContext, { id }: { id: string }): Promise<MessageDetail> {
  return withTenant(ctx.db, ctx.tenantId, async (tx) => {
    const row = await getMessageRow(tx, ctx.tenantId, id);
    const key = { tenantId: ctx.tenantId, pipelineId: row.pipelineId, number: row.revision };
    const revision = await tx.revision.findUnique({ where: { tenantId_pipelineId_number: key }, select: { spec: true } });
    const spec = revision && pipelineSpecSchema.parse(JSON.parse(revision.spec));
    const titles = await connectorTitles(tx, new Set(spec?.destinations.map(({ connector }) => connector)));
    return {
      ...toSummary(row),
      customerId: ctx.tenantId,
      traceId: row.traceId,
      revision: row.revision,
      storedAt: row.storedAt.toISOString(),
      address: { seq: Number(row.seq), index: row.idx },
      contentType: row.contentType,
      replayOf: row.replayOf,
      answerOf: toAnswerOf(row, spec),
      steps: toSteps(row.steps as unknown as StoredStep[], spec),
      destinations: toDestinations(row.destinations as unknown as StoredDestination[], spec, titles),
    };
  });
}

function toAnswerOf(
  { answerOf, answerOfDestination }: { answerOf: string | null; answerOfDestination: string | null },
  spec: PipelineSpec | null,
): MessageDetail['answerOf'] {
  if (answerOf === null || answerOfDestination === null) return null;
  const part = spec?.destinations.find(({ id }) => id === answerOfDestination);
  return { messageId: answerOf, destinationId: answerOfDestination, destinationName: part?.name ?? answerOfDestination };
}

function toSteps(steps: StoredStep[], spec: PipelineSpec | null): StepTrailView[] {
  return steps.map(({ id, result, instructions, durationUs }) => {
    const part = spec?.steps.find((step) => step.id === id);
    return { id, name: part?.name ?? id, kind: part?.kind ?? 'convert', result, instructions, durationUs };
  });
}

function toDestinations(destinations: StoredDestination[], spec: PipelineSpec | null, titles: Map<string, string>): MessageDetail['destinations'] {
  return destinations.map(({ id, state, attempts }) => {
    const part = spec?.destinations.find((destination) => destination.id === id);
    const connector = part?.connector ?? 'http';
    const target = part && isHttp(part) ? { url: part.settings.url, settings: [] } : { url: '', settings: plainSettings(part?.settings ?? {}) };
    return {
      id,
      name: part?.name ?? id,
      connector,
      connectorTitle: titles.get(connector) ?? connector,
      ...target,
      state,
      attempts: attempts.map(toAttempt),
      answerId: attempts.findLast(({ answerId }) => answerId)?.answerId ?? null,
    };
  });
}

function toAttempt(stored: StoredAttempt): AttemptView {
  return {
    attempt: stored.attempt,
    at: toTime(stored.startedAtMs),
    // A connector need not measure; then it says neither.
    durationUs: stored.startedAtMs ? (stored.durationUs ?? null) : null,
    state: stored.state,
    peerStatus: stored.peerStatus ?? null,
    peerAnswer: stored.peerAnswer ?? null,
    code: stored.code ?? null,
    reason: stored.reason ?? null,
    nextAt: toTime(stored.nextAtMs),
    behind: stored.behind ?? null,
    nodeId: stored.nodeId,
  };
}

function toTime(ms: number | undefined): string | null {
  return ms === undefined || ms === 0 ? null : new Date(ms).toISOString();
}
