import { createAccountSeed } from '@vrsky/bus/platform-keys';
import { newId } from '@vrsky/contracts/ids';
import { type Db, withTenant } from '@vrsky/db/client';
import type { Platform } from '../../../server/platform.ts';
import { lockBundle, nextFence, writeBundle } from '../../pipelines/server/write-bundle.ts';
import type { Role } from '../types.ts';
import { sealAccountSeed } from './tenant-account.ts';

/** What the functions here act with: the worker's role, or the owner acting as it. */
export interface PlatformContext {
  db: Db;
  platform: Platform;
}

export const SHARED_POOL = 'shared';

/** The tenant with this slug, made if there is none: its Customer-ID, its NATS account, and an empty bundle that has the relay set both up. */
export async function ensureTenant({ db, platform }: PlatformContext, { slug, name }: { slug: string; name: string }): Promise<{ tenantId: string }> {
  const known = await db.prisma.tenant.findUnique({ where: { slug }, select: { id: true } });
  if (known) return { tenantId: known.id };
  const tenantId = newId('cus');
  await withTenant(db, tenantId, async (tx) => {
    await tx.tenant.create({
      data: {
        id: tenantId,
        slug,
        name,
        pool: SHARED_POOL,
        accountSeed: sealAccountSeed(platform.kek, tenantId, createAccountSeed()),
        accountKek: platform.kek.id,
      },
    });
    await lockBundle(tx, tenantId);
    await writeBundle(tx, platform, tenantId, await nextFence(tx));
  });
  return { tenantId };
}

/** The person with this address, made if there is none; an existing one gets the password. */
export async function ensureUser(db: Db, { email, name, passwordHash }: { email: string; name: string; passwordHash: string }): Promise<{ userId: string }> {
  const user = await db.prisma.user.upsert({
    where: { email: email.toLowerCase() },
    create: { id: newId('usr'), email: email.toLowerCase(), name, passwordHash },
    update: { passwordHash },
    select: { id: true },
  });
  return { userId: user.id };
}

export async function ensureMembership(db: Db, { tenantId, userId, role }: { tenantId: string; userId: string; role: Role }): Promise<void> {
  await db.prisma.membership.upsert({ where: { tenantId_userId: { tenantId, userId } }, create: { tenantId, userId, role }, update: {} });
}
