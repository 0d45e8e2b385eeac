import { withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import type { ListRefusalsArgs } from '../calls-schema.ts';
import type { SourceRefusalView } from '../calls-types.ts';

const DAY_MS = 86_400_000;
const REASONS_MAX = 50;

/** What a pipeline's source refused in the last 24 hours, by reason, the newest first. */
export async function listRefusals(ctx: TenantContext, { pipelineId }: ListRefusalsArgs): Promise<SourceRefusalView[]> {
  const since = new Date(Date.now() - DAY_MS);
  const rows = await withTenant(ctx.db, ctx.tenantId, (tx) =>
    tx.sourceRefusal.groupBy({
      by: ['sourceId', 'reason'],
      where: { tenantId: ctx.tenantId, pipelineId, minute: { gte: since } },
      _sum: { count: true },
      _max: { at: true },
      orderBy: [{ _max: { at: 'desc' } }, { reason: 'asc' }],
      take: REASONS_MAX,
    }),
  );
  return rows.map(({ sourceId, reason, _sum, _max }) => ({ sourceId, reason, count: _sum.count ?? 0, lastAt: (_max.at ?? since).toISOString() }));
}
