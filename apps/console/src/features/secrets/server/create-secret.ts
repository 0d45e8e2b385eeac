import { newId } from '@vrsky/contracts/ids';
import { limits } from '@vrsky/contracts/limits';
import { SecretValue } from '@vrsky/contracts/secret-value';
import { withTenant } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import type { TenantContext } from '../../../server/context.ts';
import { notifyLive } from '../../../server/live-channel.ts';
import { lockBundle } from '../../pipelines/server/write-bundle.ts';
import type { CreateSecretArgs } from '../schema.ts';
import type { SecretView } from '../types.ts';
import { toView } from './list-secrets.ts';
import { currentTenantKey } from './tenant-key.ts';

/** A new secret with its first version. Throws `SECRET.NAME_TAKEN`, `SECRET.TOO_MANY`. */
export async function createSecret(ctx: TenantContext, args: CreateSecretArgs): Promise<SecretView> {
  const { tenantId } = ctx;
  const { name, hosts, overlapSeconds } = args;
  using value = SecretValue.fromText(args.value);
  // Awaited here: the value is wiped when this function ends.
  return await withTenant(ctx.db, tenantId, async (tx) => {
    await lockBundle(tx, tenantId);
    if (await tx.secret.findUnique({ where: { tenantId_name: { tenantId, name } }, select: { id: true } })) throw nameTaken(name);
    if ((await tx.secret.count({ where: { tenantId } })) >= limits.secretsPerTenantMax) throw tooMany();
    using key = await currentTenantKey(tx, ctx.platform.kek, tenantId);
    const secret = await tx.secret.create({ data: { tenantId, id: newId('sec'), name, hosts, overlapSeconds } });
    await tx.secretVersion.create({
      data: {
        tenantId,
        secretId: secret.id,
        number: 1,
        keyId: key.id,
        ciphertext: key.seal({ secretId: secret.id, name, number: 1 }, value),
        fingerprint: key.fingerprint(value),
        createdById: ctx.actor.id,
        createdByName: ctx.actor.name,
      },
    });
    await notifyLive(tx, { tenantId, kind: 'secrets' });
    return toView(tx, secret);
  });
}

function nameTaken(name: string): AppError {
  return new AppError({
    code: 'SECRET.NAME_TAKEN',
    kind: 'conflict',
    message: `there is a secret ${name}`,
    publicMessage: `There is a secret called “${name}” already. Replace its value, or choose another name.`,
    fields: [{ path: '/name', message: 'There is a secret with this name already. Replace its value, or choose another name' }],
  });
}

function tooMany(): AppError {
  return new AppError({
    code: 'SECRET.TOO_MANY',
    kind: 'exhausted',
    message: `${limits.secretsPerTenantMax} secrets`,
    publicMessage: `Your organisation has ${limits.secretsPerTenantMax} secrets, which is the most. Delete one that is not used.`,
  });
}
