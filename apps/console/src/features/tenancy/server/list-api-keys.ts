import { withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import type { ApiKeyView, Role } from '../types.ts';

/** The tenant's keys that work, newest first. Their number is bounded, so this is all of them. */
export async function listApiKeys(ctx: TenantContext): Promise<ApiKeyView[]> {
  const rows = await withTenant(ctx.db, ctx.tenantId, (tx) =>
    tx.apiKey.findMany({
      where: { tenantId: ctx.tenantId, revokedAt: null },
      select: { id: true, name: true, prefix: true, role: true, createdAt: true, lastUsedAt: true },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    }),
  );
  return rows.map((row) => ({ ...row, role: row.role as Role, createdAt: row.createdAt.toISOString(), lastUsedAt: row.lastUsedAt?.toISOString() ?? null }));
}
