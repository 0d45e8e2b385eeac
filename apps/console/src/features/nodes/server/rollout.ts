import { withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import { getPipelineRow, type PipelineRow } from '../../pipelines/server/pipeline-row.ts';
import type { PipelineState } from '../../pipelines/types.ts';
import type { RolloutView } from '../types.ts';
import { type Desired, judgeRollout, type NodeSeen, runsOlder, toPipelineState } from './judge-rollout.ts';
import { listSeenNodes } from './seen-nodes.ts';

/** Each node's tick on the published revision; empty when nothing is published. */
export async function rollout(ctx: TenantContext, { id }: { id: string }): Promise<RolloutView[]> {
  return withTenant(ctx.db, ctx.tenantId, async (tx) => {
    const row = await getPipelineRow(tx, ctx.tenantId, id);
    return rolloutOf(row, await listSeenNodes(tx, ctx.tenantId, Date.now())).rollout;
  });
}

type PublishedFields = Pick<PipelineRow, 'id' | 'publishedRevision' | 'publishedEpoch' | 'publishedGeneration'>;

/** Nodes that are gone do not count: what ran there is run by the others, and they answer when they come back. */
export function rolloutOf(row: PublishedFields, nodes: NodeSeen[]): { rollout: RolloutView[]; state: PipelineState } {
  const desired = toDesired(row);
  if (!desired) return { rollout: [], state: 'draft' };
  const present = nodes.filter((node) => node.liveness !== 'gone');
  const ticks = present.map((node) => judgeRollout(desired, node));
  return { rollout: ticks, state: toPipelineState(ticks, runsOlder(desired, present)) };
}

function toDesired(row: PublishedFields): Desired | null {
  if (row.publishedRevision === null || row.publishedEpoch === null || row.publishedGeneration === null) return null;
  return { pipelineId: row.id, revision: row.publishedRevision, fence: { epoch: row.publishedEpoch, generation: Number(row.publishedGeneration) } };
}
