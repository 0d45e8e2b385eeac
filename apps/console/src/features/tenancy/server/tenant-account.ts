import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { TenantAccount } from '@vrsky/bus/admin';
import { lengthPrefixed } from '@vrsky/contracts/seal';
import { withTenant } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import type { TenantContext } from '../../../server/context.ts';
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
  return { tenantId: row.id, accountSeed: openUnderKek(kek, accountSeedContext(row.id, kek), row.accountSeed).toString('utf8') };
}

export function sealAccountSeed(kek: KeyEncryptionKey, tenantId: string, seed: string): Uint8Array<ArrayBuffer> {
  return sealUnderKek(kek, accountSeedContext(tenantId, kek), Buffer.from(seed, 'utf8'));
}

/** The tenant's key for the proof on its packs (proof.ts): derived, so that there is nothing to store and nothing to lose. */
export function deriveProofKey(kek: KeyEncryptionKey, tenantId: string): Buffer {
  return Buffer.from(hkdfSync('sha256', kek.key, Buffer.alloc(0), lengthPrefixed(['vrsky/proof-key/1', tenantId]), 32));
}

const accountSeedContext = (tenantId: string, kek: KeyEncryptionKey): string[] => ['vrsky/account-seed/1', tenantId, kek.id];
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Nonce, ciphertext, tag. Bound to its context: the bytes do not open in another tenant's row. */
function sealUnderKek(kek: KeyEncryptionKey, context: string[], plaintext: Uint8Array): Uint8Array<ArrayBuffer> {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', kek.key, nonce);
  cipher.setAAD(lengthPrefixed(context));
  return new Uint8Array(Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
}

function openUnderKek(kek: KeyEncryptionKey, context: string[], sealed: Uint8Array): Buffer {
  try {
    const bytes = Buffer.from(sealed);
    const decipher = createDecipheriv('aes-256-gcm', kek.key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(lengthPrefixed(context));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw new AppError({
      code: 'TENANT.KEY_REFUSED',
      kind: 'internal',
      message: `a value sealed as ${context[0]} does not open in the row of ${context[1]}`,
      cause,
    });
  }
}
