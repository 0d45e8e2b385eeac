import type { ConnectorCalls } from '@vrsky/contracts/connector-calls';
import type pg from 'pg';

export interface StoredCalls {
  /** Connectors of which something new was told. */
  connectors: Set<string>;
  /** Records of nodes that may not speak of this tenant, and why. */
  refused: string[];
}

/**
 * Brings the tables of connector calls in line with a batch of records, in one transaction. A minute that was told before changes only
 * by a higher revision; events are never told twice. A node of another pool, or one that was removed before, is not believed.
 */
export async function storeCalls(client: pg.ClientBase, tenantId: string, records: readonly ConnectorCalls[]): Promise<StoredCalls> {
  if (records.length === 0) return { connectors: new Set(), refused: [] };
  await client.query('BEGIN');
  try {
    await client.query("SELECT set_config('app.tenant_id', $1, true)", [tenantId]);
    const stored = await writeCalls(client, tenantId, records);
    await client.query('COMMIT');
    return stored;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

async function writeCalls(client: pg.ClientBase, tenantId: string, records: readonly ConnectorCalls[]): Promise<StoredCalls> {
  const nodes = await knownNodes(client, tenantId, records);
  const refused: string[] = [];
  const newest = new Map<string, ConnectorCalls>();
  for (const record of records) {
    const node = nodes.get(record.nodeId);
    if (node === undefined) refused.push(`node ${record.nodeId} is not one of the tenant's pool`);
    else if (node.removedAtMs !== null && node.removedAtMs < record.minuteMs) refused.push(`node ${record.nodeId} was removed before that minute`);
    else {
      const key = `${record.minuteMs} ${record.nodeId} ${record.processId}`;
      const known = newest.get(key);
      if (known === undefined || known.revision < record.revision) newest.set(key, record);
    }
  }
  const rows = [...newest.values()];
  const changed = new Set(await writeMinutes(client, tenantId, rows));
  await writeEvents(client, tenantId, rows);
  await writeRefusals(client, tenantId, rows);
  return { connectors: changed, refused };
}

async function knownNodes(client: pg.ClientBase, tenantId: string, records: readonly ConnectorCalls[]): Promise<Map<string, { removedAtMs: number | null }>> {
  const ids = [...new Set(records.map((record) => record.nodeId))];
  const { rows } = await client.query<{ id: string; removed_at: Date | null }>(
    'SELECT n.id, n.removed_at FROM node n JOIN tenant t ON t.pool = n.pool WHERE t.id = $1 AND n.id = ANY($2)',
    [tenantId, ids],
  );
  return new Map(rows.map((row) => [row.id, { removedAtMs: row.removed_at?.getTime() ?? null }]));
}

async function writeMinutes(client: pg.ClientBase, tenantId: string, records: readonly ConnectorCalls[]): Promise<string[]> {
  if (records.length === 0) return [];
  const column = <T>(pick: (record: ConnectorCalls) => T): T[] => records.map(pick);
  const { rows } = await client.query<{ connector: string }>({
    name: 'connector-minutes',
    text: `INSERT INTO connector_minute (tenant_id, minute, node_id, process_id, connector, version, digest, shared, revision, methods)
      SELECT $1, * FROM unnest($2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[], $9::int[], $10::jsonb[])
      ON CONFLICT (tenant_id, minute, node_id, process_id) DO UPDATE
        SET connector = EXCLUDED.connector, version = EXCLUDED.version, digest = EXCLUDED.digest, shared = EXCLUDED.shared, revision = EXCLUDED.revision, methods = EXCLUDED.methods
        WHERE EXCLUDED.revision > connector_minute.revision
      RETURNING connector`,
    values: [
      tenantId,
      column((r) => new Date(r.minuteMs)),
      column((r) => r.nodeId),
      column((r) => r.processId),
      column((r) => r.connector),
      column((r) => r.version),
      column((r) => r.digest),
      column((r) => r.shared),
      column((r) => r.revision),
      column((r) => JSON.stringify(r.methods)),
    ],
  });
  return rows.map((row) => row.connector);
}

async function writeEvents(client: pg.ClientBase, tenantId: string, records: readonly ConnectorCalls[]): Promise<void> {
  const events = records.flatMap((record) => record.events.map((event, idx) => ({ record, event, idx })));
  if (events.length === 0) return;
  const column = <T>(pick: (row: (typeof events)[number]) => T): T[] => events.map(pick);
  await client.query({
    name: 'connector-events',
    text: `INSERT INTO connector_event (tenant_id, minute, node_id, process_id, idx, at, kind, connector, version, digest, reason)
      SELECT $1, * FROM unnest($2::timestamptz[], $3::text[], $4::text[], $5::int[], $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
      ON CONFLICT (tenant_id, minute, node_id, process_id, idx) DO NOTHING`,
    values: [
      tenantId,
      column(({ record }) => new Date(record.minuteMs)),
      column(({ record }) => record.nodeId),
      column(({ record }) => record.processId),
      column(({ idx }) => idx),
      column(({ event }) => new Date(event.atMs)),
      column(({ event }) => event.kind),
      column(({ record }) => record.connector),
      column(({ event }) => event.version),
      column(({ record }) => record.digest),
      column(({ event }) => event.reason),
    ],
  });
}

async function writeRefusals(client: pg.ClientBase, tenantId: string, records: readonly ConnectorCalls[]): Promise<void> {
  const refusals = records.flatMap((record) => (record.refusals ?? []).map((refusal) => ({ record, refusal })));
  if (refusals.length === 0) return;
  const column = <T>(pick: (row: (typeof refusals)[number]) => T): T[] => refusals.map(pick);
  // A node that names a source twice in one record must not spoil the whole batch.
  await client.query({
    name: 'source-refusals',
    text: `INSERT INTO source_refusal (tenant_id, pipeline_id, minute, source_id, reason, node_id, process_id, count, at)
      SELECT DISTINCT ON (1, 2, 3, 4, 5, 6, 7) $1, * FROM unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[], $9::timestamptz[])
      ON CONFLICT (tenant_id, pipeline_id, minute, source_id, reason, node_id, process_id) DO UPDATE SET count = EXCLUDED.count, at = EXCLUDED.at
        WHERE EXCLUDED.count > source_refusal.count`,
    values: [
      tenantId,
      column(({ refusal }) => refusal.pipelineId),
      column(({ record }) => new Date(record.minuteMs)),
      column(({ refusal }) => refusal.sourceId),
      column(({ refusal }) => refusal.reason),
      column(({ record }) => record.nodeId),
      column(({ record }) => record.processId),
      column(({ refusal }) => refusal.count),
      column(({ refusal }) => new Date(refusal.atMs)),
    ],
  });
}
