import type { TenantTx } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';

export type SecretRow = NonNullable<Awaited<ReturnType<TenantTx['secret']['findFirst']>>>;

/** Another tenant's secret and one that never was are the same: not found. */
export async function getSecretRow(tx: TenantTx, tenantId: string, name: string): Promise<SecretRow> {
  const row = await tx.secret.findUnique({ where: { tenantId_name: { tenantId, name } } });
  if (row) return row;
  throw new AppError({
    code: 'SECRET.NOT_FOUND',
    kind: 'not_found',
    message: `there is no secret ${name}`,
    publicMessage: `There is no secret called “${name}”. It may have been deleted.`,
  });
}

/** `expected`: the revision that the caller saw; null when they do not care. */
export function requireRevision(row: SecretRow, expected: number | null): void {
  if (expected === null || row.revision === expected) return;
  throw new AppError({
    code: 'SECRET.CHANGED',
    kind: 'precondition',
    message: `revision ${expected} of ${row.id} was named, and it is at ${row.revision}`,
    publicMessage: 'This secret was changed somewhere else meanwhile. Reload to see what it is now; nothing was changed by you.',
  });
}
