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
}

export const IDS_MAX = 10_000;

export function createSeenIds(windowMs: number, idsMax = IDS_MAX): SeenIds {
  /** Oldest first. */
  const seen = new Map<string, Seen>();
  return {
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
        for (const [oldest, entry] of seen) {
          if (seen.size <= idsMax) break;
          if (entry.state === 'stored') seen.delete(oldest);
        }
      }
      for (const tell of found.onSettled) tell(messageIds);
    },
  };
}
