import type { BusAdmin } from '@vrsky/bus/admin';
import { onConnectionChange } from '@vrsky/bus/connect';
import type { Db } from '@vrsky/db/client';
import { backoff, backoffMs } from '@vrsky/kernel/backoff';
import { describeError } from '@vrsky/kernel/errors';
import { aborted, every, sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { OUTBOX_CHANNEL } from '../../server/live-channel.ts';
import { listen } from '../listen.ts';
import type { WorkerMetrics } from '../metrics.ts';
import { createWakeup } from '../wakeup.ts';
import type { ConfigWriter } from './config-writer.ts';

export interface RelayOptions {
  db: Db;
  bus: BusAdmin;
  writer: ConfigWriter;
  metrics: WorkerMetrics;
  log: Log;
}

/** Notices are hints; this is the longest that a change waits when one was lost. */
const POLL_MS = 2_000;
const RECONCILE_EVERY_MS = 30_000;
/** Streams and consumers are compared less often: it takes a dozen requests a tenant. */
const ENSURE_EVERY_MS = 600_000;
const ROW_RETRY = { initialMs: 500, maxMs: 60_000 };
const TENANTS_MAX = 100;

/**
 * Carries committed changes from the outbox to NATS until `stop` aborts, and puts back what NATS has lost. A tenant whose delivery fails
 * waits longer each time and holds up no other.
 */
export async function runRelay(options: RelayOptions, stop: AbortSignal): Promise<void> {
  const { db, bus, writer, metrics, log } = options;
  const wakeup = createWakeup(stop);
  const reconcile = createWakeup(stop);
  let isControlReady = false;
  let ensuredMs = Number.NEGATIVE_INFINITY;

  async function prepareControl(): Promise<void> {
    if (isControlReady) return;
    await bus.ensureControl();
    isControlReady = true;
  }

  /** Everything that is due now. */
  async function carryOut(): Promise<void> {
    const due = await findDue(db);
    if (due.length > 0) await prepareControl();
    for (const { tenantId, lastId, attempts } of due) {
      if (stop.aborted) return;
      try {
        await writer.deliverTenant(tenantId);
        await db.pool.query('DELETE FROM outbox WHERE tenant_id = $1 AND id <= $2', [tenantId, lastId]);
      } catch (error) {
        isControlReady = false;
        metrics.relayFailures.inc();
        log.warn({ tenantId, attempts: attempts + 1, reason: describeError(error) }, 'a tenant could not be brought in line, trying again');
        await db.pool.query(
          "UPDATE outbox SET attempts = attempts + 1, last_error = $3, next_at = now() + $4 * interval '1 millisecond' WHERE tenant_id = $1 AND id <= $2",
          [tenantId, lastId, describeError(error).slice(0, 1_000), backoffMs(attempts + 1, ROW_RETRY)],
        );
      }
    }
    if (due.length > 0) for (const pool of await writer.listPools()) await writer.deliverHead(pool);
  }

  /** Looks at every tenant, due or not: a NATS server that was replaced or lost its data says nothing by itself. */
  async function compareAll(): Promise<void> {
    isControlReady = false;
    await prepareControl();
    await writer.renewBundles();
    const ensureToo = performance.now() - ensuredMs > ENSURE_EVERY_MS;
    const tenants = await db.prisma.tenant.findMany({ select: { id: true }, orderBy: { id: 'asc' } });
    for (const { id } of tenants) {
      if (stop.aborted) return;
      try {
        if (ensureToo || !(await writer.isDelivered(id))) await writer.deliverTenant(id);
      } catch (error) {
        metrics.relayFailures.inc();
        log.warn({ tenantId: id, reason: describeError(error) }, 'a tenant could not be compared');
      }
    }
    for (const pool of await writer.listPools()) await writer.deliverHead(pool);
    if (ensureToo) ensuredMs = performance.now();
  }

  async function repeat(what: string, waitMs: number, wake: typeof wakeup, work: () => Promise<void>): Promise<void> {
    const retry = backoff({ initialMs: 200, maxMs: 5_000 });
    while (!stop.aborted) {
      try {
        await work();
        retry.reset();
        await wake.wait(waitMs);
      } catch (error) {
        metrics.relayFailures.inc();
        log.warn({ reason: describeError(error) }, `${what} failed, trying again`);
        await sleep(retry.nextMs(), stop);
      }
    }
  }

  /** After a reconnect the server may be another one. */
  async function watchConnection(): Promise<void> {
    const retry = backoff({ initialMs: 200, maxMs: 5_000 });
    while (!stop.aborted) {
      try {
        const closed = Promise.withResolvers<void>();
        const forget = onConnectionChange(await bus.control(), { up: reconcile.wake, closed: () => closed.resolve() });
        await Promise.race([closed.promise, aborted(stop)]);
        forget();
      } catch (error) {
        log.debug({ reason: describeError(error) }, 'NATS cannot be reached yet');
      }
      await sleep(retry.nextMs(), stop);
    }
  }

  await Promise.all([
    listen({ url: db.url, channel: OUTBOX_CHANNEL, onNotice: wakeup.wake, log }, stop),
    repeat('the relay', POLL_MS, wakeup, carryOut),
    repeat('comparing NATS with the database', RECONCILE_EVERY_MS, reconcile, compareAll),
    watchConnection(),
    every(
      5_000,
      () => measure(db, metrics),
      stop,
      (error) => log.debug({ reason: describeError(error) }, 'the outbox could not be measured'),
    ),
  ]);
}

interface Due {
  tenantId: string;
  lastId: string;
  attempts: number;
}

/** Tenants with a change whose time has come, the longest waiting first, and those that a new node has no grant for. */
async function findDue(db: Db): Promise<Due[]> {
  const { rows } = await db.pool.query<Due>(
    `SELECT tenant_id AS "tenantId", max(last_id)::text AS "lastId", max(attempts) AS attempts FROM (
       SELECT tenant_id, id AS last_id, attempts, created_at FROM outbox WHERE next_at <= now()
       UNION ALL
       SELECT t.id, 0, 0, n.enrolled_at FROM node n JOIN tenant t ON t.pool = n.pool
       WHERE n.removed_at IS NULL AND NOT EXISTS (SELECT 1 FROM node_grant g WHERE g.tenant_id = t.id AND g.node_id = n.id)
         AND GREATEST(n.lease_at, n.enrolled_at) > now() - interval '7 days'
         AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.tenant_id = t.id AND o.next_at > now())
     ) due GROUP BY tenant_id ORDER BY min(created_at) LIMIT ${TENANTS_MAX}`,
  );
  return rows;
}

async function measure(db: Db, metrics: WorkerMetrics): Promise<void> {
  const { rows } = await db.pool.query<{ pending: number; age: number }>(
    'SELECT count(*)::int AS pending, COALESCE(extract(epoch FROM now() - min(created_at)), 0)::float8 AS age FROM outbox',
  );
  metrics.outboxPending.set(rows[0]?.pending ?? 0);
  metrics.outboxOldestSeconds.set(rows[0]?.age ?? 0);
}
