import { type Bundle, bundleSchema, type Fence, moduleSchema } from '@vrsky/contracts/bundle';
import { canonicalJson, contentHash } from '@vrsky/contracts/canonical-json';
import { limits } from '@vrsky/contracts/limits';
import { pipelineSpecSchema } from '@vrsky/contracts/pipeline-spec';
import { secretSetHash } from '@vrsky/contracts/sealed-secrets';
import { secretNames } from '@vrsky/contracts/secrets';
import { signEnvelope } from '@vrsky/contracts/signed';
import type { TenantTx } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import { z } from 'zod';
import { OUTBOX_CHANNEL } from '../../../server/live-channel.ts';
import type { Platform } from '../../../server/platform.ts';
import { readSecretSet } from '../../secrets/server/secret-set.ts';
import { toPublishable } from './publishable.ts';

/**
 * Holds back every other change of the tenant's bundle until this transaction ends. To be called before anything is read for it:
 * the one that waits then reads what the other committed, and takes the larger generation.
 */
export async function lockBundle(tx: TenantTx, tenantId: string): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`vrsky.bundle ${tenantId}`}, 0))`;
}

/** The fence of the next document: larger than any before it in this epoch. */
export async function nextFence(tx: TenantTx): Promise<Fence> {
  const [row] = await tx.$queryRaw<{ epoch: number; generation: bigint }[]>`SELECT epoch, nextval('generation_seq') AS generation FROM platform_state`;
  if (!row) throw new Error('bug: platform_state is empty');
  return { epoch: row.epoch, generation: Number(row.generation) };
}

/** Signs the tenant's desired state anew under `fence`, and announces it to the relay. Part of the transaction that changed it. */
export async function writeBundle(tx: TenantTx, platform: Platform, tenantId: string, fence: Fence): Promise<void> {
  const { pool, sandboxMinimum } = await tx.tenant.findUniqueOrThrow({ where: { id: tenantId }, select: { pool: true, sandboxMinimum: true } });
  const pipelines = await publishedPipelines(tx, tenantId);
  const secrets = await readSecretSet(tx, tenantId, namedSecrets(pipelines));
  const bundle: Bundle = bundleSchema.parse({
    v: 1,
    tenantId,
    pool,
    ...fence,
    issuedAt: new Date().toISOString(),
    policy: { sandboxMinimum },
    ...(secrets.length > 0 && { secrets: secretSetHash(secrets) }),
    pipelines,
  });
  const payload = canonicalJson(bundle);
  const envelope = JSON.stringify(signEnvelope('bundle', payload, platform.bundleKey));
  if (Buffer.byteLength(envelope) > limits.bundleBytesMax) throw tooLarge(tenantId, Buffer.byteLength(envelope));
  const stored = { epoch: fence.epoch, generation: BigInt(fence.generation), hash: contentHash(payload), envelope, updatedAt: new Date() };
  await tx.bundle.upsert({ where: { tenantId_pool: { tenantId, pool } }, create: { tenantId, pool, ...stored }, update: stored });
  await tx.outbox.create({ data: { tenantId, pool } });
  await tx.$executeRaw`SELECT pg_notify(${OUTBOX_CHANNEL}, '')`;
}

/** The secrets that published pipelines refer to, and no others: a node has no use for them. */
export function namedSecrets(pipelines: Bundle['pipelines']): string[] {
  return secretNames(pipelines.map(({ spec }) => [spec.source.settings, spec.destinations.map(({ settings }) => settings)]));
}

async function publishedPipelines(tx: TenantTx, tenantId: string): Promise<Bundle['pipelines']> {
  const rows = await tx.pipeline.findMany({
    where: { tenantId, deletedAt: null, publishedRevision: { not: null } },
    include: { published: true },
    orderBy: { id: 'asc' },
  });
  return rows.flatMap(({ published }) =>
    published
      ? [
          {
            pipelineId: published.pipelineId,
            name: published.name,
            revision: published.number,
            hash: published.hash,
            spec: toPublishable(pipelineSpecSchema.parse(JSON.parse(published.spec))),
            modules: z.array(moduleSchema).parse(published.modules),
          },
        ]
      : [],
  );
}

function tooLarge(tenantId: string, bytes: number): AppError {
  return new AppError({
    code: 'BUNDLE.TOO_LARGE',
    kind: 'exhausted',
    message: `the bundle of ${tenantId} would have ${bytes} bytes`,
    publicMessage: `All published pipelines of an organisation together may have ${limits.bundleBytesMax / 1_048_576} MiB of code and settings. Shorten a step or delete a pipeline.`,
  });
}
