import { withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import { notifyLive } from '../../../server/live-channel.ts';
import { getPipelineRow } from './pipeline-row.ts';
import { lockBundle, nextFence, writeBundle } from './write-bundle.ts';

/** Its URL stops answering as soon as the nodes have the new bundle; its messages and revisions stay readable. */
export async function deletePipeline(ctx: TenantContext, { id }: { id: string }): Promise<void> {
  const { tenantId } = ctx;
  await withTenant(ctx.db, tenantId, async (tx) => {
    await lockBundle(tx, tenantId);
    const row = await getPipelineRow(tx, tenantId, id);
    await tx.pipeline.update({ where: { tenantId_id: { tenantId, id } }, data: { deletedAt: new Date(), updatedAt: new Date() } });
    if (row.publishedRevision !== null) await writeBundle(tx, ctx.platform, tenantId, await nextFence(tx));
    await notifyLive(tx, { tenantId, kind: 'pipelines', pipelineId: id });
  });
}
