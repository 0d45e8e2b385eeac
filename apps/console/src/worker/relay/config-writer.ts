import type { BusAdmin } from '@vrsky/bus/admin';
import type { Bucket } from '@vrsky/bus/bucket';
import { createConfigBucket } from '@vrsky/bus/config-bucket';
import { type Bundle, bundleSchema, type Fence } from '@vrsky/contracts/bundle';
import { documentPlace, secretSetHash } from '@vrsky/contracts/sealed-secrets';
import { signedEnvelopeSchema } from '@vrsky/contracts/signed';
import { configKeys } from '@vrsky/contracts/subjects';
import { type Db, withTenant } from '@vrsky/db/client';
import { lockBundle, namedSecrets, nextFence, writeBundle } from '../../features/pipelines/server/write-bundle.ts';
import { readSecretSet, sealSecretSet } from '../../features/secrets/server/secret-set.ts';
import { openTenantAccount } from '../../features/tenancy/server/tenant-account.ts';
import type { Platform } from '../../server/platform.ts';
import type { WorkerMetrics } from '../metrics.ts';
import { type BundleFence, ensureDocument, type GrantNode, grantBasis, headContentHash, secretsBasis, signGrant, signHead, signSecrets } from './documents.ts';

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
/** Nodes that are sealed to in one transaction: a node may have some hundred values, of a millisecond each. */
const SEALED_AT_ONCE_MAX = 8;

/** A tenant's bundle, and what each node gets of the secrets that it needs. */
interface SecretsState {
  bundle: string | null;
  needs: boolean;
  documents: Map<string, string>;
}

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

  /**
   * What each node is to have of the secrets that the tenant's bundle needs, by its id: as it is on record, or sealed anew when the set, the
   * node's key or ours has changed. Bundle and secrets are read as of one moment, since the bundle names the set; a few nodes at a time, since
   * publishing waits meanwhile.
   */
  async function secretsOf(tenantId: string, pool: string, nodes: GrantNode[]): Promise<SecretsState> {
    let state = await sealSome(tenantId, pool, nodes);
    while (!state.isComplete) state = await sealSome(tenantId, pool, nodes);
    return state;
  }

  async function sealSome(tenantId: string, pool: string, nodes: GrantNode[]): Promise<SecretsState & { isComplete: boolean }> {
    return withTenant(db, tenantId, async (tx) => {
      await lockBundle(tx, tenantId);
      const row = await tx.bundle.findUnique({ where: { tenantId_pool: { tenantId, pool } } });
      if (row === null) return { bundle: null, needs: false, documents: new Map(), isComplete: true };
      const { pipelines, secrets: wanted } = readBundle(row.envelope);
      if (wanted === undefined) return { bundle: row.envelope, needs: false, documents: new Map(), isComplete: true };
      const set = await readSecretSet(tx, tenantId, namedSecrets(pipelines));
      if (secretSetHash(set) !== wanted) throw new Error(`bug: the bundle of ${tenantId} does not name the secrets that there are`);
      const { epoch } = await tx.platformState.findFirstOrThrow();
      const standing = new Map((await tx.nodeSecrets.findMany({ where: { tenantId } })).map((item) => [item.nodeId, item]));
      const documents = new Map<string, string>();
      const stale: { node: GrantNode; basis: string; fence: Fence }[] = [];
      let isComplete = true;
      for (const node of nodes) {
        const basis = secretsBasis(platform, node, tenantId, { set: wanted, epoch });
        const found = standing.get(node.id);
        if (found?.basis === basis) documents.set(node.id, found.envelope);
        else if (stale.length < SEALED_AT_ONCE_MAX) stale.push({ node, basis, fence: await nextFence(tx) });
        else isComplete = false;
      }
      const targets = stale.map(({ node, fence }) => ({ nodeId: node.id, sealKey: node.sealKey, within: documentPlace(fence) }));
      const sealed = await sealSecretSet(tx, platform.kek, tenantId, { set, targets });
      for (const { node, basis, fence } of stale) {
        const envelope = signSecrets(platform, node.id, tenantId, { fence, secrets: sealed.get(node.id) ?? [] });
        const record = { basis, envelope, issuedAt: new Date() };
        const key = { tenantId_nodeId: { tenantId, nodeId: node.id } };
        await tx.nodeSecrets.upsert({ where: key, create: { tenantId, nodeId: node.id, ...record }, update: record });
        documents.set(node.id, envelope);
      }
      return { bundle: row.envelope, needs: true, documents, isComplete };
    });
  }

  /** Nodes have no use any more for secrets that no published pipeline refers to. */
  async function withdrawSecrets(bucket: Bucket, tenantId: string): Promise<void> {
    for (const { nodeId } of await db.prisma.nodeSecrets.findMany({ where: { tenantId }, select: { nodeId: true } })) {
      await bucket.delete(configKeys.secrets(nodeId, tenantId));
      await db.prisma.nodeSecrets.delete({ where: { tenantId_nodeId: { tenantId, nodeId } } });
    }
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
    const { tenant, bundle: known, nodes } = await readTenant(tenantId);
    const account = openTenantAccount(platform.kek, tenant);
    await bus.ensureTenant(account);
    const pipelines = await db.prisma.pipeline.findMany({ where: { tenantId, deletedAt: null, publishedRevision: { not: null } }, select: { id: true } });
    // One that is paused is in no bundle: its queues stay as they are.
    const strict = known === null ? new Map<string, boolean>() : strictOrders(readBundle(known.envelope));
    for (const { id } of pipelines) await bus.ensurePipelineConsumer(account, id, strict.get(id));
    const bucket = await openBucket();
    for (const node of nodes) await ensureDocument(bucket, configKeys.grant(node.id, tenantId), await grantOf(node, account));
    // The secrets first: a node applies a bundle when it has those that the bundle names.
    const { bundle, needs, documents } = await secretsOf(tenantId, tenant.pool, nodes);
    for (const [nodeId, envelope] of documents) await ensureDocument(bucket, configKeys.secrets(nodeId, tenantId), envelope);
    if (bundle !== null) await ensureDocument(bucket, configKeys.bundle(tenant.pool, tenantId), bundle);
    if (!needs) await withdrawSecrets(bucket, tenantId);
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
    return compareSecrets(bucket, tenantId, bundle?.envelope, nodes);
  }

  async function compareSecrets(bucket: Bucket, tenantId: string, bundle: string | undefined, nodes: GrantNode[]): Promise<boolean> {
    const wanted = bundle === undefined ? undefined : readBundle(bundle).secrets;
    const given = new Map((await db.prisma.nodeSecrets.findMany({ where: { tenantId } })).map((row) => [row.nodeId, row]));
    if (wanted === undefined) return given.size === 0;
    const { epoch } = await db.prisma.platformState.findFirstOrThrow();
    for (const node of nodes) {
      const row = given.get(node.id);
      if (row?.basis !== secretsBasis(platform, node, tenantId, { set: wanted, epoch })) return false;
      if ((await bucket.get(configKeys.secrets(node.id, tenantId)))?.value !== row.envelope) return false;
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

/** By pipeline, whether any of its destinations gets its messages in strict order. */
function strictOrders({ pipelines }: Bundle): Map<string, boolean> {
  return new Map(pipelines.map(({ pipelineId, spec }) => [pipelineId, spec.destinations.some(({ order }) => order === 'strict')]));
}

/** One that we signed ourselves: its text is known to be right. */
function readBundle(envelope: string): Bundle {
  return bundleSchema.parse(JSON.parse(signedEnvelopeSchema.parse(JSON.parse(envelope)).payload));
}
