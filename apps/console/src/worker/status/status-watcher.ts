import type { BusAdmin } from '@vrsky/bus/admin';
import type { BucketEntry } from '@vrsky/bus/bucket';
import { createStatusBucket } from '@vrsky/bus/status-bucket';
import { type Lease, leaseSchema, type NodeLiveness, type Report, reportSchema } from '@vrsky/contracts/node-status';
import type { Db } from '@vrsky/db/client';
import { backoff } from '@vrsky/kernel/backoff';
import { describeError } from '@vrsky/kernel/errors';
import { every, sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { z } from 'zod';
import { liveness } from '../../features/nodes/server/liveness.ts';
import type { LiveNotice } from '../../server/live-channel.ts';
import type { WorkerMetrics } from '../metrics.ts';
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

/** Writes what nodes say about themselves (leases, reports) into the tables, until `stop` aborts. Of each key only the newest word counts. */
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
        const notice = await takeEntry(db, next, log);
        if (notice) onChanged(notice);
        retry.reset();
        // A newer word that came meanwhile stays.
        if (fresh.get(next.key) === next) fresh.delete(next.key);
      } catch (error) {
        log.warn({ key: next.key, reason: describeError(error) }, 'a node state could not be written, trying again');
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

/** Writes one entry; gives back what pages should look at again, or null when nothing they show has changed. */
async function takeEntry(db: Db, entry: BucketEntry, log: Log): Promise<LiveNotice | null> {
  const [, nodeId = '', kind = '', tenantId = ''] = entry.key.split('.');
  if (entry.value === null) return null;
  // NATS lets a node write its own keys only, so the key says whose word it is, and the text has to agree.
  if (kind === 'lease') {
    const lease = parse(leaseSchema, entry, log);
    return lease?.nodeId === nodeId ? takeLease(db, lease) : null;
  }
  const report = parse(reportSchema, entry, log);
  return report?.nodeId === nodeId && report.tenantId === tenantId ? takeReport(db, report) : null;
}

async function takeLease(db: Db, lease: Lease): Promise<LiveNotice | null> {
  const { rows } = await db.pool.query<{ changed: boolean }>(
    `WITH old AS (SELECT id, version, stopping, connectors, started_at FROM node WHERE id = $1)
     UPDATE node SET lease_at = GREATEST(node.lease_at, LEAST($2::timestamptz, now())), started_at = $3, version = $4, ingest_url = $5, stopping = $6, connectors = $7
     FROM old WHERE node.id = old.id AND node.removed_at IS NULL
     RETURNING (old.version, old.stopping, old.started_at) IS DISTINCT FROM (node.version, node.stopping, node.started_at)
       OR (SELECT jsonb_agg(c - 'cpuSeconds' - 'rssBytes') FROM jsonb_array_elements(old.connectors) c) IS DISTINCT FROM (SELECT jsonb_agg(c - 'cpuSeconds' - 'rssBytes') FROM jsonb_array_elements(node.connectors) c) AS changed`,
    [lease.nodeId, lease.at, lease.startedAt, lease.version, lease.ingestUrl, lease.stopping, JSON.stringify(lease.connectors)],
  );
  return rows[0]?.changed ? { tenantId: null, kind: 'nodes' } : null;
}

/** A node or tenant that is not in the database is not written, and neither is a word about a tenant of another pool. */
async function takeReport(db: Db, report: Report): Promise<LiveNotice | null> {
  const json = (value: unknown) => (value === null ? null : JSON.stringify(value));
  const { rowCount } = await db.pool.query(
    `INSERT INTO node_report (tenant_id, node_id, at, received, applied, rejected, pipelines)
     SELECT t.id, n.id, $3, $4, $5, $6, $7 FROM node n JOIN tenant t ON t.pool = n.pool WHERE n.id = $2 AND t.id = $1 AND n.removed_at IS NULL
     ON CONFLICT (tenant_id, node_id) DO UPDATE SET at = EXCLUDED.at, received = EXCLUDED.received, applied = EXCLUDED.applied, rejected = EXCLUDED.rejected, pipelines = EXCLUDED.pipelines
     WHERE (node_report.received, node_report.applied, node_report.rejected, node_report.pipelines) IS DISTINCT FROM (EXCLUDED.received, EXCLUDED.applied, EXCLUDED.rejected, EXCLUDED.pipelines)`,
    [report.tenantId, report.nodeId, report.at, json(report.received), json(report.applied), json(report.rejected), JSON.stringify(report.pipelines)],
  );
  return rowCount ? { tenantId: report.tenantId, kind: 'rollout' } : null;
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
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'it is not JSON' });
    return z.NEVER;
  }
}
