import { type TenantTx, withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import { rolloutOf } from '../../nodes/server/rollout.ts';
import { listSeenNodes, type NodeRow } from '../../nodes/server/seen-nodes.ts';
import type { MinutePoint, PipelineSummary } from '../types.ts';
import { minuteSeries } from './minute-series.ts';
import { type PipelineRow, parseDraft } from './pipeline-row.ts';

/** All pipelines of the tenant (`limits.pipelinesPerTenantMax` at most), the one changed last first. */
export async function listPipelines(ctx: TenantContext): Promise<PipelineSummary[]> {
  return withTenant(ctx.db, ctx.tenantId, async (tx) => {
    const rows = await tx.pipeline.findMany({ where: { tenantId: ctx.tenantId, deletedAt: null }, orderBy: [{ updatedAt: 'desc' }, { id: 'asc' }] });
    const facts = await readFacts(
      tx,
      ctx.tenantId,
      rows.map((row) => row.id),
      Date.now(),
    );
    return rows.map((row) => toSummary(row, facts));
  });
}

/** What summaries take from elsewhere: what nodes say and how messages flow. */
export interface PipelineFacts {
  nodes: NodeRow[];
  series: Map<string, MinutePoint[]>;
  lastMessageAt: Map<string, Date>;
}

export async function readFacts(tx: TenantTx, tenantId: string, ids: string[], nowMs: number): Promise<PipelineFacts> {
  const nodes = await listSeenNodes(tx, tenantId, nowMs);
  const series = await minuteSeries(tx, tenantId, ids, nowMs);
  // One step into an index for each pipeline, instead of a scan over all messages.
  const last = await tx.$queryRaw<{ id: string; at: Date }[]>`
    SELECT p.id, m.received_at AS at FROM unnest(${ids}::text[]) AS p(id)
    CROSS JOIN LATERAL (SELECT received_at FROM message WHERE tenant_id = ${tenantId} AND pipeline_id = p.id ORDER BY received_at DESC LIMIT 1) m`;
  return { nodes, series, lastMessageAt: new Map(last.map((row) => [row.id, row.at])) };
}

export function toSummary(row: PipelineRow, { nodes, series, lastMessageAt }: PipelineFacts): PipelineSummary {
  const draft = parseDraft(row);
  return {
    id: row.id,
    name: row.name,
    state: rolloutOf(row, nodes).state,
    publishedRevision: row.publishedRevision,
    hasUnpublishedChanges: row.draftHash !== row.publishedHash,
    updatedAt: row.updatedAt.toISOString(),
    lastMessageAt: lastMessageAt.get(row.id)?.toISOString() ?? null,
    perMinute: series.get(row.id) ?? [],
    shape: { steps: draft.steps.length, destinations: draft.destinations.length },
  };
}
