import { isUp } from '@vrsky/bus/connect';
import { findConsumerState } from '@vrsky/bus/consumer-state';
import { consumerNames, streamNames } from '@vrsky/contracts/subjects';
import { every, type Part } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import type { Counter } from 'prom-client';
import { topRows } from './core/label-budget.ts';
import type { NodeMetrics } from './metrics.ts';
import type { Tenant } from './tenant.ts';

/** What the gauges look at. */
export interface Gauged {
  queues(): Queue[];
  tenants(): Tenant[];
  config(): { tenantId: string; desired: number | null; applied: number | null }[];
  control(): { isUp: boolean; contactAtMs: number | null };
  intakeWaiting(): number;
  logic(): { pending: number; replaced: number };
}

interface Queue {
  tenant: Tenant;
  pipelineId: string;
  packsInHand: number;
  messagesInHand: number;
  oldestStoredAtMs: number | null;
  isOrdered: boolean;
  blockedStoredAtMs: number | null;
}

/** Pipelines that are shown by name. */
const topMax = 50;
const askEveryMs = 10_000;

interface Pending {
  packs: number;
  /** Since when packs wait that nobody took, as far as we know. */
  sinceMs: number | null;
}

/** Sets the gauges when somebody reads them; what has to be asked from the server is asked beforehand, every few seconds. */
export function createNodeGauges(metrics: NodeMetrics, gauged: Gauged, log: Log): Part & { update(): void } {
  const pending = new Map<string, Pending>();
  const ended = new AbortController();
  let asking: Promise<void> = Promise.resolve();

  const ask = async (): Promise<void> => {
    const seen = new Set<string>();
    for (const { tenant, pipelineId, isOrdered } of gauged.queues()) {
      const key = `${tenant.tenantId} ${pipelineId}`;
      seen.add(key);
      if (!tenant.bus.isUp()) continue;
      const packs = await pendingOf(tenant, pipelineId, isOrdered);
      if (packs !== null) pending.set(key, { packs, sinceMs: packs === 0 ? null : (pending.get(key)?.sinceMs ?? Date.now()) });
    }
    for (const key of pending.keys()) if (!seen.has(key)) pending.delete(key);
  };

  const setQueues = (nowMs: number): void => {
    const queues = gauged.queues().map((queue) => ({ ...queue, waits: pending.get(`${queue.tenant.tenantId} ${queue.pipelineId}`) }));
    metrics.packsInHand.set(sum(queues.map(({ packsInHand }) => packsInHand)));
    metrics.messagesInHand.set(sum(queues.map(({ messagesInHand }) => messagesInHand)));
    const label = ({ tenant, pipelineId }: { tenant: Tenant; pipelineId: string }) => ({ tenant: tenant.tenantId, pipeline: pipelineId });
    const rows = (gauge: NodeMetrics['queueAge'], values: { value: number; labels: { tenant: string; pipeline: string } }[]): void => {
      gauge.reset();
      const { top, otherMax } = topRows(values, topMax);
      for (const { value, labels } of top) gauge.set(labels, value);
      if (otherMax !== null) gauge.set({ tenant: '_other', pipeline: '_other' }, otherMax);
    };
    rows(
      metrics.queueAge,
      queues.map((queue) => {
        const oldestMs = Math.min(queue.oldestStoredAtMs ?? nowMs, queue.waits?.sinceMs ?? nowMs);
        return { value: Math.max(0, nowMs - oldestMs) / 1_000, labels: label(queue) };
      }),
    );
    rows(
      metrics.orderedBlocked,
      queues.flatMap((queue) =>
        queue.blockedStoredAtMs === null ? [] : { value: Math.max(0, nowMs - queue.blockedStoredAtMs) / 1_000, labels: label(queue) },
      ),
    );
    rows(
      metrics.queuePending,
      queues.map((queue) => ({ value: queue.waits?.packs ?? 0, labels: label(queue) })),
    );
  };

  const setConfig = (nowMs: number): void => {
    metrics.generation.reset();
    for (const { tenantId, desired, applied } of gauged.config()) {
      const tenant = metrics.tenantLabel(tenantId);
      if (tenant === '_other') continue; // a largest or smallest generation of many tenants means nothing
      if (desired !== null) metrics.generation.set({ tenant, state: 'desired' }, desired);
      if (applied !== null) metrics.generation.set({ tenant, state: 'applied' }, applied);
    }
    const { isUp: controlUp, contactAtMs } = gauged.control();
    if (contactAtMs !== null) metrics.configAge.set(Math.max(0, nowMs - contactAtMs) / 1_000);
    const tenants = gauged.tenants();
    metrics.natsUp.set({ account: 'CONTROL' }, controlUp ? 1 : 0);
    metrics.natsUp.set({ account: 'tenants' }, tenants.every(({ bus }) => bus.isUp()) ? 1 : 0);
  };

  const setLogic = (): void => {
    const { pending: waiting, replaced } = gauged.logic();
    metrics.logicPending.set(waiting);
    setCounter(metrics.logicReplaced, {}, replaced);
    metrics.intakeWaiting.set(gauged.intakeWaiting());
  };

  return {
    name: 'gauges',
    async start() {
      asking = every(askEveryMs, ask, ended.signal, (error) => log.debug({ err: error }, 'queues could not be measured'));
    },
    update() {
      const nowMs = Date.now();
      setQueues(nowMs);
      setConfig(nowMs);
      setLogic();
    },
    async [Symbol.asyncDispose]() {
      ended.abort();
      await asking;
    },
  };
}

/** For a count that somebody else keeps: it only grows, and begins anew with its process, as a counter may. */
function setCounter<T extends string>(counter: Counter<T>, labels: Partial<Record<T, string>>, total: number): void {
  counter.remove(labels);
  counter.inc(labels, total);
}

/** Packs of a pipeline that no node has taken; null when the server does not answer now. Those in strict order count in both of their queues. */
async function pendingOf(tenant: Tenant, pipelineId: string, isOrdered: boolean): Promise<number | null> {
  const nc = await tenant.bus.connected;
  if (!isUp(nc)) return null;
  const names = [consumerNames.pipeline(pipelineId), ...(isOrdered ? [consumerNames.ordered(pipelineId)] : [])];
  const states = await Promise.all(names.map((name) => findConsumerState(nc, streamNames.ingest, name)));
  return states[0] === null ? null : sum(states.map((state) => state?.pending ?? 0));
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
