import { createHmac, hkdfSync } from 'node:crypto';
import { type TenantTx, withTenant } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import type { TenantContext } from '../context.ts';

export interface IdempotentCall {
  /** Of the caller. */
  key: string;
  operation: string;
  body: string;
  requestId: string;
}

/** Kept headers of an answer; the rest is of the one request. */
const KEPT_HEADERS = ['content-type', 'etag', 'location'];
const CLAIM_SECONDS = 60;

interface KeptAnswer {
  requestHash: string;
  status: number | null;
  body: string | null;
  headers: Record<string, string> | null;
}

/**
 * Runs `respond` at most once for a key within a day and answers repeats with what the first call answered. A call that failed
 * leaves nothing behind, so it may be made again. Two at the same time: the second is told to wait.
 */
export async function once(tenant: TenantContext, call: IdempotentCall, respond: () => Promise<Response>): Promise<Response> {
  if (!/^[\x21-\x7e]{1,100}$/.test(call.key)) {
    throw new AppError({
      code: 'IDEMPOTENCY.KEY_INVALID',
      kind: 'invalid',
      message: 'a malformed Idempotency-Key',
      publicMessage: 'An Idempotency-Key is 1 to 100 visible ASCII characters.',
    });
  }
  const requestHash = createHmac('sha256', requestHashKey(tenant)).update(`${call.operation}\n${call.body}`).digest('hex');
  const kept = await withTenant(tenant.db, tenant.tenantId, (tx) => claim(tx, tenant.tenantId, call.key, requestHash));
  if (kept) return replay(kept, requestHash, call.requestId);
  try {
    const response = await respond();
    await keep(tenant, call.key, response.clone());
    return response;
  } catch (error) {
    await withTenant(
      tenant.db,
      tenant.tenantId,
      (tx) => tx.$executeRaw`DELETE FROM idempotency_key WHERE tenant_id = ${tenant.tenantId} AND key = ${call.key} AND status IS NULL`,
    );
    throw error;
  }
}

/** A request may carry a secret, and whoever has the database must not be able to try out which. */
function requestHashKey({ platform, tenantId }: TenantContext): Buffer {
  return Buffer.from(hkdfSync('sha256', platform.kek.key, Buffer.alloc(0), `vrsky/request-hash/1 ${tenantId}`, 32));
}

/** Null when the key is ours now; else what another call has under it. A claim whose call died is taken over. */
async function claim(tx: TenantTx, tenantId: string, key: string, requestHash: string): Promise<KeptAnswer | null> {
  await tx.$executeRaw`DELETE FROM idempotency_key WHERE tenant_id = ${tenantId} AND (created_at < now() - interval '1 day' OR (status IS NULL AND created_at < now() - make_interval(secs => ${CLAIM_SECONDS})))`;
  const claimed =
    await tx.$executeRaw`INSERT INTO idempotency_key (tenant_id, key, request_hash) VALUES (${tenantId}, ${key}, ${requestHash}) ON CONFLICT DO NOTHING`;
  if (claimed === 1) return null;
  const [kept] = await tx.$queryRaw<
    KeptAnswer[]
  >`SELECT request_hash AS "requestHash", status, body, headers FROM idempotency_key WHERE tenant_id = ${tenantId} AND key = ${key}`;
  return kept ?? null;
}

async function keep(tenant: TenantContext, key: string, response: Response): Promise<void> {
  const headers = JSON.stringify(Object.fromEntries(KEPT_HEADERS.flatMap((name) => (response.headers.has(name) ? [[name, response.headers.get(name)]] : []))));
  const body = await response.text();
  await withTenant(
    tenant.db,
    tenant.tenantId,
    (tx) =>
      tx.$executeRaw`UPDATE idempotency_key SET status = ${response.status}, body = ${body}, headers = ${headers}::jsonb WHERE tenant_id = ${tenant.tenantId} AND key = ${key}`,
  );
}

function replay(kept: KeptAnswer, requestHash: string, requestId: string): Response {
  if (kept.requestHash !== requestHash) {
    throw new AppError({
      code: 'IDEMPOTENCY.KEY_REUSED',
      kind: 'conflict',
      message: 'an Idempotency-Key came with another request',
      publicMessage: 'This Idempotency-Key was used for another request. Take a new key for a new request.',
    });
  }
  if (kept.status === null) {
    throw new AppError({
      code: 'IDEMPOTENCY.IN_PROGRESS',
      kind: 'conflict',
      message: 'the first call with this Idempotency-Key is running',
      publicMessage: 'The first call with this Idempotency-Key has not ended yet. Try again in a second.',
      retryAfterMs: 1_000,
    });
  }
  return new Response(kept.body, {
    status: kept.status,
    headers: { ...kept.headers, 'x-request-id': requestId, 'cache-control': 'no-store', 'idempotency-replayed': 'true' },
  });
}
