import { limits } from '@vrsky/contracts/limits';

/** What the queue needs to know of an entry: its group and its size. */
export interface Sized {
  readonly group: string;
  readonly bytes: number;
}

/**
 * Entries that arrived while a pack was being stored. What waits becomes the next packs, at most `packMessagesMax` messages and
 * `packBytesMax` at a time, one pack for each pipeline among them, in order of arrival.
 */
export interface PackQueue<T extends Sized> {
  readonly length: number;
  readonly bytes: number;
  push(entry: T): void;
  /** The next packs; empty when nothing waits. */
  take(): T[][];
}

export function createPackQueue<T extends Sized>(messagesMax: number = limits.packMessagesMax, bytesMax: number = limits.packBytesMax): PackQueue<T> {
  let waiting: T[] = [];
  let waitingBytes = 0;

  /** All of it when it fits, which is the usual case and copies nothing. */
  const cut = (): T[] => {
    if (waiting.length <= messagesMax && waitingBytes <= bytesMax) {
      const all = waiting;
      waiting = [];
      waitingBytes = 0;
      return all;
    }
    let count = 0;
    let bytes = 0;
    for (const entry of waiting) {
      // One entry alone always fits: its size was checked when it came.
      if (count === messagesMax || (count > 0 && bytes + entry.bytes > bytesMax)) break;
      count++;
      bytes += entry.bytes;
    }
    waitingBytes -= bytes;
    return waiting.splice(0, count);
  };

  return {
    get length() {
      return waiting.length;
    },
    get bytes() {
      return waitingBytes;
    },
    push(entry) {
      waiting.push(entry);
      waitingBytes += entry.bytes;
    },
    take: () => groupInOrder(cut()),
  };
}

function groupInOrder<T extends Sized>(entries: T[]): T[][] {
  const [first] = entries;
  if (first === undefined) return [];
  if (entries.every((entry) => entry.group === first.group)) return [entries];
  const groups = new Map<string, T[]>();
  for (const entry of entries) {
    const group = groups.get(entry.group);
    if (group) group.push(entry);
    else groups.set(entry.group, [entry]);
  }
  return [...groups.values()];
}
