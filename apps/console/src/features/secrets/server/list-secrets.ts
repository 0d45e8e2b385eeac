import { type TenantTx, withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import type { SecretUse, SecretView } from '../types.ts';
import { getSecretRow, type SecretRow } from './secret-row.ts';
import { listSecretUses } from './secret-uses.ts';

/** Never the ciphertext: nothing that could become a value leaves the database for a page. */
const versionFields = { secretId: true, number: true, fingerprint: true, createdAt: true, createdByName: true, validUntil: true } as const;

/** The tenant's secrets by name. Their number is bounded, so this is all of them. */
export async function listSecrets(ctx: TenantContext): Promise<SecretView[]> {
  return withTenant(ctx.db, ctx.tenantId, async (tx) => {
    const rows = await tx.secret.findMany({ where: { tenantId: ctx.tenantId }, orderBy: { name: 'asc' } });
    return toViews(tx, ctx.tenantId, rows);
  });
}

/** Throws `SECRET.NOT_FOUND`. */
export async function getSecret(ctx: TenantContext, { name }: { name: string }): Promise<SecretView> {
  return withTenant(ctx.db, ctx.tenantId, async (tx) => toView(tx, await getSecretRow(tx, ctx.tenantId, name)));
}

export async function toView(tx: TenantTx, row: SecretRow): Promise<SecretView> {
  const [view] = await toViews(tx, row.tenantId, [row]);
  if (!view) throw new Error('bug: a row has no view');
  return view;
}

async function toViews(tx: TenantTx, tenantId: string, rows: SecretRow[]): Promise<SecretView[]> {
  const versions = await tx.secretVersion.findMany({
    where: { tenantId, secretId: { in: rows.map(({ id }) => id) }, ciphertext: { not: null } },
    select: versionFields,
    orderBy: { number: 'desc' },
  });
  const uses = await listSecretUses(tx, tenantId);
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    hosts: row.hosts,
    overlapSeconds: row.overlapSeconds,
    revision: row.revision,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    versions: versions
      .filter(({ secretId }) => secretId === row.id)
      .map(({ number, fingerprint, createdAt, createdByName, validUntil }) => ({
        number,
        fingerprint,
        createdAt: createdAt.toISOString(),
        createdBy: createdByName,
        validUntil: validUntil?.toISOString() ?? null,
      })),
    usedBy: (uses.get(row.name) ?? []) satisfies SecretUse[],
  }));
}
