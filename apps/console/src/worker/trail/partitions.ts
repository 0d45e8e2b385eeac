import type pg from 'pg';

const DAY_MS = 86_400_000;
/** As long as dead letters are kept: the page of one leads to its message. */
export const KEEP_DAYS = 31;
const AHEAD_DAYS = 3;

/** Which day of the table `message` a time falls into. */
export interface Partitions {
  /** Makes the days ahead, drops those whose time is over, and what else is too old. */
  turn(client: pg.ClientBase, nowMs: number): Promise<void>;
  /** Whether rows of this time can be kept; makes the day when it is missing. */
  admit(client: pg.ClientBase, timeMs: number, nowMs: number): Promise<boolean>;
}

export function createPartitions(): Partitions {
  const made = new Set<number>();
  const ensure = async (client: pg.ClientBase, first: number, last: number): Promise<void> => {
    await client.query('SELECT ensure_message_partitions($1::date, $2::date)', [toDate(first), toDate(last)]);
    for (let day = first; day <= last; day++) made.add(day);
  };
  return {
    async turn(client, nowMs) {
      const today = toDay(nowMs);
      await ensure(client, today - 1, today + AHEAD_DAYS);
      await client.query('SELECT drop_message_partitions($1::date)', [toDate(today - KEEP_DAYS)]);
      for (const day of made) if (day < today - KEEP_DAYS) made.delete(day);
      await deleteOld(client, new Date((today - KEEP_DAYS) * DAY_MS));
    },
    async admit(client, timeMs, nowMs) {
      const day = toDay(timeMs);
      const today = toDay(nowMs);
      if (day < today - KEEP_DAYS || day > today + AHEAD_DAYS) return false;
      if (!made.has(day)) await ensure(client, day, day);
      return true;
    },
  };
}

const DELETE_MAX = 10_000;

/** In portions, so that no transaction holds many rows. */
async function deleteOld(client: pg.ClientBase, before: Date): Promise<void> {
  for (const [table, column] of [
    ['dead_letter', 'at'],
    ['message_minute', 'minute'],
    ['connector_minute', 'minute'],
    ['connector_event', 'at'],
    ['source_refusal', 'minute'],
  ]) {
    for (;;) {
      const { rowCount } = await client.query(
        `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${table} WHERE ${column} < $1 LIMIT ${DELETE_MAX}))`,
        [before],
      );
      if ((rowCount ?? 0) < DELETE_MAX) break;
    }
  }
}

const toDay = (ms: number): number => Math.floor(ms / DAY_MS);
const toDate = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);
