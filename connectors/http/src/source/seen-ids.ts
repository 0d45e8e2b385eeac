import { hash } from 'node:crypto';
import { createSeenLog, type SeenLog, type SeenLogOptions, type SeenRecord, weightOf } from './seen-log.ts';

/** What is known of a sender's id: it is being stored, or it was stored as these messages. */
export type Seen =
  | { state: 'waiting'; onSettled: ((messageIds: readonly string[] | null) => void)[] }
  | { state: 'stored'; messageIds: readonly string[]; untilMs: number };

/** The ids of one connection's senders, so that what comes again is not stored again. */
export interface SeenIds {
  /** What an id is known by. It is only compared, so that the id itself is kept nowhere. */
  keyOf(id: string): string;
  /** The messages of this key, or what it waits for; null when it is new, and then `settle` has to follow. */
  find(key: string, nowMs: number): Seen | null;
  /**
   * `messageIds` is null when nothing was stored: then the id is new again. `onKept` is called once the id is where a restart finds it, or
   * cannot be brought there.
   */
  settle(key: string, messageIds: readonly string[] | null, nowMs: number, onKept: () => void): void;
}

/** The ids of all connections. They outlive a configuration without the connection, and with a folder the process. */
export interface SeenBook {
  /** Reads what earlier processes wrote. To be called once, when the folder is ours. */
  load(): Promise<void>;
  /** The same for the same connection and the same kind of ids; an id is remembered for the window that was asked for last. */
  open(of: { connectionId: string; kind: string }, windowMs: number): SeenIds;
  /** Divides the room after connections came or went. */
  divide(open: ReadonlySet<SeenIds>): void;
}

export interface SeenBookOptions {
  /** Null: in memory alone. */
  dir: string | null;
  log(level: 'info' | 'warn', message: string, fields?: Record<string, unknown>): void;
  onUnwritten(): void;
  times?: SeenLogOptions['times'];
}

/** Of one connection, and of all together: then each has less. */
export const IDS_MAX = 10_000;
const ALL_IDS_MAX = 500_000;
const IDS_LEAST = 100;
/** A body may become a thousand messages: their ids are bounded beside those of the senders. */
const WEIGHT_PER_ID = 11;

/** How many ids each of so many connections may keep. */
export function shareOfIds(connections: number): number {
  return Math.max(IDS_LEAST, Math.min(IDS_MAX, Math.floor(ALL_IDS_MAX / Math.max(1, connections))));
}

interface Shelf extends SeenIds {
  windowMs: number;
  readonly size: number;
  readonly weight: number;
  put(record: SeenRecord): void;
  /** Keeps the newest. */
  trim(ids: number): void;
  forgetUntil(nowMs: number): void;
  records(): Iterable<SeenRecord>;
}

export function createSeenBook({ dir, log, onUnwritten, times = {} }: SeenBookOptions): SeenBook {
  const shelves = new Map<string, Shelf>();
  let max = IDS_MAX;
  const tally = { weight: 0 };
  const seenLog: SeenLog | null =
    dir === null
      ? null
      : createSeenLog({
          dir,
          times,
          live: {
            *records() {
              for (const shelf of shelves.values()) yield* shelf.records();
            },
            weight: () => tally.weight,
          },
          onTrouble: (reason) =>
            reason === null
              ? log('info', 'ids of senders are written to disk again, with all that were remembered meanwhile')
              : log('warn', 'ids of senders are remembered in memory alone for now: the disk does not take them', { reason }),
          onUnwritten,
        });

  const shelfOf = (scope: string): Shelf => {
    let shelf = shelves.get(scope);
    if (shelf === undefined) {
      shelf = createShelf({ scope, maxOf: () => max, tally, keep: (record, done) => (seenLog === null ? done() : seenLog.append(record, done)) });
      shelves.set(scope, shelf);
    }
    return shelf;
  };

  return {
    async load() {
      if (seenLog === null) return;
      const { records, damaged, problems } = await seenLog.read();
      const nowMs = Date.now();
      records.sort((a, b) => a.untilMs - b.untilMs);
      for (const record of records) if (record.untilMs > nowMs) shelfOf(record.scope).put(record);
      if (damaged > 0) log('warn', 'ids of senders could not be read from disk: a crash or the disk has damaged their lines', { lines: damaged });
      for (const reason of problems) log('warn', 'ids of senders could not be read from disk', { reason });
    },
    open({ connectionId, kind }, windowMs) {
      const shelf = shelfOf(short(`${connectionId}\n${kind}`));
      shelf.windowMs = windowMs;
      return shelf;
    },
    divide(open) {
      const nowMs = Date.now();
      for (const [scope, shelf] of shelves) {
        if (open.has(shelf)) continue;
        shelf.forgetUntil(nowMs);
        if (shelf.size === 0) shelves.delete(scope);
      }
      max = shareOfIds(shelves.size);
      for (const shelf of shelves.values()) shelf.trim(max);
    },
  };
}

interface ShelfOptions {
  scope: string;
  maxOf(): number;
  /** Of all shelves. */
  tally: { weight: number };
  keep(record: SeenRecord, onKept: () => void): void;
}

function createShelf({ scope, maxOf, tally, keep }: ShelfOptions): Shelf {
  /** Oldest first. */
  const seen = new Map<string, Seen>();
  let weight = 0;
  const weigh = (change: number): void => {
    weight += change;
    tally.weight += change;
  };
  const remove = (key: string): void => {
    const entry = seen.get(key);
    if (entry?.state === 'stored') weigh(-weightOf(entry.messageIds));
    seen.delete(key);
  };
  const trim = (max: number): void => {
    if (seen.size <= max && weight <= max * WEIGHT_PER_ID) return;
    for (const [oldest, entry] of seen) {
      if (seen.size <= max && weight <= max * WEIGHT_PER_ID) return;
      if (entry.state === 'stored') remove(oldest);
    }
  };
  const put = ({ key, untilMs, messageIds }: Pick<SeenRecord, 'key' | 'untilMs' | 'messageIds'>): void => {
    remove(key);
    seen.set(key, { state: 'stored', messageIds, untilMs });
    weigh(weightOf(messageIds));
    trim(maxOf());
  };
  const shelf: Shelf = {
    windowMs: 0,
    get size() {
      return seen.size;
    },
    get weight() {
      return weight;
    },
    keyOf: (id) => short(`${scope}\n${id}`),
    find(key, nowMs) {
      const found = seen.get(key);
      if (found !== undefined && (found.state === 'waiting' || found.untilMs > nowMs)) return found;
      remove(key);
      seen.set(key, { state: 'waiting', onSettled: [] });
      return null;
    },
    settle(key, messageIds, nowMs, onKept) {
      const found = seen.get(key);
      if (found?.state !== 'waiting') return onKept();
      const tell = (): void => {
        for (const hear of found.onSettled) hear(messageIds);
        onKept();
      };
      if (messageIds === null) {
        seen.delete(key);
        return tell();
      }
      // What comes again meanwhile waits, too: its answer says as much as the first one's.
      const record = { scope, key, untilMs: nowMs + shelf.windowMs, messageIds };
      keep(record, () => {
        put(record);
        tell();
      });
    },
    put,
    trim,
    forgetUntil(nowMs) {
      for (const [key, entry] of seen) if (entry.state === 'stored' && entry.untilMs <= nowMs) remove(key);
    },
    *records() {
      let left = seen.size;
      for (const [key, entry] of seen) {
        if (left-- === 0) return; // what comes meanwhile is written as it comes
        if (entry.state === 'stored') yield { scope, key, untilMs: entry.untilMs, messageIds: entry.messageIds };
      }
    },
  };
  return shelf;
}

function short(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}
