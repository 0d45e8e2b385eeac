import { newId, newInletPath } from '@vrsky/contracts/ids';
import { limits } from '@vrsky/contracts/limits';
import type { PipelineDraft } from '@vrsky/contracts/pipeline-spec';
import { withTenant } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import type { TenantContext } from '../../../server/context.ts';
import { notifyLive } from '../../../server/live-channel.ts';
import { draftHash } from './publishable.ts';

/** A new pipeline with an HTTP source: its URL exists at once, and answers 404 until the first revision is published. */
export async function createPipeline(ctx: TenantContext, { name }: { name: string }): Promise<{ id: string }> {
  const { tenantId } = ctx;
  const id = newId('pip');
  const inletPath = newInletPath();
  const draft: PipelineDraft = {
    v: 1,
    source: { id: 'source', name: 'Webhook', connector: 'http', settings: { path: inletPath } },
    steps: [],
    destinations: [],
  };
  await withTenant(ctx.db, tenantId, async (tx) => {
    const count = await tx.pipeline.count({ where: { tenantId, deletedAt: null } });
    if (count >= limits.pipelinesPerTenantMax) {
      throw new AppError({
        code: 'PIPELINE.TOO_MANY',
        kind: 'exhausted',
        message: `tenant ${tenantId} has ${count} pipelines`,
        publicMessage: `An organisation has at most ${limits.pipelinesPerTenantMax} pipelines. Delete one that is not needed.`,
      });
    }
    await tx.pipeline.create({ data: { tenantId, id, name, inletPath, draft, draftHash: draftHash(draft) } });
    await notifyLive(tx, { tenantId, kind: 'pipelines', pipelineId: id });
  });
  return { id };
}
