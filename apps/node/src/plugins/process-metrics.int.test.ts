import { join } from 'node:path';
import type { ConnectorCalls } from '@vrsky/contracts/connector-calls';
import { createLog } from '@vrsky/kernel/log';
import { eventually } from '@vrsky/testkit/eventually';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMetrics } from '../metrics.ts';
import { type CallLedger, createCallLedger } from './call-ledger.ts';
import { type ConnectorHost, createConnectorHost } from './connector-host.ts';
import { releaseAt } from './fixtures/release.test-support.ts';
import { createCallMetrics, createProcessMetrics } from './process-metrics.ts';
import { type ProcessView, viewOf } from './process-view.ts';

// Real connector processes, seen through the node's metrics and the books of their calls.

const metrics = createMetrics();
const records: ConnectorCalls[] = [];
const log = createLog('test', 'silent');
let ledger: CallLedger;
let host: ConnectorHost;
let processes: ReturnType<typeof createProcessMetrics>;
/** Processes that are only claimed: for what real ones cannot show in a test. */
let claimed: ProcessView[] = [];

const labels = 'connector="echo",version="1.2.3",role="both",tenant="_shared"';

beforeAll(async () => {
  ledger = createCallLedger({
    nodeId: 'nod_1',
    log,
    async publish(_, record) {
      records.push(record);
    },
    ...createCallMetrics(metrics),
  });
  const seat = ledger.seat({ connector: 'echo', tenantId: null });
  host = createConnectorHost({
    name: 'echo',
    tenantId: null,
    release: releaseAt(join(import.meta.dirname, 'fixtures', 'echo-connector.ts')),
    env: {},
    credit: 100,
    openCalls: ({ digest }) => seat.open(digest),
    onEvent: seat.event,
    log,
  });
  host.onReceive((entries) => {
    for (const { seq } of entries) host.ack(seq, 'stored', { messageId: 'msg_1' });
  });
  processes = createProcessMetrics(
    metrics,
    {
      processes: () => [viewOf('echo', host), ...claimed],
      sandbox: () => ({ layers: { seccomp: { available: true, detail: '' }, cgroup: { available: false, detail: 'no controllers' } } }),
      ledger: ledger.stats,
    },
    log,
  );
  await host.start?.(new AbortController().signal);
});
afterAll(async () => {
  await processes[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
  await ledger[Symbol.asyncDispose]();
});

/** The value of one series, as a reader of /metrics gets it. */
async function read(series: string): Promise<number> {
  ledger.settle();
  processes.update();
  const line = (await metrics.registry.metrics()).split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? Number.NaN : Number(line.slice(series.length + 1));
}
const send = (tenantId: string, text: string) =>
  host.send(
    {
      ...{ connectionId: `${tenantId}/out`, customerId: tenantId, pipelineId: 'pip_1', messageId: 'msg_1', traceparent: '', tracestate: '', attempt: 1 },
      ...{ headers: [], payload: Buffer.from(text), contentType: 'text/plain' },
    },
    10_000,
  );
/** Who heard what: the last word of each process about each tenant. */
async function books(): Promise<ConnectorCalls[]> {
  await ledger.drain?.(AbortSignal.timeout(5_000));
  return [...new Map(records.map((record) => [`${record.tenantId} ${record.processId} ${record.minuteMs}`, record])).values()];
}
const sum = (of: readonly ConnectorCalls[], tenantId: string, method: string, pick: 'sent' | 'received' | 'calls' | 'requestBytes' | 'responseBytes') =>
  of
    .filter((record) => record.tenantId === tenantId)
    .flatMap(({ methods }) => methods.filter((one) => one.method === `/vrsky.connector.v1.Connector/${method}`))
    .reduce((total, tally) => total + tally[pick], 0);

describe('a connector process', () => {
  test('is measured: memory, descriptors, threads, processes, hand-shake', async () => {
    expect(await read(`vrsky_plugin_up{${labels}}`)).toBe(1);
    expect(await read(`vrsky_plugin_rss_bytes{${labels}}`)).toBeGreaterThan(10e6);
    expect(await read(`vrsky_plugin_open_fds{${labels}}`)).toBeGreaterThan(5);
    expect(await read(`vrsky_plugin_threads{${labels}}`)).toBeGreaterThan(3);
    expect(await read(`vrsky_plugin_processes{${labels}}`)).toBeGreaterThanOrEqual(1);
    expect(await read(`vrsky_plugin_handshake_seconds{${labels}}`)).toBeGreaterThan(0.01);
    expect(await read('vrsky_plugin_sandbox_layer{layer="seccomp",state="available"}')).toBe(1);
    expect(await read('vrsky_plugin_sandbox_layer{layer="cgroup",state="missing"}')).toBe(1);
  });

  test('has its calls and messages counted, and each tenant hears of its own', async () => {
    const connections = ['cus_a', 'cus_b'].flatMap((tenantId) => [
      { connectionId: `${tenantId}/in`, tenantId, role: 'source' as const, settings: { messages: tenantId === 'cus_a' ? 3 : 0 } },
      { connectionId: `${tenantId}/out`, tenantId, role: 'destination' as const, settings: {} },
    ]);
    await host.configure(1, connections);
    await Promise.all(Array.from({ length: 50 }, () => send('cus_a', 'to a')));
    await send('cus_b', 'a longer text to b');
    await eventually(async () => (await read('vrsky_plugin_messages_total{connector="echo",version="1.2.3",tenant="_shared",direction="received"}')) === 3);
    expect(await read('vrsky_plugin_messages_total{connector="echo",version="1.2.3",tenant="_shared",direction="sent"}')).toBe(51);
    expect(await read('vrsky_plugin_rpc_duration_seconds_count{connector="echo",method="/vrsky.connector.v1.Connector/Configure"}')).toBe(1);
    const told = await books();
    expect([sum(told, 'cus_a', 'Send', 'sent'), sum(told, 'cus_a', 'Send', 'requestBytes')]).toEqual([50, 50 * 4]);
    expect([sum(told, 'cus_b', 'Send', 'sent'), sum(told, 'cus_b', 'Send', 'requestBytes')]).toEqual([1, 18]);
    expect([sum(told, 'cus_a', 'Receive', 'received'), sum(told, 'cus_b', 'Receive', 'received')]).toEqual([3, 0]);
    for (const tenantId of ['cus_a', 'cus_b']) {
      expect(sum(told, tenantId, 'Configure', 'calls')).toBe(1);
      expect(sum(told, tenantId, 'Configure', 'requestBytes')).toBe(0);
    }
  });

  test('that is killed keeps its CPU in the counter: it goes on from there, and the restart is counted and told', async () => {
    const before = await read(`vrsky_plugin_cpu_seconds_total{${labels}}`);
    expect(before).toBeGreaterThan(0.05);
    const { pid } = host.state();
    process.kill(pid as number, 'SIGKILL');
    await eventually(() => host.state().restarts === 1 && host.state().state === 'running');
    const after = await read(`vrsky_plugin_cpu_seconds_total{${labels}}`);
    expect(after).toBeGreaterThan(before);
    expect(await read(`vrsky_plugin_restarts_total{${labels}}`)).toBe(1);
    const told = await books();
    const events = told.filter(({ tenantId }) => tenantId === 'cus_b').flatMap((record) => record.events.map(({ kind }) => [record.processId, kind]));
    expect(events.map(([, kind]) => kind)).toContain('ended');
    expect(new Set(told.map(({ processId }) => processId)).size).toBe(2);
  });
});

test('however many tenants and releases there are, the number of series has an end, and what is too much is in a sum', async () => {
  const [real] = [viewOf('echo', host)];
  claimed = Array.from({ length: 3_000 }, (_, i) => ({
    ...(real as ProcessView),
    ...{
      processId: `p${i}`,
      pid: null,
      connector: `made-up-${i % 1_000}`,
      tenantId: `cus_${i}`,
      restarts: 1,
      logBytesDropped: 2,
      unwrittenIds: 3,
      strays: { unknown: 1, twice: 2, late: 0 },
    },
  }));
  expect(await read('vrsky_plugin_restarts_total{connector="_other",version="_other",role="both",tenant="_other"}')).toBeGreaterThan(2_000);
  const text = await metrics.registry.metrics();
  for (const name of ['vrsky_plugin_restarts_total', 'vrsky_plugin_up', 'vrsky_plugin_log_dropped_bytes_total', 'vrsky_plugin_stray_results_total']) {
    const series = text.split('\n').filter((line) => line.startsWith(`${name}{`));
    expect(series.length, name).toBeGreaterThan(10);
    expect(series.length, name).toBeLessThan(400);
  }
  expect(await read('vrsky_plugin_stray_results_total{connector="_other",tenant="_other",kind="twice"}')).toBeGreaterThan(2_000);
  claimed = [];
  expect(await read(`vrsky_plugin_up{${labels}}`)).toBe(1);
});
