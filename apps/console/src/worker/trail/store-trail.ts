import { outcomes, type TrailMessage, type TrailRecord, type TrailState } from '@vrsky/contracts/trail';
import type pg from 'pg';
import type { StoredDestination, StoredStep } from '../../features/messages/stored-trail.ts';
import { type DeadLetterState, deadLettersOf, type MessageState, mergeMessage } from './merge-trail.ts';

export interface TrailBatch {
  tenantId: string;
  records: TrailRecord[];
  /** When the last of them was stored in the stream. */
  asOfMs: number;
  /** Whether more were waiting. */
  behind: boolean;
}

export interface StoredTrail {
  messages: number;
  /** Messages that came to an outcome by this batch. */
  outcomes: Partial<Record<TrailState, number>>;
  pipelineIds: Set<string>;
  /** Messages of pipelines nobody knows: a record from before a restored database. */
  unknown: number;
}

/**
 * Brings the tables in line with a batch of trail records, in one transaction. Storing the same records again changes nothing: a message
 * is merged with what is known of it, and the counts a minute move by the difference of its states.
 */
export async function storeTrail(client: pg.ClientBase, batch: TrailBatch): Promise<StoredTrail> {
  await client.query('BEGIN');
  try {
    await client.query("SELECT set_config('app.tenant_id', $1, true)", [batch.tenantId]);
    const stored = await mergeBatch(client, batch);
    await client.query(
      `INSERT INTO trail_position (tenant_id, as_of, behind) VALUES ($1, $2, $3)
       ON CONFLICT (tenant_id) DO UPDATE SET as_of = GREATEST(trail_position.as_of, EXCLUDED.as_of), behind = EXCLUDED.behind`,
      [batch.tenantId, new Date(batch.asOfMs), batch.behind],
    );
    await client.query('COMMIT');
    return stored;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

async function mergeBatch(client: pg.ClientBase, { tenantId, records }: TrailBatch): Promise<StoredTrail> {
  const pipelines = await knownPipelines(client, tenantId, records);
  const entries: [TrailRecord, TrailMessage][] = [];
  let unknown = 0;
  for (const record of records) {
    if (pipelines.has(record.pipelineId)) for (const message of record.messages) entries.push([record, message]);
    else unknown += record.messages.length;
  }
  const before = await readKnown(client, tenantId, entries);
  const after = new Map(before);
  const letters = new Map<string, DeadLetterState & { message: MessageState }>();
  for (const [record, message] of entries) {
    const key = keyOf(message.receivedAtMs, message.id);
    const merged = mergeMessage(after.get(key) ?? null, record, message);
    after.set(key, merged);
    for (const letter of deadLettersOf(record, message)) letters.set(`${message.id} ${letter.destinationId}`, { ...letter, message: merged });
  }
  const changed = [...after].filter(([key, state]) => before.get(key) !== state).map(([, state]) => state);
  await writeMessages(client, tenantId, changed);
  await writeDeadLetters(client, tenantId, [...letters.values()]);
  await moveMinutes(client, tenantId, before, changed);
  return { messages: changed.length, outcomes: countOutcomes(before, changed), pipelineIds: new Set(changed.map((state) => state.pipelineId)), unknown };
}

const keyOf = (receivedAtMs: number, id: string) => `${receivedAtMs} ${id}`;

async function knownPipelines(client: pg.ClientBase, tenantId: string, records: TrailRecord[]): Promise<Set<string>> {
  const ids = [...new Set(records.map((record) => record.pipelineId))];
  const { rows } = await client.query<{ id: string }>('SELECT id FROM pipeline WHERE tenant_id = $1 AND id = ANY($2)', [tenantId, ids]);
  return new Set(rows.map((row) => row.id));
}

interface MessageRow {
  id: string;
  received_at: Date;
  pipeline_id: string;
  revision: number;
  stored_at: Date;
  state: TrailState;
  reason: string | null;
  bytes: number;
  content_type: string;
  trace_id: string;
  seq: string;
  idx: number;
  steps: StoredStep[];
  destinations: StoredDestination[];
  attempts: number;
  done_at: Date | null;
}

async function readKnown(client: pg.ClientBase, tenantId: string, entries: [TrailRecord, TrailMessage][]): Promise<Map<string, MessageState>> {
  const times = entries.map(([, message]) => new Date(message.receivedAtMs));
  const ids = entries.map(([, message]) => message.id);
  const { rows } = await client.query<MessageRow>({
    name: 'trail-known',
    text: `SELECT m.id, m.received_at, m.pipeline_id, m.revision, m.stored_at, m.state, m.reason, m.bytes, m.content_type, m.trace_id, m.seq, m.idx, m.steps, m.destinations, m.attempts, m.done_at
      FROM (SELECT DISTINCT * FROM unnest($2::timestamptz[], $3::text[]) AS k (received_at, id)) k
      JOIN message m ON m.tenant_id = $1 AND m.received_at = k.received_at AND m.id = k.id`,
    values: [tenantId, times, ids],
  });
  return new Map(rows.map((row) => [keyOf(row.received_at.getTime(), row.id), toState(row)]));
}

function toState(row: MessageRow): MessageState {
  return {
    id: row.id,
    pipelineId: row.pipeline_id,
    revision: row.revision,
    receivedAtMs: row.received_at.getTime(),
    storedAtMs: row.stored_at.getTime(),
    state: row.state,
    reason: row.reason,
    bytes: row.bytes,
    contentType: row.content_type,
    traceId: row.trace_id,
    seq: Number(row.seq),
    index: row.idx,
    replayOfSeq: null, // said by the first record alone, and kept in the row as a message id
    answerOf: null, // likewise
    steps: row.steps,
    destinations: row.destinations,
    attempts: row.attempts,
    doneAtMs: row.done_at?.getTime() ?? null,
  };
}

async function writeMessages(client: pg.ClientBase, tenantId: string, states: MessageState[]): Promise<void> {
  if (states.length === 0) return;
  const column = <T>(pick: (state: MessageState) => T): T[] => states.map(pick);
  await client.query({
    name: 'trail-write',
    text: `INSERT INTO message (tenant_id, received_at, id, pipeline_id, revision, stored_at, state, reason, bytes, content_type, trace_id, seq, idx, replay_of, answer_of, answer_of_destination, steps, destinations, attempts, done_at)
      SELECT $1, s.received_at, s.id, s.pipeline_id, s.revision, s.stored_at, s.state, s.reason, s.bytes, s.content_type, s.trace_id, s.seq, s.idx,
        CASE WHEN s.replay_of IS NULL THEN NULL ELSE (SELECT d.message_id FROM dead_letter d WHERE d.tenant_id = $1 AND d.dlq_seq = s.replay_of LIMIT 1) END,
        s.answer_of, s.answer_of_destination, s.steps, s.destinations, s.attempts, s.done_at
      FROM unnest($2::timestamptz[], $3::text[], $4::text[], $5::int[], $6::timestamptz[], $7::text[], $8::text[], $9::int[], $10::text[], $11::text[], $12::bigint[], $13::int[], $14::bigint[], $15::text[], $16::text[], $17::jsonb[], $18::jsonb[], $19::int[], $20::timestamptz[])
        AS s (received_at, id, pipeline_id, revision, stored_at, state, reason, bytes, content_type, trace_id, seq, idx, replay_of, answer_of, answer_of_destination, steps, destinations, attempts, done_at)
      ON CONFLICT (tenant_id, received_at, id) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason, steps = EXCLUDED.steps, destinations = EXCLUDED.destinations, attempts = EXCLUDED.attempts, done_at = EXCLUDED.done_at`,
    values: [
      tenantId,
      column((s) => new Date(s.receivedAtMs)),
      column((s) => s.id),
      column((s) => s.pipelineId),
      column((s) => s.revision),
      column((s) => new Date(s.storedAtMs)),
      column((s) => s.state),
      column((s) => s.reason),
      column((s) => s.bytes),
      column((s) => s.contentType),
      column((s) => s.traceId),
      column((s) => s.seq),
      column((s) => s.index),
      column((s) => s.replayOfSeq),
      column((s) => s.answerOf?.messageId ?? null),
      column((s) => s.answerOf?.destinationId ?? null),
      column((s) => JSON.stringify(s.steps)),
      column((s) => JSON.stringify(s.destinations)),
      column((s) => s.attempts),
      column((s) => (s.doneAtMs === null ? null : new Date(s.doneAtMs))),
    ],
  });
}

async function writeDeadLetters(client: pg.ClientBase, tenantId: string, letters: (DeadLetterState & { message: MessageState })[]): Promise<void> {
  if (letters.length === 0) return;
  const column = <T>(pick: (letter: DeadLetterState & { message: MessageState }) => T): T[] => letters.map(pick);
  await client.query(
    `INSERT INTO dead_letter (tenant_id, message_id, destination_id, pipeline_id, revision, received_at, at, attempts, code, reason, peer_status, dlq_seq)
      SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::timestamptz[], $7::timestamptz[], $8::int[], $9::text[], $10::text[], $11::int[], $12::bigint[])
      ON CONFLICT (tenant_id, message_id, destination_id) DO UPDATE SET at = EXCLUDED.at, attempts = EXCLUDED.attempts, code = EXCLUDED.code, reason = EXCLUDED.reason, peer_status = EXCLUDED.peer_status, dlq_seq = EXCLUDED.dlq_seq
      WHERE EXCLUDED.at >= dead_letter.at`,
    [
      tenantId,
      column((l) => l.message.id),
      column((l) => l.destinationId),
      column((l) => l.message.pipelineId),
      column((l) => l.message.revision),
      column((l) => new Date(l.message.receivedAtMs)),
      column((l) => new Date(l.atMs)),
      column((l) => l.attempts),
      column((l) => l.code),
      column((l) => l.reason),
      column((l) => l.peerStatus),
      column((l) => l.dlqSeq),
    ],
  );
}

const MINUTE_MS = 60_000;
const states = ['delivered', 'filtered', 'dead_lettered', 'expired', 'retrying'] as const satisfies TrailState[];

/** Out of the state it was in, into the one it is in; a message that was new comes from nowhere. */
async function moveMinutes(client: pg.ClientBase, tenantId: string, before: Map<string, MessageState>, changed: MessageState[]): Promise<void> {
  const moves = new Map<string, { pipelineId: string; minuteMs: number; by: Record<TrailState, number> }>();
  for (const state of changed) {
    const was = before.get(keyOf(state.receivedAtMs, state.id))?.state;
    if (was === state.state) continue;
    const minuteMs = Math.floor(state.receivedAtMs / MINUTE_MS) * MINUTE_MS;
    const key = `${state.pipelineId} ${minuteMs}`;
    const move = moves.get(key) ?? { pipelineId: state.pipelineId, minuteMs, by: { delivered: 0, filtered: 0, dead_lettered: 0, expired: 0, retrying: 0 } };
    move.by[state.state]++;
    if (was) move.by[was]--;
    moves.set(key, move);
  }
  if (moves.size === 0) return;
  const list = [...moves.values()];
  await client.query({
    name: 'trail-minutes',
    text: `INSERT INTO message_minute (tenant_id, pipeline_id, minute, ${states.join(', ')})
      SELECT $1, * FROM unnest($2::text[], $3::timestamptz[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[])
      ON CONFLICT (tenant_id, pipeline_id, minute) DO UPDATE SET ${states.map((state) => `${state} = message_minute.${state} + EXCLUDED.${state}`).join(', ')}`,
    values: [
      tenantId,
      list.map((move) => move.pipelineId),
      list.map((move) => new Date(move.minuteMs)),
      ...states.map((state) => list.map((move) => move.by[state])),
    ],
  });
}

function countOutcomes(before: Map<string, MessageState>, changed: MessageState[]): StoredTrail['outcomes'] {
  const counts: StoredTrail['outcomes'] = {};
  for (const state of changed) {
    const isOutcome = (outcomes as readonly string[]).includes(state.state);
    if (isOutcome && before.get(keyOf(state.receivedAtMs, state.id))?.state !== state.state) counts[state.state] = (counts[state.state] ?? 0) + 1;
  }
  return counts;
}
