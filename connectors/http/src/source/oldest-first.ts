/** The place of an entry in a list; begins as `unlisted()`. */
export interface Place {
  older: Place | null;
  newer: Place | null;
  isListed: boolean;
}

export const unlisted = (): Place => ({ older: null, newer: null, isListed: false });

/**
 * What waits, the oldest first; any entry may leave. A Set would do, but the tables that a Set leaves behind while thousands of entries come and go
 * keep those alive until the next full garbage collection, which costs more than all the rest of a request's objects.
 */
export interface OldestFirst<T extends Place> extends Iterable<T> {
  add(entry: T): void;
  /** False when it was not in the list. */
  delete(entry: T): boolean;
}

export function createOldestFirst<T extends Place>(): OldestFirst<T> {
  let oldest: Place | null = null;
  let newest: Place | null = null;
  return {
    add(entry) {
      entry.older = newest;
      entry.isListed = true;
      if (newest === null) oldest = entry;
      else newest.newer = entry;
      newest = entry;
    },
    delete(entry) {
      if (!entry.isListed) return false;
      const { older, newer } = entry;
      if (older === null) oldest = newer;
      else older.newer = newer;
      if (newer === null) newest = older;
      else newer.older = older;
      // What has left must lead to nobody.
      entry.older = null;
      entry.newer = null;
      entry.isListed = false;
      return true;
    },
    *[Symbol.iterator]() {
      for (let entry = oldest; entry !== null; ) {
        const { newer } = entry;
        yield entry as T;
        entry = newer;
      }
    },
  };
}
