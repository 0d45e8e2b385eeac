import type { SandboxReport } from '@vrsky/contracts/node-status';
import { every, type Part } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { connectorCalls, isStreamMethod } from '@vrsky/plugin/call-gate';
import type { NodeMetrics } from '../metrics.ts';
import type { CallLedgerOptions, LedgerStats } from './call-ledger.ts';
import { findProcessStats, findStartTicks, type ProcessUse } from './process-stats.ts';
import type { ProcessView } from './process-view.ts';

/** What the metrics of connectors look at. */
export interface ObservedProcesses {
  processes(): ProcessView[];
  sandbox(): SandboxReport;
  ledger(): LedgerStats;
}

/** What every process is measured again after; a process that ends takes with it what it used since. */
const SAMPLE_EVERY_MS = 5_000;
/** The tenant of a process that all share. */
const SHARED = '_shared';

interface Sampler {
  readonly pid: number;
  readonly startTicks: number;
  /** The most that was seen: what a child used that nobody waited for must not make a counter fall. */
  cpuSeconds: number;
  use: ProcessUse;
}

type Labels = Record<'connector' | 'version' | 'role' | 'tenant', string>;

/**
 * Measures connector processes: CPU goes into a counter that knows nothing of restarts, what they hold into gauges. Measured every few
 * seconds, one process at a time, so that fifty of them never keep the node from its messages for long; a reader gets what was seen last.
 */
export function createProcessMetrics(metrics: NodeMetrics, observed: ObservedProcesses, log: Log): Part & { update(): void } {
  const samplers = new Map<string, Sampler>();
  const ended = new AbortController();
  /** Counts of the supervisors, as they were when they were last read. */
  const restarts = createDeltas();
  const logBytes = createDeltas();
  const ids = createDeltas();
  const records = createDeltas();
  const strays = createDeltas();
  let running: Promise<void> = Promise.resolve();

  const labelsOf = ({ connector, version, roles, tenantId }: ProcessView): Labels => ({
    ...releaseLabels(metrics, connector, version),
    role: roles.length === 1 ? (roles[0] as string) : roles.length === 0 ? 'unknown' : 'both',
    tenant: tenantId === null ? SHARED : metrics.tenantLabel(tenantId),
  });

  const sample = (view: ProcessView): void => {
    const { pid } = view;
    if (pid === null) return;
    const key = keyOf(view);
    let sampler = samplers.get(key);
    if (sampler === undefined) {
      const startTicks = findStartTicks(pid);
      if (startTicks === null) return;
      sampler = { pid, startTicks, cpuSeconds: 0, use: { cpuSeconds: 0, rssBytes: 0, threads: 0, fds: 0, processes: 0 } };
      samplers.set(key, sampler);
    }
    const use = findProcessStats(pid, sampler.startTicks);
    if (use === null) return;
    sampler.use = use;
    if (use.cpuSeconds <= sampler.cpuSeconds) return;
    metrics.pluginCpu.inc(labelsOf(view), use.cpuSeconds - sampler.cpuSeconds);
    sampler.cpuSeconds = use.cpuSeconds;
  };

  const sampleAll = async (): Promise<void> => {
    const views = observed.processes();
    for (const view of views) {
      sample(view);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const known = new Set(views.map(keyOf));
    for (const key of samplers.keys()) if (!known.has(key)) samplers.delete(key);
  };

  /** Several processes may have the same labels: tenants beyond the budget, or two releases. */
  const setGauges = (views: readonly ProcessView[]): void => {
    const rows = new Map<string, { labels: Labels; isUp: boolean; handshakeSeconds: number; use: ProcessUse }>();
    for (const view of views) {
      const labels = labelsOf(view);
      const key = JSON.stringify(labels);
      const use = samplers.get(keyOf(view))?.use ?? null;
      const isUp = view.state === 'running';
      const row = rows.get(key);
      if (row === undefined) rows.set(key, { labels, isUp, handshakeSeconds: view.handshakeMs / 1_000, use: use === null ? { ...NOTHING } : { ...use } });
      else {
        row.isUp &&= isUp;
        row.handshakeSeconds = Math.max(row.handshakeSeconds, view.handshakeMs / 1_000);
        if (use !== null) add(row.use, use);
      }
    }
    for (const gauge of [metrics.pluginRss, metrics.pluginFds, metrics.pluginThreads, metrics.pluginProcesses, metrics.pluginUp, metrics.pluginHandshake])
      gauge.reset();
    for (const { labels, isUp, handshakeSeconds, use } of rows.values()) {
      metrics.pluginUp.set(labels, isUp ? 1 : 0);
      metrics.pluginHandshake.set(labels, handshakeSeconds);
      metrics.pluginRss.set(labels, use.rssBytes);
      metrics.pluginThreads.set(labels, use.threads);
      metrics.pluginProcesses.set(labels, use.processes);
      if (use.fds !== null) metrics.pluginFds.set(labels, use.fds);
    }
  };

  const setCounters = (views: readonly ProcessView[]): void => {
    for (const view of views) {
      const labels = labelsOf(view);
      const supervisor = [view.connector, view.tenantId, ...view.roles, view.digest].join(' ');
      const again = restarts.since(supervisor, view.restarts);
      // A process that has not said what it is has no series of its own, unless it never gets that far.
      if (view.version !== '' || again > 0) metrics.pluginRestarts.inc(labels, again);
      for (const [kind, count] of Object.entries(view.strays)) {
        const more = strays.since(`${supervisor} ${kind}`, count);
        if (more > 0) metrics.pluginStrays.inc({ connector: labels.connector, tenant: labels.tenant, kind }, more);
      }
      metrics.pluginLogBytesDropped.inc({ connector: labels.connector, tenant: labels.tenant }, logBytes.since(supervisor, view.logBytesDropped));
      metrics.sourceUnwrittenIds.inc({ connector: labels.connector, tenant: labels.tenant }, ids.since(supervisor, view.unwrittenIds));
    }
    const { waiting, dropped } = observed.ledger();
    metrics.callRecordsWaiting.set(waiting);
    metrics.callRecordsDropped.inc(records.since('', dropped));
    metrics.sandboxLayer.reset();
    for (const [layer, { available }] of Object.entries(observed.sandbox().layers)) {
      metrics.sandboxLayer.set({ layer, state: 'available' }, available ? 1 : 0);
      metrics.sandboxLayer.set({ layer, state: 'missing' }, available ? 0 : 1);
    }
  };

  return {
    name: 'process metrics',
    async start() {
      running = every(SAMPLE_EVERY_MS, sampleAll, ended.signal, (error) => log.error({ err: error }, 'the use of connectors could not be measured'));
    },
    update() {
      const views = observed.processes();
      // A process that was started a moment ago is measured for its first reader.
      for (const view of views) if (!samplers.has(keyOf(view))) sample(view);
      setGauges(views);
      setCounters(views);
    },
    async [Symbol.asyncDispose]() {
      ended.abort();
      await running;
    },
  };
}

/** Counts calls and messages of connectors, as the ledger tells of them. */
export function createCallMetrics(metrics: NodeMetrics): Required<Pick<CallLedgerOptions, 'onCall' | 'onRefused' | 'onRefusedRequests' | 'onMessages'>> {
  const known = connectorCalls();
  return {
    onCall({ connector, version }, method, status, durationUs) {
      const { connector: label } = releaseLabels(metrics, connector, version);
      // How long a stream was open says nothing about how fast a connector is.
      if (!isStreamMethod(method)) metrics.pluginRpcSeconds.observe({ connector: label, method }, durationUs / 1e6);
      if (status !== 'OK') metrics.pluginRpcFailures.inc({ connector: label, method, status });
    },
    onRefused({ connector, version }, method) {
      metrics.pluginRpcRefused.inc({ connector: releaseLabels(metrics, connector, version).connector, method: known.has(method) ? method : 'other' });
    },
    onRefusedRequests({ connector, version }, tenantId, reason, count) {
      const { connector: label } = releaseLabels(metrics, connector, version);
      metrics.sourceRefused.inc({ connector: label, tenant: metrics.tenantLabel(tenantId), reason: metrics.refusalLabel(reason) }, count);
    },
    onMessages({ connector, version, tenantId }, direction, count) {
      const tenant = tenantId === null ? SHARED : metrics.tenantLabel(tenantId);
      metrics.pluginMessages.inc({ ...releaseLabels(metrics, connector, version), tenant, direction }, count);
    },
  };
}

const NOTHING: ProcessUse = { cpuSeconds: 0, rssBytes: 0, threads: 0, fds: 0, processes: 0 };

function add(sum: ProcessUse, use: ProcessUse): void {
  sum.rssBytes += use.rssBytes;
  sum.threads += use.threads;
  sum.processes += use.processes;
  sum.fds = sum.fds === null || use.fds === null ? null : sum.fds + use.fds;
}

const keyOf = ({ processId, pid }: ProcessView): string => `${processId} ${pid}`;

/** A connector and its version share a budget: neither of them is a set that the platform bounds. */
function releaseLabels(metrics: NodeMetrics, connector: string, version: string): { connector: string; version: string } {
  const label = metrics.releaseLabel(`${connector} ${version}`);
  return label === '_other' ? { connector: '_other', version: '_other' } : { connector, version: version || 'unknown' };
}

/** By how much a count has grown since it was last asked for; one that fell has begun anew. */
function createDeltas(): { since(key: string, total: number): number } {
  const last = new Map<string, number>();
  return {
    since(key, total) {
      const before = last.get(key) ?? 0;
      last.set(key, total);
      return total < before ? total : total - before;
    },
  };
}
