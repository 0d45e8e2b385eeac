import type { TenantTx } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';

/** Another tenant's message and one that never was are the same: not found. */
export async function getMessageRow(tx: TenantTx, tenantId: string, id: string) {
  const row = await tx.message.findFirst({ where: { tenantId, id }, include: { pipeline: { select: { name: true } } } });
  if (!row)
    throw new AppError({
      code: 'MESSAGE.NOT_FOUND',
      kind: 'not_found',
      message: `no message ${id}`,
      publicMessage: 'There is no message under this id. It may be too old, or not read from the trail yet.',
    });
  return row;
}
