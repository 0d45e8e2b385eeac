import { withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import { notifyLive } from '../../../server/live-channel.ts';
import { pipelineNotFound } from './pipeline-row.ts';

/** The console shows the new name at once; nodes and their metrics get it with the next revision. */
export async function renamePipeline(ctx: TenantContext, { id, name }: { id: string; name: string }): Promise<void> {
  const { tenantId } = ctx;
  await withTenant(ctx.db, tenantId, async (tx) => {
    const { count } = await tx.pipeline.updateMany({ where: { tenantId, id, deletedAt: null }, data: { name, updatedAt: new Date() } });
    if (count === 0) throw pipelineNotFound(id);
    await notifyLive(tx, { tenantId, kind: 'pipelines', pipelineId: id });
  });
}
