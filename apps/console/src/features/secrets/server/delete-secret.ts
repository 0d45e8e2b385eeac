import { withTenant } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import type { TenantContext } from '../../../server/context.ts';
import { notifyLive } from '../../../server/live-channel.ts';
import { lockBundle } from '../../pipelines/server/write-bundle.ts';
import type { SecretUse } from '../types.ts';
import { getSecretRow, requireRevision } from './secret-row.ts';
import { listSecretUses } from './secret-uses.ts';

/** For good, with all its versions. One that a pipeline refers to stays: `SECRET.IN_USE` says where. */
export async function deleteSecret(ctx: TenantContext, { name, revision = null }: { name: string; revision?: number | null }): Promise<void> {
  const { tenantId } = ctx;
  await withTenant(ctx.db, tenantId, async (tx) => {
    await lockBundle(tx, tenantId);
    const row = await getSecretRow(tx, tenantId, name);
    requireRevision(row, revision);
    const uses = (await listSecretUses(tx, tenantId)).get(name) ?? [];
    if (uses.length > 0) throw inUse(name, uses);
    await tx.secret.delete({ where: { tenantId_id: { tenantId, id: row.id } } });
    await notifyLive(tx, { tenantId, kind: 'secrets' });
  });
}

const NAMED_MAX = 5;

function inUse(name: string, uses: SecretUse[]): AppError {
  const named = uses.slice(0, NAMED_MAX).map(({ pipelineName, published }) => `“${pipelineName}”${published ? '' : ' (its draft)'}`);
  const more = uses.length > NAMED_MAX ? ` and ${uses.length - NAMED_MAX} more` : '';
  return new AppError({
    code: 'SECRET.IN_USE',
    kind: 'conflict',
    message: `${uses.length} pipelines refer to ${name}`,
    publicMessage: `“${name}” is used by ${named.join(', ')}${more}. Choose another secret there and publish, then delete this one.`,
  });
}
