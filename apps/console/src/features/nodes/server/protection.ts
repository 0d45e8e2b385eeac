import { withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import { notifyLive } from '../../../server/live-channel.ts';
import { lockBundle, nextFence, writeBundle } from '../../pipelines/server/write-bundle.ts';
import type { Protection } from '../schema.ts';

/** The layers of the sandbox without which no connector runs for the tenant. */
export async function getProtection({ db, tenantId }: TenantContext): Promise<Protection> {
  const { sandboxMinimum } = await withTenant(db, tenantId, (tx) => tx.tenant.findUniqueOrThrow({ where: { id: tenantId }, select: { sandboxMinimum: true } }));
  return { minimum: sandboxMinimum };
}

/** Replaces them, and tells every node at once: what a node cannot hold that tightly is stopped there, with the reason. */
export async function setProtection({ db, platform, tenantId }: TenantContext, { minimum }: Protection): Promise<void> {
  await withTenant(db, tenantId, async (tx) => {
    await lockBundle(tx, tenantId);
    await tx.tenant.update({ where: { id: tenantId }, data: { sandboxMinimum: minimum } });
    await writeBundle(tx, platform, tenantId, await nextFence(tx));
    await notifyLive(tx, { tenantId, kind: 'nodes' });
  });
}
