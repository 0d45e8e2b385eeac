import type { StoredPack } from '@vrsky/bus/consumer';
import type { ConnectorCalls } from '@vrsky/contracts/connector-calls';
import { subjects } from '@vrsky/contracts/subjects';
import type { TrailRecord } from '@vrsky/contracts/trail';
import { describeError } from '@vrsky/kernel/errors';
import type { Log } from '@vrsky/kernel/log';
import type pg from 'pg';
import type { WorkerMetrics } from '../metrics.ts';
import { parseCalls, parseTrailRecord } from './parse-record.ts';
import type { Partitions } from './partitions.ts';
import { type StoredCalls, storeCalls } from './store-calls.ts';
import { type StoredTrail, storeTrail } from './store-trail.ts';

export interface ProjectBatchOptions {
  client: pg.ClientBase;
  partitions: Partitions;
  metrics: WorkerMetrics;
  log: Log;
  tenantId: string;
  packs: StoredPack[];
  /** Whether more are waiting behind these. */
  behind: boolean;
}

/**
 * Takes trail records into the tables. A record that cannot be taken is logged and counted and does not hold up those after it; trouble
 * with the database is thrown, and nothing is lost by doing it all again. Resolves with the pipelines and connectors that changed.
 */
export async function projectBatch(options: ProjectBatchOptions): Promise<{ pipelineIds: Set<string>; connectors: Set<string> }> {
  const { metrics, log, tenantId, packs } = options;
  const records: TrailRecord[] = [];
  const calls: ConnectorCalls[] = [];
  for (const pack of packs) {
    if (pack.subject.startsWith(CALLS)) {
      const record = parseCalls(pack.data, pack.subject, tenantId, Date.now());
      if ('problem' in record) reject('unusable', record.problem, pack.seq);
      else calls.push(record);
      continue;
    }
    const record = parseTrailRecord(pack.data, tenantId);
    const problem = 'problem' in record ? record.problem : await findRefusal(options, record);
    if (problem === null) records.push(record as TrailRecord);
    else reject('unusable', problem, pack.seq);
  }
  const pipelineIds = new Set<string>();
  for (const stored of await apart(records, storeRecords)) {
    for (const id of stored.pipelineIds) pipelineIds.add(id);
    for (const [outcome, count] of Object.entries(stored.outcomes)) metrics.messages.inc({ outcome }, count);
    if (stored.unknown > 0) reject('unknown_pipeline', `${stored.unknown} messages are of a pipeline that is not in the database`);
  }
  const connectors = new Set<string>();
  for (const stored of await apart(calls, (some): Promise<StoredCalls> => storeCalls(options.client, tenantId, some))) {
    for (const connector of stored.connectors) connectors.add(connector);
    for (const problem of stored.refused) reject('foreign_node', problem);
  }
  return { pipelineIds, connectors };

  function storeRecords(some: TrailRecord[]): Promise<StoredTrail> {
    return storeTrail(options.client, { tenantId, records: some, asOfMs: packs.at(-1)?.storedAtMs ?? Date.now(), behind: options.behind });
  }

  /** All in one transaction; when the database refuses what one of them says, in halves until it stands alone. */
  async function apart<T, R>(some: T[], store: (some: T[]) => Promise<R>): Promise<R[]> {
    try {
      return [await store(some)];
    } catch (error) {
      if (!isDataError(error)) throw error;
      if (some.length === 1) {
        reject('refused', describeError(error));
        return [];
      }
      const half = some.length >> 1;
      return [...(await apart(some.slice(0, half), store)), ...(await apart(some.slice(half), store))];
    }
  }

  function reject(reason: string, problem: string, seq?: number): void {
    metrics.projectorRejected.inc({ reason });
    log.error({ tenantId, seq, problem }, 'a trail record was not taken');
  }
}

const CALLS = subjects.calls('');

async function findRefusal({ partitions, client }: ProjectBatchOptions, record: TrailRecord): Promise<string | null> {
  for (const message of record.messages) {
    if (!(await partitions.admit(client, message.receivedAtMs, Date.now()))) return `message ${message.id} is of a day that is not kept`;
  }
  return null;
}

/** Postgres' classes 22 (data exception) and 23 (integrity): the values are to blame, not the moment. */
function isDataError(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && /^2[23]/.test(code);
}
