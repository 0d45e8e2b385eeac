import { receiverBin } from '@vrsky/contracts/receiver';
import { withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import type { Platform } from '../../../server/platform.ts';
import { rolloutOf } from '../../nodes/server/rollout.ts';
import type { PipelineDetail } from '../types.ts';
import { readFacts, toSummary } from './list-pipelines.ts';
import { getPipelineRow, parseDraft } from './pipeline-row.ts';

/** Revisions shown, newest first. */
const REVISIONS_MAX = 50;

export async function getPipeline(ctx: TenantContext, { id }: { id: string }): Promise<PipelineDetail> {
  const { tenantId, platform } = ctx;
  return withTenant(ctx.db, tenantId, async (tx) => {
    const row = await getPipelineRow(tx, tenantId, id);
    const facts = await readFacts(tx, tenantId, [id], Date.now());
    const revisions = await tx.revision.findMany({
      where: { tenantId, pipelineId: id },
      orderBy: { number: 'desc' },
      take: REVISIONS_MAX,
      select: { number: true, hash: true, createdAt: true, createdByName: true },
    });
    return {
      ...toSummary(row, facts),
      draft: parseDraft(row),
      draftVersion: row.draftVersion,
      ingestUrl: ingestUrl(platform, row.inletPath),
      receiverUrl: receiverUrl(platform, tenantId),
      rollout: rolloutOf(row, facts.nodes).rollout,
      revisions: revisions.map((item) => ({ number: item.number, hash: item.hash, createdAt: item.createdAt.toISOString(), createdBy: item.createdByName })),
    };
  });
}

/** Where a sender posts to. */
export function ingestUrl(platform: Platform, inletPath: string): string {
  return `${platform.config.ingestUrl}/in/${inletPath}`;
}

/** The tenant's bin at the test receiver. */
export function receiverUrl(platform: Platform, tenantId: string): string {
  return `${platform.config.receiverUrl}/${receiverBin(platform.receiverKey, tenantId)}`;
}
