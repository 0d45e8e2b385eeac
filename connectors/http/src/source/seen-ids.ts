/** What is known of a sender's id: it is being stored, or it was stored as these messages. */
export type Seen =
  | { state: 'waiting'; onSettled: ((messageIds: readonly string[] | null) => void)[] }
  | { state: 'stored'; messageIds: readonly string[]; untilMs: number };

/**
 * The ids of one connection's senders, so that what comes again is not stored again. In memory: after a restart of the connector the
 * sender's next repeat is a message once more, which at-least-once delivery allows.
 */
export interface SeenIds {
  /** The messages of this id, or what it waits for; null when it is new, and then `settle` has to follow. */
  find(id: string, nowMs: number): Seen | null;
  /** `messageIds` is null when nothing was stored: then the id is new again. */
  settle(id: string, messageIds: readonly string[] | null, nowMs: number): void;
  /** How many it may keep from now on. */
  setMax(ids: number): void;
}

/** Of one connection, and of all together: then each has less. */
export const IDS_MAX = 10_000;
const ALL_IDS_MAX = 500_000;
const IDS_LEAST = 100;

/** How many ids each of so many connections may keep. */
export function shareOfIds(connections: number): number {
  return Math.max(IDS_LEAST, Math.min(IDS_MAX, Math.floor(ALL_IDS_MAX / Math.max(1, connections))));
}

export function createSeenIds(windowMs: number, idsMax = IDS_MAX): SeenIds {
  let max = idsMax;
  /** Oldest first. */
  const seen = new Map<string, Seen>();
  const shed = (): void => {
    for (const [oldest, entry] of seen) {
      if (seen.size <= max) return;
      if (entry.state === 'stored') seen.delete(oldest);
    }
  };
  return {
    setMax(ids) {
      max = ids;
      shed();
    },
    find(id, nowMs) {
      const found = seen.get(id);
      if (found !== undefined && (found.state === 'waiting' || found.untilMs > nowMs)) return found;
      seen.delete(id);
      seen.set(id, { state: 'waiting', onSettled: [] });
      return null;
    },
    settle(id, messageIds, nowMs) {
      const found = seen.get(id);
      if (found?.state !== 'waiting') return;
      seen.delete(id);
      if (messageIds !== null) {
        seen.set(id, { state: 'stored', messageIds, untilMs: nowMs + windowMs });
        shed();
      }
      for (const tell of found.onSettled) tell(messageIds);
    },
  };
}
