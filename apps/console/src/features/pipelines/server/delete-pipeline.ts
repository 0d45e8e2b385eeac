import { type TenantTx, withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import { notifyLive } from '../../../server/live-channel.ts';
import { getPipelineRow, type PipelineRow } from './pipeline-row.ts';
import { lockBundle, nextFence, writeBundle } from './write-bundle.ts';

/**
 * Its URL stops answering as soon as the nodes have the new bundle. What it had accepted and not delivered by then expires, which the
 * worker sees to; its messages and revisions stay readable.
 */
export async function deletePipeline(ctx: TenantContext, { id }: { id: string }): Promise<void> {
  const { tenantId } = ctx;
  await withTenant(ctx.db, tenantId, async (tx) => {
    await lockBundle(tx, tenantId);
    const row = await getPipelineRow(tx, tenantId, id);
    if (row.publishedRevision === null) await markDeleted(tx, row, { retiredAt: new Date() });
    else await takeFromNodes(ctx, tx, row);
    await notifyLive(tx, { tenantId, kind: 'pipelines', pipelineId: id });
  });
}

async function takeFromNodes(ctx: TenantContext, tx: TenantTx, row: PipelineRow): Promise<void> {
  const fence = await nextFence(tx);
  // From this fence on, nodes do not run it any more.
  await markDeleted(tx, row, { publishedEpoch: fence.epoch, publishedGeneration: BigInt(fence.generation) });
  await writeBundle(tx, ctx.platform, row.tenantId, fence);
}

type Marks = Partial<Pick<PipelineRow, 'retiredAt' | 'publishedEpoch' | 'publishedGeneration'>>;

async function markDeleted(tx: TenantTx, { tenantId, id }: PipelineRow, marks: Marks): Promise<void> {
  const now = new Date();
  await tx.pipeline.update({ where: { tenantId_id: { tenantId, id } }, data: { ...marks, deletedAt: now, updatedAt: now } });
}
