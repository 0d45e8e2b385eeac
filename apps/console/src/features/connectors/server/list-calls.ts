import { type CallTally, callTallySchema, connectorEventSchema } from '@vrsky/contracts/connector-calls';
import { type TenantTx, withTenant } from '@vrsky/db/client';
import { z } from 'zod';
import type { TenantContext } from '../../../server/context.ts';
import { readAsOf } from '../../messages/server/as-of.ts';
import type { ListCallsArgs } from '../calls-schema.ts';
import type { CallMinute, ConnectorCallsView, ConnectorEventView, MethodCalls, ProcessCallsView } from '../calls-types.ts';

const MINUTE_MS = 60_000;
/** A connector that is started again and again has a row for each start and minute. */
const ROWS_MAX = 5_000;
const PROCESSES_MAX = 100;
const EVENTS_MAX = 200;

const talliesSchema = z.array(callTallySchema);

interface Row {
  minute: Date;
  nodeId: string;
  processId: string;
  version: string;
  digest: string;
  shared: boolean;
  methods: CallTally[];
}

/** What nodes asked of a connector for this tenant, and what became of its processes. One that did nothing has an empty answer. */
export async function listCalls(ctx: TenantContext, { connector, minutes, until }: ListCallsArgs): Promise<ConnectorCallsView> {
  const toMs = Math.floor((until === undefined ? Date.now() : Date.parse(until)) / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
  const from = new Date(toMs - minutes * MINUTE_MS);
  const to = new Date(toMs);
  const { tenantId } = ctx;
  return withTenant(ctx.db, tenantId, async (tx) => {
    const asOf = await readAsOf(tx, tenantId); // before the rows: never claim to know more than was read
    const found = await tx.connectorMinute.findMany({
      where: { tenantId, connector, minute: { gte: from, lt: to } },
      orderBy: { minute: 'desc' },
      take: ROWS_MAX + 1,
    });
    const events = await tx.connectorEvent.findMany({
      where: { tenantId, connector, at: { gte: from, lt: to } },
      orderBy: [{ at: 'desc' }, { idx: 'desc' }],
      take: EVENTS_MAX + 1,
    });
    const rows = found.slice(0, ROWS_MAX).map((row): Row => ({ ...row, methods: talliesSchema.parse(row.methods) }));
    const names = await nodeNames(tx, [...rows, ...events]);
    const processes = toProcesses(rows, names);
    return {
      connector,
      from: from.toISOString(),
      to: to.toISOString(),
      perMinute: toMinutes(rows.flatMap((row) => row.methods.map((tally) => ({ row, tally })))),
      methods: toMethods(rows),
      processes: processes.slice(0, PROCESSES_MAX),
      events: events.slice(0, EVENTS_MAX).map(
        (row): ConnectorEventView => ({
          at: row.at.toISOString(),
          kind: connectorEventSchema.shape.kind.parse(row.kind),
          version: row.version,
          reason: row.reason,
          nodeId: row.nodeId,
          nodeName: names.get(row.nodeId) ?? row.nodeId,
          processId: row.processId,
        }),
      ),
      truncated: found.length > ROWS_MAX || events.length > EVENTS_MAX || processes.length > PROCESSES_MAX,
      asOf,
    };
  });
}

async function nodeNames(tx: TenantTx, rows: readonly { nodeId: string }[]): Promise<Map<string, string>> {
  const ids = [...new Set(rows.map((row) => row.nodeId))];
  const nodes = await tx.node.findMany({ where: { id: { in: ids } }, select: { id: true, name: true } });
  return new Map(nodes.map((node) => [node.id, node.name]));
}

const STREAMS = ['/vrsky.connector.v1.Connector/Send', '/vrsky.connector.v1.Connector/Receive', '/plugin.GRPCStdio/StreamStdio'];

interface Counted {
  row: Row;
  tally: CallTally;
}

function toMethods(rows: readonly Row[]): MethodCalls[] {
  const byMethod = new Map<string, Counted[]>();
  for (const row of rows) {
    for (const tally of row.methods) {
      const list = byMethod.get(tally.method);
      if (list) list.push({ row, tally });
      else byMethod.set(tally.method, [{ row, tally }]);
    }
  }
  return [...byMethod].map(([method, counted]) => toMethod(method, counted)).sort((a, b) => (a.method < b.method ? -1 : 1));
}

function toMethod(method: string, counted: readonly Counted[]): MethodCalls {
  const tallies = counted.map(({ tally }) => tally);
  const results: Record<string, number> = {};
  for (const tally of tallies) for (const [status, count] of Object.entries(tally.results)) results[status] = (results[status] ?? 0) + count;
  const endings = sum(Object.values(results));
  const stream = STREAMS.includes(method);
  const sized = counted.filter(({ row, tally }) => !row.shared || tally.sent + tally.received > 0 || tally.requestBytes + tally.responseBytes > 0);
  const bytes = (pick: (tally: CallTally) => number): number | null => (sized.length === 0 ? null : sum(sized.map(({ tally }) => pick(tally))));
  return {
    method,
    stream,
    calls: sum(tallies.map(({ calls }) => calls)),
    refused: sum(tallies.map(({ refused }) => refused)),
    results,
    requestBytes: bytes(({ requestBytes }) => requestBytes),
    responseBytes: bytes(({ responseBytes }) => responseBytes),
    sent: sum(tallies.map(({ sent }) => sent)),
    received: sum(tallies.map(({ received }) => received)),
    meanUs: endings === 0 ? null : Math.round(sum(tallies.map(({ totalUs }) => totalUs)) / endings),
    maxUs: endings === 0 ? null : Math.max(...tallies.map(({ maxUs }) => maxUs)),
    perMinute: toMinutes(counted),
  };
}

/** Oldest first. */
function toMinutes(counted: readonly Counted[]): CallMinute[] {
  const minutes = new Map<number, CallMinute>();
  for (const { row, tally } of counted) {
    const atMs = row.minute.getTime();
    const minute = minutes.get(atMs) ?? { at: row.minute.toISOString(), calls: 0, refused: 0, sent: 0, received: 0 };
    minute.calls += tally.calls;
    minute.refused += tally.refused;
    minute.sent += tally.sent;
    minute.received += tally.received;
    minutes.set(atMs, minute);
  }
  return [...minutes].sort(([a], [b]) => a - b).map(([, minute]) => minute);
}

/** The rows come newest first, and so do the processes. */
function toProcesses(rows: readonly Row[], names: ReadonlyMap<string, string>): ProcessCallsView[] {
  const processes = new Map<string, ProcessCallsView>();
  for (const row of rows) {
    const key = `${row.nodeId} ${row.processId}`;
    const at = row.minute.toISOString();
    const found = processes.get(key) ?? {
      ...{ processId: row.processId, nodeId: row.nodeId, nodeName: names.get(row.nodeId) ?? row.nodeId },
      ...{ version: row.version, digest: row.digest, shared: row.shared, firstAt: at, lastAt: at, calls: 0, refused: 0, sent: 0, received: 0 },
    };
    found.firstAt = at;
    for (const tally of row.methods) {
      found.calls += tally.calls;
      found.refused += tally.refused;
      found.sent += tally.sent;
      found.received += tally.received;
    }
    processes.set(key, found);
  }
  return [...processes.values()];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
