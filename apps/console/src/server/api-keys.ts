import { withTenant } from '@vrsky/db/client';
import { findApiKey } from '@vrsky/db/sign-in';
import { AppError } from '@vrsky/kernel/errors';
import type { Role } from '../features/tenancy/types.ts';
import { isApiKeySecret, parseApiKeyToken } from './api-key-token.ts';
import type { TenantContext } from './context.ts';
import { getDb } from './db.ts';
import { getPlatform } from './platform.ts';
import { singleton } from './singleton.ts';

/** `last_used_at` is for people who look for keys nobody needs: a minute's precision does, and saves a write per request. */
const TOUCH_EVERY_MS = 60_000;
const TOUCHED_MAX = 10_000;
const touched = singleton('touched-api-keys', () => new Map<string, number>());

/** The tenant, role and name behind a request's bearer token. Read at every request, so a revoked key is out at once. */
export async function authenticateApiKey(request: Request): Promise<TenantContext> {
  const header = request.headers.get('authorization');
  const token = header === null ? null : parseApiKeyToken(/^Bearer +(\S+)$/i.exec(header)?.[1] ?? '');
  const db = getDb();
  const key = token && (await findApiKey(db, token.id));
  if (!token || !key || key.revokedAt || !isApiKeySecret(token.secret, key.secretHash)) throw refused(header === null);
  const tenant: TenantContext = {
    db,
    platform: getPlatform(),
    tenantId: key.tenantId,
    actor: { kind: 'api_key', id: key.id, name: key.name },
    role: key.role as Role,
  };
  await touch(tenant);
  return tenant;
}

function refused(isMissing: boolean): AppError {
  // One sentence for unknown, wrong and revoked: which of them it was is nobody's business.
  return new AppError({
    code: isMissing ? 'API_KEY.MISSING' : 'API_KEY.REFUSED',
    kind: 'unauthenticated',
    message: isMissing ? 'no Authorization header' : 'the bearer token is no API key that works',
    publicMessage: isMissing
      ? 'Send an API key: Authorization: Bearer vrsky_…'
      : 'This API key does not work. It may have been revoked, or copied only in part.',
  });
}

async function touch({ db, tenantId, actor }: TenantContext): Promise<void> {
  const nowMs = Date.now();
  if (nowMs - (touched.get(actor.id) ?? 0) < TOUCH_EVERY_MS) return;
  if (touched.size >= TOUCHED_MAX) touched.clear();
  touched.set(actor.id, nowMs);
  await withTenant(db, tenantId, (tx) => tx.$executeRaw`UPDATE api_key SET last_used_at = now() WHERE id = ${actor.id}`);
}
