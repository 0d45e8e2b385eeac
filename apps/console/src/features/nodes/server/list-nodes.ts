import { withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import type { NodeView } from '../types.ts';
import { listSeenNodes, type NodeRow } from './seen-nodes.ts';

/** The nodes that serve the tenant: how they are, and what each runs of the tenant's. */
export async function listNodes(ctx: TenantContext): Promise<NodeView[]> {
  const { tenantId } = ctx;
  return withTenant(ctx.db, tenantId, async (tx) => {
    const nodes = await listSeenNodes(tx, tenantId, Date.now());
    const bundles = await tx.bundle.findMany({ where: { tenantId }, select: { pool: true, epoch: true, generation: true } });
    const desired = new Map(bundles.map((row) => [row.pool, { epoch: row.epoch, generation: Number(row.generation) }]));
    const pipelines = await tx.pipeline.findMany({ where: { tenantId }, select: { id: true, name: true } });
    const names = new Map(pipelines.map((row) => [row.id, row.name]));
    return nodes.map((node) => ({ ...toView(node, names), desired: desired.get(node.pool) ?? null }));
  });
}

function toView(node: NodeRow, names: Map<string, string>): Omit<NodeView, 'desired'> {
  const { report } = node;
  return {
    id: node.id,
    name: node.name,
    pool: node.pool,
    version: node.version,
    liveness: node.liveness,
    startedAt: node.startedAt?.toISOString() ?? null,
    lastSeenAt: node.leaseAt?.toISOString() ?? null,
    enrolledAt: node.enrolledAt.toISOString(),
    connectors: node.connectors,
    sandbox: Object.entries(node.sandbox.layers).map(([layer, { available, detail }]) => ({ layer, available, detail })),
    received: report?.received ?? null,
    applied: report?.applied ?? null,
    rejected: report?.rejected ? { code: report.rejected.code, reason: report.rejected.reason, at: report.rejected.at } : null,
    pipelines: (report?.pipelines ?? []).map((item) => ({
      pipelineId: item.pipelineId,
      name: names.get(item.pipelineId) ?? item.pipelineId,
      revision: item.revision,
      state: item.state,
      reason: item.reason ?? null,
    })),
  };
}
