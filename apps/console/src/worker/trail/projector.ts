import type { BusAdmin, TenantAccount } from '@vrsky/bus/admin';
import type { Db } from '@vrsky/db/client';
import { backoff } from '@vrsky/kernel/backoff';
import { describeError } from '@vrsky/kernel/errors';
import { every, sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import type { WorkerMetrics } from '../metrics.ts';
import { createWakeup } from '../wakeup.ts';
import { createPartitions } from './partitions.ts';
import { projectBatch } from './project-batch.ts';
import { openTenantTrail, type TenantTrail } from './tenant-trail.ts';

export interface ProjectorOptions {
  db: Db;
  bus: BusAdmin;
  /** Whose trails to read; asked again every few seconds. */
  listTenants(): Promise<TenantAccount[]>;
  onChanged(tenantId: string, pipelineIds: Set<string>): void;
  /** The books of a tenant's connectors. */
  onCalls(tenantId: string): void;
  metrics: WorkerMetrics;
  log: Log;
}

const TENANTS_EVERY_MS = 2_000;
const HEARTBEAT_EVERY_MS = 1_000;
const PARTITIONS_EVERY_MS = 3_600_000;
const KEEP_ALIVE_EVERY_MS = 10_000;
const IDLE_MS = 60_000;
const BATCH_MESSAGES_MAX = 2_000;
/** After each batch the projector rests this many times as long as the batch kept a core busy: a fifth of one core at most. */
const REST_FACTOR = 4;
/** Postgres works about as long on a batch as we do. */
const POSTGRES_SHARE = 2;
/** So that single messages share a transaction. */
const REST_LEAST_MS = 40;

/**
 * Reads the tenants' trails into the tables that the pages query, until `stop` aborts. Off the hot path: it takes turns between tenants
 * and rests after each batch, so it falls behind under load, says so, and catches up. Records are acknowledged after they are stored.
 */
export async function runProjector(options: ProjectorOptions, stop: AbortSignal): Promise<void> {
  const { db, bus, metrics, log } = options;
  const trails = new Map<string, TenantTrail>();
  const partitions = createPartitions();
  const wakeup = createWakeup(stop);
  const onError = (what: string) => (error: unknown) => log.warn({ reason: describeError(error) }, what);

  async function followTenants(): Promise<void> {
    const tenants = await options.listTenants();
    const wanted = new Set(tenants.map((tenant) => tenant.tenantId));
    for (const trail of trails.values()) if (!wanted.has(trail.tenantId)) await close(trail);
    for (const tenant of tenants) if (!trails.has(tenant.tenantId) && !stop.aborted) await open(tenant);
  }

  async function open(tenant: TenantAccount): Promise<void> {
    const { tenantId } = tenant;
    const about = (error: unknown) => ({ tenantId, reason: describeError(error) });
    try {
      const trail = await openTenantTrail(bus, tenant, {
        onRecord: wakeup.wake,
        onTrouble: (error) => log.info(about(error), 'the trail is read again in a moment'),
        onEnded: (error) => {
          log.info(about(error), 'the trail is opened anew');
          trails.delete(tenantId);
        },
      });
      trails.set(tenantId, trail);
    } catch (error) {
      // A tenant that is being set up, or NATS is away; the other tenants need not wait.
      log.info(about(error), 'the trail cannot be read yet');
    }
  }

  async function close(trail: TenantTrail): Promise<void> {
    trails.delete(trail.tenantId);
    await trail.close();
  }

  async function project(): Promise<void> {
    const retry = backoff({ initialMs: 200, maxMs: 10_000 });
    let lastServed = '';
    while (!stop.aborted) {
      const trail = nextTrail([...trails.values()], lastServed);
      if (!trail) {
        await wakeup.wait(IDLE_MS);
        continue;
      }
      lastServed = trail.tenantId;
      const started = { wallMs: performance.now(), cpu: process.cpuUsage() };
      try {
        await projectNext(trail);
        retry.reset();
      } catch (error) {
        log.warn({ tenantId: trail.tenantId, reason: describeError(error) }, 'trail records could not be stored, trying again');
        await sleep(retry.nextMs(), stop);
      }
      await sleep(Math.max(REST_LEAST_MS, REST_FACTOR * busyMs(started)), stop);
    }
  }

  async function projectNext(trail: TenantTrail): Promise<void> {
    const packs = trail.peek(BATCH_MESSAGES_MAX);
    const client = await db.pool.connect();
    try {
      const { pipelineIds, connectors } = await projectBatch({
        client,
        partitions,
        metrics,
        log,
        tenantId: trail.tenantId,
        packs,
        behind: trail.waiting > packs.length,
      });
      trail.settle(packs.length);
      if (pipelineIds.size > 0) options.onChanged(trail.tenantId, pipelineIds);
      if (connectors.size > 0) options.onCalls(trail.tenantId);
    } finally {
      client.release();
    }
  }

  /** Says how far the projection is, also when there is nothing to project: then it is as of now, unless the stream cannot be seen. */
  async function heartbeat(): Promise<void> {
    const nowMs = Date.now();
    const oldestMs = Math.min(nowMs, ...[...trails.values()].flatMap((trail) => trail.oldestMs ?? []));
    metrics.projectorLagSeconds.set((nowMs - oldestMs) / 1_000);
    const isBehind = [...trails.values()].map((trail) => trail.waiting > 0 || !trail.isUp);
    await db.pool.query(
      'UPDATE trail_position p SET behind = now.behind FROM unnest($1::text[], $2::boolean[]) AS now (tenant_id, behind) WHERE p.tenant_id = now.tenant_id AND p.behind <> now.behind',
      [[...trails.keys()], isBehind],
    );
    await db.pool.query('UPDATE platform_state SET projector_seen_at = now()');
  }

  async function turnPartitions(): Promise<void> {
    const client = await db.pool.connect();
    try {
      await partitions.turn(client, Date.now());
    } finally {
      client.release();
    }
  }

  async function keepAlive(): Promise<void> {
    for (const trail of trails.values()) trail.keepAlive();
  }

  await Promise.all([
    every(PARTITIONS_EVERY_MS, turnPartitions, stop, onError('partitions could not be turned')),
    every(TENANTS_EVERY_MS, followTenants, stop, onError('the tenants could not be listed')),
    every(HEARTBEAT_EVERY_MS, heartbeat, stop, onError('the projection could not say how far it is')),
    every(KEEP_ALIVE_EVERY_MS, keepAlive, stop, onError('trail records could not be kept in hand')),
    project(),
  ]);
  for (const trail of [...trails.values()]) await close(trail);
}

/** What a batch cost. On a machine that is busy with other things the clock says more than that. */
function busyMs(started: { wallMs: number; cpu: NodeJS.CpuUsage }): number {
  const { user, system } = process.cpuUsage(started.cpu);
  return Math.min(performance.now() - started.wallMs, (POSTGRES_SHARE * (user + system)) / 1_000);
}

/** Takes turns: the next tenant that waits, after the one that was served last. */
function nextTrail(trails: TenantTrail[], lastServed: string): TenantTrail | null {
  const waiting = trails.filter((trail) => trail.waiting > 0).sort((a, b) => (a.tenantId < b.tenantId ? -1 : 1));
  return waiting.find((trail) => trail.tenantId > lastServed) ?? waiting[0] ?? null;
}
