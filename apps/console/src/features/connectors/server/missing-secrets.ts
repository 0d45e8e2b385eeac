import { withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';

/** Which of these names are no secret of the tenant. */
export async function missingSecrets(ctx: TenantContext, names: readonly string[]): Promise<Set<string>> {
  const { tenantId } = ctx;
  const found = await withTenant(ctx.db, tenantId, (tx) => tx.secret.findMany({ where: { tenantId, name: { in: [...names] } }, select: { name: true } }));
  const missing = new Set(names);
  for (const { name } of found) missing.delete(name);
  return missing;
}
