import { hkdfSync } from 'node:crypto';
import type { TenantAccount } from '@vrsky/bus/admin';
import { lengthPrefixed } from '@vrsky/contracts/seal';
import { withTenant } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import type { TenantContext } from '../../../server/context.ts';
import { openEnvelopeBytes, sealEnvelope } from '../../../server/envelope.ts';
import type { KeyEncryptionKey } from '../../../server/platform.ts';

/** The tenant's NATS account, for a connection of the control plane into it. */
export async function getTenantAccount(ctx: Pick<TenantContext, 'db' | 'platform' | 'tenantId'>): Promise<TenantAccount> {
  const row = await withTenant(ctx.db, ctx.tenantId, (tx) =>
    tx.tenant.findUnique({ where: { id: ctx.tenantId }, select: { id: true, accountSeed: true, accountKek: true } }),
  );
  if (!row) throw new AppError({ code: 'TENANT.NOT_FOUND', kind: 'not_found', message: `there is no tenant ${ctx.tenantId}` });
  return openTenantAccount(ctx.platform.kek, row);
}

/** The same from a row at hand. */
export function openTenantAccount(kek: KeyEncryptionKey, row: { id: string; accountSeed: Uint8Array; accountKek: string }): TenantAccount {
  if (row.accountKek !== kek.id)
    throw new AppError({
      code: 'TENANT.KEY_MISSING',
      kind: 'internal',
      message: `the account of ${row.id} is sealed under ${row.accountKek}, and this process holds ${kek.id}`,
    });
  return { tenantId: row.id, accountSeed: openEnvelopeBytes(kek.key, accountSeedContext(row.id, kek), row.accountSeed).toString('utf8') };
}

export function sealAccountSeed(kek: KeyEncryptionKey, tenantId: string, seed: string): Uint8Array<ArrayBuffer> {
  return sealEnvelope(kek.key, accountSeedContext(tenantId, kek), Buffer.from(seed, 'utf8'));
}

/** The tenant's key for the proof on its packs (proof.ts): derived, so that there is nothing to store and nothing to lose. */
export function deriveProofKey(kek: KeyEncryptionKey, tenantId: string): Buffer {
  return Buffer.from(hkdfSync('sha256', kek.key, Buffer.alloc(0), lengthPrefixed(['vrsky/proof-key/1', tenantId]), 32));
}

const accountSeedContext = (tenantId: string, kek: KeyEncryptionKey): string[] => ['vrsky/account-seed/1', tenantId, kek.id];
