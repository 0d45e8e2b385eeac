import type { BusAdmin } from '@vrsky/bus/admin';
import type { Bucket } from '@vrsky/bus/bucket';
import { createConfigBucket } from '@vrsky/bus/config-bucket';
import { configKeys } from '@vrsky/contracts/subjects';
import { type Db, withTenant } from '@vrsky/db/client';
import { lockBundle, nextFence, writeBundle } from '../../features/pipelines/server/write-bundle.ts';
import { openTenantAccount } from '../../features/tenancy/server/tenant-account.ts';
import type { Platform } from '../../server/platform.ts';
import type { WorkerMetrics } from '../metrics.ts';
import { type BundleFence, ensureDocument, type GrantNode, grantBasis, headContentHash, signGrant, signHead } from './documents.ts';

export interface ConfigWriterOptions {
  db: Db;
  bus: BusAdmin;
  platform: Platform;
  metrics: WorkerMetrics;
}

/** Brings NATS in line with what Postgres says. Everything here may be done again at any time. */
export interface ConfigWriter {
  /** Whether the tenant's account and streams were seen to be there; nobody else needs to knock before. */
  isReady(tenantId: string): boolean;
  /** Account, streams and consumers of the tenant; then the grants of its pool's nodes; then its bundle, which needs all of them. */
  deliverTenant(tenantId: string): Promise<void>;
  /** Whether the tenant's documents lie in NATS as they should. */
  isDelivered(tenantId: string): Promise<boolean>;
  /** The list of what the pool should run. */
  deliverHead(pool: string): Promise<void>;
  listPools(): Promise<string[]>;
  /** Signs again what was signed under an older epoch or another key. */
  renewBundles(): Promise<void>;
}

/** A node that was not heard of for this long gets its grants when it comes back. */
const NODE_FORGET = '7 days';

export function createConfigWriter({ db, bus, platform, metrics }: ConfigWriterOptions): ConfigWriter {
  const openBucket = async (): Promise<Bucket> => createConfigBucket(await bus.control(), platform.nats);

  const ready = new Set<string>();
  const running = new Map<string, Promise<void>>();

  async function readTenant(tenantId: string) {
    const tenant = await db.prisma.tenant.findUniqueOrThrow({ where: { id: tenantId } });
    const bundle = await db.prisma.bundle.findUnique({ where: { tenantId_pool: { tenantId, pool: tenant.pool } } });
    const nodes = await db.prisma.$queryRawUnsafe<GrantNode[]>(
      `SELECT id, pool, identity_key AS "identityKey", seal_key AS "sealKey" FROM node WHERE pool = $1 AND removed_at IS NULL AND GREATEST(lease_at, enrolled_at) > now() - interval '${NODE_FORGET}' ORDER BY id`,
      tenant.pool,
    );
    return { tenant, bundle, nodes };
  }

  /** The grant that is on record for the node, or a new one when there is none or its keys have changed. */
  async function grantOf(node: GrantNode, account: ReturnType<typeof openTenantAccount>): Promise<string> {
    const { tenantId } = account;
    const basis = grantBasis(platform, node, tenantId);
    const key = { tenantId_nodeId: { tenantId, nodeId: node.id } };
    const standing = await db.prisma.nodeGrant.findUnique({ where: key });
    if (standing?.basis === basis) return standing.envelope;
    const envelope = await signGrant(platform, node, account, await db.prisma.$transaction((tx) => nextFence(tx)));
    const row = { basis, envelope, issuedAt: new Date() };
    await db.prisma.nodeGrant.upsert({ where: key, create: { tenantId, nodeId: node.id, ...row }, update: row });
    return envelope;
  }

  async function listBundles(pool: string): Promise<BundleFence[]> {
    const rows = await db.prisma.bundle.findMany({
      where: { pool },
      orderBy: { tenantId: 'asc' },
      select: { tenantId: true, epoch: true, generation: true, hash: true },
    });
    return rows.map((row) => ({ ...row, generation: Number(row.generation) }));
  }

  /** The head on record, or a new one when the pool's bundles have changed. */
  async function headOf(pool: string): Promise<{ envelope: string; generation: number }> {
    return db.prisma.$transaction(async (tx) => {
      await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`vrsky.head ${pool}`}, 0))`;
      const { epoch } = await tx.platformState.findFirstOrThrow();
      const bundles = await listBundles(pool);
      const hash = headContentHash(platform, epoch, bundles);
      const standing = await tx.poolHead.findUnique({ where: { pool } });
      if (standing?.contentHash === hash) return { envelope: standing.envelope, generation: Number(standing.generation) };
      const fence = await nextFence(tx);
      const row = {
        epoch: fence.epoch,
        generation: BigInt(fence.generation),
        contentHash: hash,
        envelope: signHead(platform, pool, fence, bundles),
        updatedAt: new Date(),
      };
      await tx.poolHead.upsert({ where: { pool }, create: { pool, ...row }, update: row });
      return { envelope: row.envelope, generation: fence.generation };
    });
  }

  async function deliver(tenantId: string): Promise<void> {
    const { tenant, bundle, nodes } = await readTenant(tenantId);
    const account = openTenantAccount(platform.kek, tenant);
    await bus.ensureTenant(account);
    const pipelines = await db.prisma.pipeline.findMany({ where: { tenantId, deletedAt: null, publishedRevision: { not: null } }, select: { id: true } });
    for (const { id } of pipelines) await bus.ensurePipelineConsumer(account, id);
    const bucket = await openBucket();
    for (const node of nodes) await ensureDocument(bucket, configKeys.grant(node.id, tenantId), await grantOf(node, account));
    if (bundle) await ensureDocument(bucket, configKeys.bundle(tenant.pool, tenantId), bundle.envelope);
  }

  async function compare(tenantId: string): Promise<boolean> {
    const { tenant, bundle, nodes } = await readTenant(tenantId);
    const bucket = await openBucket();
    if (bundle && (await bucket.get(configKeys.bundle(tenant.pool, tenantId)))?.value !== bundle.envelope) return false;
    const grants = new Map((await db.prisma.nodeGrant.findMany({ where: { tenantId } })).map((row) => [row.nodeId, row]));
    for (const node of nodes) {
      const grant = grants.get(node.id);
      if (grant?.basis !== grantBasis(platform, node, tenantId)) return false;
      if ((await bucket.get(configKeys.grant(node.id, tenantId)))?.value !== grant.envelope) return false;
    }
    return true;
  }

  return {
    isReady: (tenantId) => ready.has(tenantId),
    async deliverTenant(tenantId) {
      // One after the other: two that set up the same account would trip over each other.
      const before = running.get(tenantId) ?? Promise.resolve();
      const own = before.then(
        () => deliver(tenantId),
        () => deliver(tenantId),
      );
      running.set(tenantId, own);
      try {
        await own;
        ready.add(tenantId);
      } finally {
        if (running.get(tenantId) === own) running.delete(tenantId);
      }
    },
    async isDelivered(tenantId) {
      const delivered = await compare(tenantId);
      if (delivered) ready.add(tenantId);
      return delivered;
    },
    async deliverHead(pool) {
      const head = await headOf(pool);
      await ensureDocument(await openBucket(), configKeys.head(pool), head.envelope);
      metrics.generationDesired.set({ pool }, head.generation);
    },
    async listPools() {
      const rows = await db.prisma.$queryRaw<{ pool: string }[]>`SELECT pool FROM tenant UNION SELECT pool FROM node WHERE removed_at IS NULL ORDER BY pool`;
      return rows.map((row) => row.pool);
    },
    async renewBundles() {
      const rows = await db.prisma.$queryRaw<{ tenantId: string }[]>`
        SELECT b.tenant_id AS "tenantId" FROM bundle b, platform_state s WHERE b.epoch < s.epoch OR b.envelope::jsonb ->> 'keyId' <> ${platform.bundleKey.keyId}`;
      for (const { tenantId } of rows) {
        await withTenant(db, tenantId, async (tx) => {
          await lockBundle(tx, tenantId);
          await writeBundle(tx, platform, tenantId, await nextFence(tx));
        });
      }
    },
  };
}
