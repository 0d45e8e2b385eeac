import { type Db, withTenant } from '@vrsky/db/client';
import { describeError } from '@vrsky/kernel/errors';
import { every } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { lockBundle, nextFence, writeBundle } from '../../features/pipelines/server/write-bundle.ts';
import { listSecretUses } from '../../features/secrets/server/secret-uses.ts';
import { notifyLive } from '../../server/live-channel.ts';
import type { Platform } from '../../server/platform.ts';

export interface OverlapsOptions {
  db: Db;
  platform: Platform;
  log: Log;
  /** Between two looks. */
  everyMs?: number;
}

const EVERY_MS = 5_000;
const TENANTS_MAX = 100;

/**
 * Destroys replaced versions of secrets whose time is over, and has the nodes forget them. What is due is in the database, so that it is
 * done after a restart as well.
 */
export async function runOverlaps({ db, platform, log, everyMs = EVERY_MS }: OverlapsOptions, stop: AbortSignal): Promise<void> {
  const look = async (): Promise<void> => {
    for (const tenantId of await listDue(db)) {
      if (stop.aborted) return;
      try {
        const ended = await endOverlaps(db, platform, tenantId);
        log.info({ tenantId, versions: ended }, 'replaced versions of secrets are over');
      } catch (error) {
        // One tenant's trouble must not keep the others' old versions valid.
        log.warn({ tenantId, reason: describeError(error) }, 'replaced versions of secrets could not be ended, trying again');
      }
    }
  };
  await every(everyMs, look, stop, (error) => log.warn({ reason: describeError(error) }, 'replaced versions of secrets could not be looked for'));
}

async function listDue(db: Db): Promise<string[]> {
  const rows = await db.prisma.$queryRaw<{ tenantId: string }[]>`
    SELECT DISTINCT tenant_id AS "tenantId" FROM secret_version WHERE ciphertext IS NOT NULL AND valid_until <= now() ORDER BY 1 LIMIT ${TENANTS_MAX}`;
  return rows.map((row) => row.tenantId);
}

async function endOverlaps(db: Db, platform: Platform, tenantId: string): Promise<number> {
  return withTenant(db, tenantId, async (tx) => {
    await lockBundle(tx, tenantId);
    const ended = await tx.$queryRaw<{ name: string }[]>`
      UPDATE secret_version v SET ciphertext = NULL FROM secret s
      WHERE v.tenant_id = ${tenantId} AND v.ciphertext IS NOT NULL AND v.valid_until <= now() AND s.tenant_id = v.tenant_id AND s.id = v.secret_id
      RETURNING s.name`;
    const uses = await listSecretUses(tx, tenantId);
    if (ended.some(({ name }) => uses.get(name)?.some(({ published }) => published))) await writeBundle(tx, platform, tenantId, await nextFence(tx));
    await notifyLive(tx, { tenantId, kind: 'secrets' });
    return ended.length;
  });
}
