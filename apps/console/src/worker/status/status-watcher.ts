import type { BusAdmin } from '@vrsky/bus/admin';
import type { BucketEntry } from '@vrsky/bus/bucket';
import { createStatusBucket } from '@vrsky/bus/status-bucket';
import {
  type ConnectorState,
  type Lease,
  leaseSchema,
  type NodeLiveness,
  type Offers,
  offersSchema,
  type Report,
  reportSchema,
} from '@vrsky/contracts/node-status';
import type { Db } from '@vrsky/db/client';
import { backoff } from '@vrsky/kernel/backoff';
import { describeError } from '@vrsky/kernel/errors';
import { every, sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { z } from 'zod';
import { liveness } from '../../features/nodes/server/liveness.ts';
import type { LiveNotice } from '../../server/live-channel.ts';
import type { WorkerMetrics } from '../metrics.ts';
import { storable } from '../storable.ts';
import { createWakeup } from '../wakeup.ts';

export interface StatusWatcherOptions {
  db: Db;
  bus: BusAdmin;
  onChanged(notice: LiveNotice): void;
  metrics: WorkerMetrics;
  log: Log;
}

const LIVENESS_EVERY_MS = 2_000;
const IDLE_MS = 60_000;

/** Writes what nodes say about themselves (leases, offers, reports) into the tables, until `stop` aborts. Of each key only the newest word counts. */
export async function runStatusWatcher({ db, bus, onChanged, metrics, log }: StatusWatcherOptions, stop: AbortSignal): Promise<void> {
  const fresh = new Map<string, BucketEntry>();
  const wakeup = createWakeup(stop);

  async function watch(): Promise<void> {
    const retry = backoff({ initialMs: 200, maxMs: 5_000 });
    while (!stop.aborted) {
      try {
        const nc = await bus.control();
        retry.reset();
        const take = (entry: BucketEntry): void => {
          fresh.set(entry.key, entry);
          wakeup.wake();
        };
        const closed = AbortSignal.any([stop, closedSignal(nc.closed())]);
        await createStatusBucket(nc).watch('node.>', take, closed, {
          onError: (error) => log.info({ reason: describeError(error) }, 'the watch of node states starts anew'),
        });
      } catch (error) {
        log.info({ reason: describeError(error) }, 'node states cannot be watched yet');
      }
      await sleep(retry.nextMs(), stop);
    }
  }

  async function write(): Promise<void> {
    const retry = backoff({ initialMs: 200, maxMs: 5_000 });
    while (!stop.aborted) {
      const [next] = fresh.values();
      if (!next) {
        await wakeup.wait(IDLE_MS);
        continue;
      }
      try {
        for (const notice of await takeEntry(db, next, log)) onChanged(notice);
        retry.reset();
        // A newer word that came meanwhile stays.
        if (fresh.get(next.key) === next) fresh.delete(next.key);
      } catch (error) {
        log.warn({ key: next.key, reason: describeError(error) }, 'a node state could not be written, trying again');
        // Behind the others: one word that the database refuses holds up no other node.
        const newest = fresh.get(next.key);
        fresh.delete(next.key);
        if (newest) fresh.set(next.key, newest);
        await sleep(retry.nextMs(), stop);
      }
    }
  }

  let before = '';
  /** Silence is no event: somebody has to look at the clock. */
  async function followLiveness(): Promise<void> {
    const nodes = await db.prisma.node.findMany({ where: { removedAt: null }, select: { id: true, leaseAt: true, stopping: true }, orderBy: { id: 'asc' } });
    const nowMs = Date.now();
    const states = nodes.map((node): [string, NodeLiveness] => [node.id, liveness(node, nowMs)]);
    for (const state of ['live', 'silent', 'gone'] as const) metrics.nodes.set({ liveness: state }, states.filter(([, is]) => is === state).length);
    const now = JSON.stringify(states);
    if (now === before) return;
    before = now;
    onChanged({ tenantId: null, kind: 'nodes' });
    onChanged({ tenantId: null, kind: 'rollout' });
  }

  await Promise.all([
    watch(),
    write(),
    every(LIVENESS_EVERY_MS, followLiveness, stop, (error) => log.warn({ reason: describeError(error) }, 'liveness could not be read')),
  ]);
}

function closedSignal(closed: Promise<unknown>): AbortSignal {
  const controller = new AbortController();
  void closed.then(() => controller.abort());
  return controller.signal;
}

/** Writes one entry; gives back what pages should look at again: nothing when nothing they show has changed. */
async function takeEntry(db: Db, entry: BucketEntry, log: Log): Promise<LiveNotice[]> {
  const [, nodeId = '', kind = '', tenantId = ''] = entry.key.split('.');
  if (entry.value === null) return [];
  // NATS lets a node write its own keys only, so the key says whose word it is, and the text has to agree.
  if (kind === 'lease') {
    const lease = parse(leaseSchema, entry, log);
    return lease?.nodeId === nodeId ? takeLease(db, lease) : [];
  }
  if (kind === 'offers') {
    const offers = parse(offersSchema, entry, log);
    return offers?.nodeId === nodeId ? takeOffers(db, offers) : [];
  }
  const report = parse(reportSchema, entry, log);
  return report?.nodeId === nodeId && report.tenantId === tenantId ? takeReport(db, report) : [];
}

async function takeLease(db: Db, lease: Lease): Promise<LiveNotice[]> {
  const shared = lease.connectors.filter((connector) => connector.tenantId === null);
  const { rows } = await db.pool.query<{ changed: boolean }>(
    `WITH old AS (SELECT id, version, stopping, connectors, started_at, sandbox FROM node WHERE id = $1)
     UPDATE node SET lease_at = GREATEST(node.lease_at, LEAST($2::timestamptz, now())), started_at = $3, version = $4, ingest_url = $5, stopping = $6, connectors = $7, sandbox = $8
     FROM old WHERE node.id = old.id AND node.removed_at IS NULL
     RETURNING (old.version, old.stopping, old.started_at, old.sandbox) IS DISTINCT FROM (node.version, node.stopping, node.started_at, node.sandbox)
       OR ${steady('old.connectors')} IS DISTINCT FROM ${steady('node.connectors')} AS changed`,
    [lease.nodeId, lease.at, lease.startedAt, lease.version, lease.ingestUrl, lease.stopping, JSON.stringify(shared), JSON.stringify(lease.sandbox)],
  );
  const [row] = rows;
  if (!row) return [];
  const own = await takeProcesses(db, lease);
  return row.changed ? [{ tenantId: null, kind: 'nodes' }, ...own] : own;
}

/** The part of a list of processes that is worth a notice: CPU and memory change with every lease. */
function steady(column: string): string {
  return `(SELECT jsonb_agg(c - 'cpuSeconds' - 'rssBytes') FROM jsonb_array_elements(${column}) c)`;
}

/** Each tenant's own processes go into rows of that tenant; a word about a tenant of another pool is not written. */
async function takeProcesses(db: Db, lease: Lease): Promise<LiveNotice[]> {
  const byTenant = new Map<string, ConnectorState[]>();
  for (const connector of lease.connectors) {
    if (connector.tenantId !== null) byTenant.set(connector.tenantId, [...(byTenant.get(connector.tenantId) ?? []), connector]);
  }
  const { rows } = await db.pool.query<{ tenantId: string }>(
    `WITH said AS (
       SELECT t.id AS tenant_id, n.id AS node_id, s.connectors FROM unnest($2::text[], $3::jsonb[]) AS s(tenant_id, connectors)
       JOIN node n ON n.id = $1 AND n.removed_at IS NULL JOIN tenant t ON t.id = s.tenant_id AND t.pool = n.pool
     ), old AS (
       SELECT tenant_id, connectors FROM node_process WHERE node_id = $1
     ), ended AS (
       DELETE FROM node_process WHERE node_id = $1 AND tenant_id <> ALL (SELECT tenant_id FROM said) RETURNING tenant_id
     ), taken AS (
       INSERT INTO node_process (tenant_id, node_id, connectors) SELECT tenant_id, node_id, connectors FROM said
       ON CONFLICT (tenant_id, node_id) DO UPDATE SET connectors = EXCLUDED.connectors WHERE node_process.connectors IS DISTINCT FROM EXCLUDED.connectors
       RETURNING tenant_id, connectors
     )
     SELECT tenant_id AS "tenantId" FROM ended
     UNION ALL SELECT taken.tenant_id FROM taken LEFT JOIN old USING (tenant_id) WHERE ${steady('old.connectors')} IS DISTINCT FROM ${steady('taken.connectors')}`,
    [lease.nodeId, [...byTenant.keys()], [...byTenant.values()].map((connectors) => JSON.stringify(connectors))],
  );
  return rows.map(({ tenantId }) => ({ tenantId, kind: 'nodes' }));
}

/** What a node offers, whole: what it no longer names is gone. */
async function takeOffers(db: Db, offers: Offers): Promise<LiveNotice[]> {
  const { rowCount } = await db.pool.query(
    `INSERT INTO node_offers (node_id, at, connectors, problems) SELECT n.id, LEAST($2::timestamptz, now()), $3, $4 FROM node n WHERE n.id = $1 AND n.removed_at IS NULL
     ON CONFLICT (node_id) DO UPDATE SET at = EXCLUDED.at, connectors = EXCLUDED.connectors, problems = EXCLUDED.problems
     WHERE (node_offers.connectors, node_offers.problems) IS DISTINCT FROM (EXCLUDED.connectors, EXCLUDED.problems)`,
    [offers.nodeId, offers.at, JSON.stringify(offers.connectors), JSON.stringify(offers.problems)],
  );
  return rowCount ? [{ tenantId: null, kind: 'nodes' }] : [];
}

/** A node or tenant that is not in the database is not written, and neither is a word about a tenant of another pool. */
async function takeReport(db: Db, report: Report): Promise<LiveNotice[]> {
  const json = (value: unknown) => (value === null ? null : JSON.stringify(value));
  const { rowCount } = await db.pool.query(
    `INSERT INTO node_report (tenant_id, node_id, at, received, applied, rejected, pipelines)
     SELECT t.id, n.id, $3, $4, $5, $6, $7 FROM node n JOIN tenant t ON t.pool = n.pool WHERE n.id = $2 AND t.id = $1 AND n.removed_at IS NULL
     ON CONFLICT (tenant_id, node_id) DO UPDATE SET at = EXCLUDED.at, received = EXCLUDED.received, applied = EXCLUDED.applied, rejected = EXCLUDED.rejected, pipelines = EXCLUDED.pipelines
     WHERE (node_report.received, node_report.applied, node_report.rejected, node_report.pipelines) IS DISTINCT FROM (EXCLUDED.received, EXCLUDED.applied, EXCLUDED.rejected, EXCLUDED.pipelines)`,
    [report.tenantId, report.nodeId, report.at, json(report.received), json(report.applied), json(report.rejected), JSON.stringify(report.pipelines)],
  );
  return rowCount ? [{ tenantId: report.tenantId, kind: 'rollout' }] : [];
}

function parse<T>(schema: z.ZodType<T>, entry: BucketEntry, log: Log): T | null {
  const parsed = z
    .string()
    .transform((text, context) => parseJson(text, context))
    .pipe(schema)
    .safeParse(entry.value);
  if (parsed.success) return parsed.data;
  log.warn({ key: entry.key, problem: z.prettifyError(parsed.error).slice(0, 300) }, 'a node state was not understood');
  return null;
}

function parseJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text, storable);
  } catch {
    context.addIssue({ code: 'custom', message: 'it is not JSON' });
    return z.NEVER;
  }
}
