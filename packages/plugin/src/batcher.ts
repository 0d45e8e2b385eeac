/** Frames of the connector protocol. */
export const FRAME_ITEMS_MAX = 256;
export const FRAME_BYTES_MAX = 1_048_576;

export interface Batcher<T> {
  add(item: T, bytes: number): void;
  /** The line takes more again: call it on `drain`. */
  resume(): void;
  /** Gives back what has not been written, and takes no more notice of time. */
  clear(): T[];
}

/**
 * Gathers items into frames. On an idle line a frame leaves in the turn of the event loop in which its items came; while the line
 * is full (`write` answered false) items gather until `resume`. So frames grow by themselves under load, and nothing waits on a timer.
 */
export function createBatcher<T>(write: (items: T[]) => boolean): Batcher<T> {
  let items: T[] = [];
  let bytes = 0;
  let armed: NodeJS.Immediate | null = null;
  let full = false;

  const flush = (): void => {
    armed = null;
    if (items.length === 0) return;
    const frame = items;
    items = [];
    bytes = 0;
    full = !write(frame);
  };
  const arm = (): void => {
    armed ??= setImmediate(flush);
  };
  return {
    add(item, itemBytes) {
      // A frame that would grow over its bound leaves first, also on a full line: the line's own buffer is the smaller evil than a frame too large.
      if (items.length >= FRAME_ITEMS_MAX || (items.length > 0 && bytes + itemBytes > FRAME_BYTES_MAX)) flush();
      items.push(item);
      bytes += itemBytes;
      if (!full) arm();
    },
    resume() {
      full = false;
      if (items.length > 0) arm();
    },
    clear() {
      if (armed !== null) clearImmediate(armed);
      armed = null;
      full = false;
      const left = items;
      items = [];
      bytes = 0;
      return left;
    },
  };
}
