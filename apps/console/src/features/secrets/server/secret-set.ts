import { limits } from '@vrsky/contracts/limits';
import { type SealedSecretRecord, type SecretPlace, type SecretShape, sealSecret } from '@vrsky/contracts/sealed-secrets';
import type { TenantTx } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import { ENVELOPE_BYTES } from '../../../server/envelope.ts';
import type { KeyEncryptionKey } from '../../../server/platform.ts';
import { openTenantKey, type TenantKey } from './tenant-key.ts';

/** A secret with the ciphertexts of its valid versions, the newest first. */
export interface SecretInSet extends SecretShape {
  versions: { version: number; keyId: string; ciphertext: Uint8Array }[];
}

/**
 * The tenant's secrets of these names, as its nodes are to have them. Throws AppError `SECRET.MISSING` when there is no such secret, and
 * `SECRET.SET_TOO_LARGE` when their values together are larger than a connector is told at once.
 */
export async function readSecretSet(tx: TenantTx, tenantId: string, names: readonly string[]): Promise<SecretInSet[]> {
  if (names.length === 0) return [];
  const rows = await tx.secret.findMany({
    where: { tenantId, name: { in: [...names] } },
    select: {
      id: true,
      name: true,
      hosts: true,
      // What is valid is what has a ciphertext: a clock decides it once, in the worker, and everybody else reads what it did.
      versions: { where: { ciphertext: { not: null } }, orderBy: { number: 'desc' }, select: { number: true, keyId: true, ciphertext: true } },
    },
    orderBy: { name: 'asc' },
  });
  const missing = names.find((name) => !rows.some((row) => row.name === name));
  if (missing !== undefined) throw gone(missing);
  const set = rows.map(({ versions, ...row }) => ({
    ...row,
    versions: versions.flatMap(({ number, keyId, ciphertext }) => (ciphertext === null ? [] : [{ version: number, keyId, ciphertext }])),
  }));
  const bytes = set.flatMap(({ versions }) => versions).reduce((sum, { ciphertext }) => sum + ciphertext.length - ENVELOPE_BYTES, 0);
  if (bytes > limits.secretsInUseBytesMax) throw tooLarge(bytes);
  return set;
}

export interface SealTarget {
  nodeId: string;
  sealKey: string;
  within: string;
}

/** Opens each value once, seals it to every target, and wipes it. By node id, what it gets. */
export async function sealSecretSet(
  tx: TenantTx,
  kek: KeyEncryptionKey,
  tenantId: string,
  { set, targets }: { set: readonly SecretInSet[]; targets: readonly SealTarget[] },
): Promise<Map<string, SealedSecretRecord[]>> {
  const sealed = new Map(
    targets.map(({ nodeId }) => [nodeId, set.map(({ id, name, hosts }): SealedSecretRecord => ({ id, name, hosts: [...hosts], versions: [] }))]),
  );
  using keys = await openKeys(tx, kek, tenantId, set);
  for (const [at, { id, name, versions }] of set.entries()) {
    for (const { version, keyId, ciphertext } of versions) {
      using value = keys.get(keyId).open({ secretId: id, name, number: version }, ciphertext);
      for (const { nodeId, sealKey, within } of targets) {
        const place: SecretPlace = { nodeId, tenantId, within };
        const box = value.use((bytes) => sealSecret(sealKey, place, { id, name, version }, bytes));
        sealed.get(nodeId)?.[at]?.versions.push({ version, ...box });
      }
    }
  }
  return sealed;
}

async function openKeys(tx: TenantTx, kek: KeyEncryptionKey, tenantId: string, set: readonly SecretInSet[]) {
  const ids = [...new Set(set.flatMap(({ versions }) => versions.map(({ keyId }) => keyId)))];
  const rows = await tx.tenantKey.findMany({ where: { tenantId, id: { in: ids } } });
  const stack = new DisposableStack();
  const keys = new Map<string, TenantKey>(rows.map((row) => [row.id, stack.use(openTenantKey(kek, row))]));
  return {
    get(keyId: string): TenantKey {
      const key = keys.get(keyId);
      if (!key) throw new Error(`bug: a foreign key leads to no tenant key ${keyId}`);
      return key;
    },
    [Symbol.dispose]: () => stack.dispose(),
  };
}

function gone(name: string): AppError {
  return new AppError({
    code: 'SECRET.MISSING',
    kind: 'conflict',
    message: `a published pipeline would refer to the secret ${name}, which there is not`,
    publicMessage: `The secret “${name}” was deleted meanwhile. Choose another one and publish again.`,
  });
}

function tooLarge(bytes: number): AppError {
  return new AppError({
    code: 'SECRET.SET_TOO_LARGE',
    kind: 'exhausted',
    message: `the secrets in use would have ${bytes} bytes`,
    publicMessage: `The secrets that published pipelines use may have ${limits.secretsInUseBytesMax / 1_024} KiB together, replaced versions that are still valid included. Use shorter ones, or wait until replaced versions end.`,
  });
}
