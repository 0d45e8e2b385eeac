import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { newId } from '@vrsky/contracts/ids';
import { lengthPrefixed } from '@vrsky/contracts/seal';
import { SecretValue } from '@vrsky/contracts/secret-value';
import type { TenantTx } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import { openEnvelopeBytes, sealEnvelope } from '../../../server/envelope.ts';
import type { KeyEncryptionKey } from '../../../server/platform.ts';

/** A data key of one tenant, under which its secrets' values are sealed. To be disposed of: its bytes are wiped. */
export interface TenantKey extends Disposable {
  readonly id: string;
  seal(place: VersionPlace, value: SecretValue): Uint8Array<ArrayBuffer>;
  /** Throws AppError `ENVELOPE.REFUSED` when the bytes are not those of this place. */
  open(place: VersionPlace, sealed: Uint8Array): SecretValue;
  /** Eight hex digits that tell whether two values are equal, and nothing to whoever lacks the key. */
  fingerprint(value: SecretValue): string;
}

/** The row that a ciphertext belongs to. */
export interface VersionPlace {
  secretId: string;
  name: string;
  number: number;
}

interface KeyRow {
  tenantId: string;
  id: string;
  kekId: string;
  sealed: Uint8Array;
}

/** Unseals a row. Throws AppError `TENANT.KEY_MISSING`, `ENVELOPE.REFUSED`. */
export function openTenantKey(kek: KeyEncryptionKey, { tenantId, id, kekId, sealed }: KeyRow): TenantKey {
  if (kekId !== kek.id)
    throw new AppError({
      code: 'TENANT.KEY_MISSING',
      kind: 'internal',
      message: `the key ${id} of ${tenantId} is sealed under ${kekId}, and this process holds ${kek.id}`,
    });
  const key = openEnvelopeBytes(kek.key, keyContext(tenantId, id, kekId), sealed);
  const contextOf = ({ secretId, name, number }: VersionPlace) => ['vrsky/secret/1', tenantId, secretId, name, String(number), id];
  return {
    id,
    seal: (place, value) => value.use((bytes) => sealEnvelope(key, contextOf(place), bytes)),
    open: (place, bytes) => SecretValue.take(openEnvelopeBytes(key, contextOf(place), bytes)),
    fingerprint(value) {
      const own = Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), lengthPrefixed(['vrsky/secret-fingerprint/1', tenantId]), 32));
      const digest = value.use((bytes) => createHmac('sha256', own).update(bytes).digest('hex'));
      own.fill(0);
      return digest.slice(0, 8);
    },
    [Symbol.dispose]: () => void key.fill(0),
  };
}

/** The tenant's newest data key, made when it has none. Call it with the tenant's lock held, or two are made. */
export async function currentTenantKey(tx: TenantTx, kek: KeyEncryptionKey, tenantId: string): Promise<TenantKey> {
  const standing = await tx.tenantKey.findFirst({ where: { tenantId }, orderBy: [{ createdAt: 'desc' }, { id: 'desc' }] });
  if (standing) return openTenantKey(kek, standing);
  const key = randomBytes(32);
  const id = newId('dek');
  const row = { tenantId, id, kekId: kek.id, sealed: sealEnvelope(kek.key, keyContext(tenantId, id, kek.id), key) };
  key.fill(0);
  await tx.tenantKey.create({ data: row });
  return openTenantKey(kek, row);
}

const keyContext = (tenantId: string, id: string, kekId: string): string[] => ['vrsky/tenant-key/1', tenantId, id, kekId];
