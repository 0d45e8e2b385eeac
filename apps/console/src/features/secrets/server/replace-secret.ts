import { limits } from '@vrsky/contracts/limits';
import { SecretValue } from '@vrsky/contracts/secret-value';
import { type TenantTx, withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import { notifyLive } from '../../../server/live-channel.ts';
import { lockBundle, nextFence, writeBundle } from '../../pipelines/server/write-bundle.ts';
import type { ReplaceSecretArgs } from '../schema.ts';
import type { SecretView } from '../types.ts';
import { toView } from './list-secrets.ts';
import { getSecretRow, requireRevision, type SecretRow } from './secret-row.ts';
import { listSecretUses } from './secret-uses.ts';
import { currentTenantKey } from './tenant-key.ts';

/**
 * A secret's next version, its hosts, how long replaced versions stay valid, or their end. What nodes hold follows in the same transaction: connectors
 * get the new version by a new configuration, beside the old one until that one's time is over.
 */
export async function replaceSecret(ctx: TenantContext, args: ReplaceSecretArgs): Promise<SecretView> {
  const { tenantId } = ctx;
  using value = args.value === undefined ? null : SecretValue.fromText(args.value);
  // Awaited here: the value is wiped when this function ends.
  return await withTenant(ctx.db, tenantId, async (tx) => {
    await lockBundle(tx, tenantId);
    const row = await getSecretRow(tx, tenantId, args.name);
    requireRevision(row, args.revision);
    const overlapSeconds = args.overlapSeconds ?? row.overlapSeconds;
    if (value !== null) await addVersion(ctx, tx, row, value, overlapSeconds);
    const ended = args.endOverlap ? await endReplaced(tx, row) : 0;
    const changed = await tx.secret.update({
      where: { tenantId_id: { tenantId, id: row.id } },
      data: { hosts: args.hosts ?? row.hosts, overlapSeconds, revision: row.revision + 1, updatedAt: new Date() },
    });
    if (value !== null || args.hosts !== undefined || ended > 0) await tellNodes(ctx, tx, row.name);
    await notifyLive(tx, { tenantId, kind: 'secrets' });
    return toView(tx, changed);
  });
}

async function addVersion(ctx: TenantContext, tx: TenantTx, { id, name }: SecretRow, value: SecretValue, overlapSeconds: number): Promise<void> {
  const { tenantId } = ctx;
  const of = { tenantId, secretId: id };
  const { _max } = await tx.secretVersion.aggregate({ where: of, _max: { number: true } });
  const number = (_max.number ?? 0) + 1;
  const ends = new Date(Date.now() + overlapSeconds * 1_000);
  await tx.secretVersion.updateMany({ where: { ...of, validUntil: null }, data: { validUntil: ends, ...(overlapSeconds === 0 && { ciphertext: null }) } });
  const stillValid = await tx.secretVersion.findMany({ where: { ...of, ciphertext: { not: null } }, orderBy: { number: 'desc' }, select: { number: true } });
  const ended = stillValid.slice(limits.secretVersionsMax - 1).map((version) => version.number);
  await tx.secretVersion.updateMany({ where: { ...of, number: { in: ended } }, data: { ciphertext: null } });
  using key = await currentTenantKey(tx, ctx.platform.kek, tenantId);
  await tx.secretVersion.create({
    data: {
      ...of,
      number,
      keyId: key.id,
      ciphertext: key.seal({ secretId: id, name, number }, value),
      fingerprint: key.fingerprint(value),
      createdById: ctx.actor.id,
      createdByName: ctx.actor.name,
    },
  });
}

/** Destroys the versions that a newer one has replaced. */
async function endReplaced(tx: TenantTx, { tenantId, id }: SecretRow): Promise<number> {
  const { count } = await tx.secretVersion.updateMany({
    where: { tenantId, secretId: id, validUntil: { not: null }, ciphertext: { not: null } },
    data: { validUntil: new Date(), ciphertext: null },
  });
  return count;
}

/** Only when a published pipeline refers to it: nodes have no other secrets. */
async function tellNodes(ctx: TenantContext, tx: TenantTx, name: string): Promise<void> {
  const uses = await listSecretUses(tx, ctx.tenantId);
  if (uses.get(name)?.some(({ published }) => published)) await writeBundle(tx, ctx.platform, ctx.tenantId, await nextFence(tx));
}
