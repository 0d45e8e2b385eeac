import { type TenantTx, withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import type { StoredAttempt } from '../stored-trail.ts';
import type { DestinationHealth } from '../types.ts';

/** Waiting messages that are looked at, the oldest first: from here on it is many. */
const WAITING_MAX = 1_000;
/** Newest messages in which a delivery is looked for. */
const RECENT_MAX = 1_000;
const RECENT_MS = 3_600_000;
const CAUGHT_UP_MS = 600_000;
const DAY_MS = 86_400_000;

interface Row {
  id: string;
  waiting: number;
  sinceMs: number | null;
  failedMs: number | null;
  nextMs: number | null;
  deliveredMs: number | null;
  caughtUp: number;
  last: StoredAttempt | null;
}

/** The destinations of a pipeline that fail, that catch up, or that did a short while ago; none while all is well. */
export async function listWaiting({ db, tenantId }: TenantContext, { pipelineId }: { pipelineId: string }): Promise<DestinationHealth[]> {
  const nowMs = Date.now();
  return withTenant(db, tenantId, async (tx) => {
    const rows = await readDestinations(tx, tenantId, pipelineId, nowMs);
    const dead = await readDead(tx, tenantId, pipelineId, new Date(nowMs - DAY_MS));
    const ids = new Set([...rows.filter((row) => row.waiting + row.caughtUp > 0).map((row) => row.id), ...dead.keys()]);
    return [...ids].sort().map((id) =>
      toHealth(
        id,
        rows.find((row) => row.id === id),
        dead.get(id) ?? null,
      ),
    );
  });
}

function toHealth(destinationId: string, row: Row | undefined, dead: DestinationHealth['dead']): DestinationHealth {
  const { waiting = 0, caughtUp = 0, sinceMs = null, failedMs = null, nextMs = null, deliveredMs = null, last = null } = row ?? {};
  const delivers = deliveredMs !== null && deliveredMs > (failedMs ?? (dead ? Date.parse(dead.at) : 0));
  return {
    destinationId,
    state: waiting > 0 ? (delivers ? 'recovering' : 'failing') : delivers ? 'recovered' : 'failing',
    waiting: Math.min(waiting, WAITING_MAX),
    moreWait: waiting > WAITING_MAX,
    since: toTime(sinceMs),
    failure: last && {
      at: new Date(last.startedAtMs || last.atMs).toISOString(),
      code: last.code ?? null,
      reason: last.reason ?? null,
      peerStatus: last.peerStatus ?? null,
    },
    nextAt: toTime(nextMs),
    deliveredAt: toTime(deliveredMs),
    caughtUp,
    dead,
  };
}

/**
 * Attempts are in the order in which they were made, each destination for itself. A message that waits for its turn in strict order begins with a
 * line that is no attempt: it waits because of another one that fails, or is about to be sent.
 */
async function readDestinations(tx: TenantTx, tenantId: string, pipelineId: string, nowMs: number): Promise<Row[]> {
  const recent = new Date(nowMs - RECENT_MS);
  return tx.$queryRaw<Row[]>`
    WITH looked_at AS (
      (SELECT destinations FROM message
        WHERE tenant_id = ${tenantId} AND state = 'retrying' AND pipeline_id = ${pipelineId} ORDER BY received_at LIMIT ${WAITING_MAX + 1})
      UNION ALL
      (SELECT destinations FROM message
        WHERE tenant_id = ${tenantId} AND pipeline_id = ${pipelineId} AND state <> 'retrying' AND received_at >= ${recent}
        ORDER BY received_at DESC LIMIT ${RECENT_MAX})
    ), tried AS (
      SELECT d->>'id' AS id, CASE WHEN d->>'state' = 'retrying' AND d->'attempts'->-1->>'attempt' = '0' THEN 'in_order' ELSE d->>'state' END AS state,
        d->'attempts'->(CASE WHEN d->'attempts'->0->>'attempt' = '0' THEN 1 ELSE 0 END) AS first, d->'attempts'->-1 AS last
      FROM looked_at, jsonb_array_elements(destinations) d WHERE d->>'state' IN ('retrying', 'delivered')
    )
    SELECT id,
      (CASE WHEN bool_or(state = 'retrying') THEN count(*) FILTER (WHERE state IN ('retrying', 'in_order')) ELSE 0 END)::int AS waiting,
      (min(coalesce(nullif((first->>'startedAtMs')::bigint, 0), (first->>'atMs')::bigint)) FILTER (WHERE state = 'retrying'))::float8 AS "sinceMs",
      (max((last->>'atMs')::bigint) FILTER (WHERE state = 'retrying'))::float8 AS "failedMs",
      (min((last->>'nextAtMs')::bigint) FILTER (WHERE state = 'retrying'))::float8 AS "nextMs",
      (max((last->>'atMs')::bigint) FILTER (WHERE state = 'delivered'))::float8 AS "deliveredMs",
      (count(*) FILTER (WHERE state = 'delivered' AND (last->>'attempt')::int > 1 AND (last->>'atMs')::bigint >= ${nowMs - CAUGHT_UP_MS}))::int AS "caughtUp",
      (array_agg(last ORDER BY (last->>'atMs')::bigint DESC) FILTER (WHERE state = 'retrying'))[1] AS last
    FROM tried GROUP BY id`;
}

/** Without what ended in a step: the destination has no part in that. */
async function readDead(tx: TenantTx, tenantId: string, pipelineId: string, since: Date): Promise<Map<string, NonNullable<DestinationHealth['dead']>>> {
  const rows = await tx.$queryRaw<{ id: string; count: number; at: Date; reason: string }[]>`
    SELECT destination_id AS id, count(*)::int AS count, max(at) AS at, (array_agg(reason ORDER BY at DESC))[1] AS reason
    FROM dead_letter WHERE tenant_id = ${tenantId} AND pipeline_id = ${pipelineId} AND at >= ${since} AND resent_at IS NULL AND attempts > 0 GROUP BY destination_id`;
  return new Map(rows.map(({ id, count, at, reason }) => [id, { count, at: at.toISOString(), reason }]));
}

function toTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
