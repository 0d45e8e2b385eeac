import { withTenant } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import type { TenantContext } from '../../../server/context.ts';

/** Ends a key at once and for good. Revoking it twice is the same as once. */
export async function revokeApiKey(ctx: TenantContext, { id }: { id: string }): Promise<void> {
  await withTenant(ctx.db, ctx.tenantId, async (tx) => {
    const key = await tx.apiKey.findUnique({ where: { tenantId_id: { tenantId: ctx.tenantId, id } }, select: { revokedAt: true } });
    if (!key)
      throw new AppError({ code: 'API_KEY.NOT_FOUND', kind: 'not_found', message: `no API key ${id}`, publicMessage: 'There is no API key with this id.' });
    if (!key.revokedAt) await tx.apiKey.updateMany({ where: { tenantId: ctx.tenantId, id }, data: { revokedAt: new Date() } });
  });
}
