import { withTenant } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import { createApiKeyToken } from '../../../server/api-key-token.ts';
import type { TenantContext } from '../../../server/context.ts';
import { apiKeyRole } from '../../../server/permissions.ts';
import type { ApiKeyRole } from '../types.ts';

const KEYS_MAX = 50;

/** A new key of the tenant. `secret` is the whole key and is shown this once; only its hash is kept. */
export async function createApiKey(
  ctx: TenantContext,
  { name, role = apiKeyRole }: { name: string; role?: ApiKeyRole | undefined },
): Promise<{ id: string; secret: string }> {
  const key = createApiKeyToken();
  await withTenant(ctx.db, ctx.tenantId, async (tx) => {
    if ((await tx.apiKey.count({ where: { tenantId: ctx.tenantId, revokedAt: null } })) >= KEYS_MAX) {
      throw new AppError({
        code: 'API_KEY.TOO_MANY',
        kind: 'exhausted',
        message: `${KEYS_MAX} keys`,
        publicMessage: `Your organisation has ${KEYS_MAX} API keys, which is the most. Revoke one that is not used.`,
      });
    }
    await tx.apiKey.create({
      data: { tenantId: ctx.tenantId, id: key.id, name, prefix: key.prefix, secretHash: key.secretHash, role, createdBy: ctx.actor.id },
    });
  });
  return { id: key.id, secret: key.token };
}
