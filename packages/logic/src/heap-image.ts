import { type EngineInstance, engineLayout } from './engine-instance.ts';

/** The engine's whole state at a moment, to be put back before each message, in this or another instance. */
export interface HeapImage {
  /** What is in memory, in order; all else is zero. Where an image is as the one it was made from, it shares that one's bytes. */
  runs: { at: number; bytes: Uint8Array }[];
  /** End of the engine's heap. */
  pages: number;
  stackPointer: number;
  /** Memory that the image takes for itself. */
  ownBytes: number;
}

export interface HeapKeeper {
  /** The engine's state, between calls. `from` is the image it was restored from, with which the new one shares what did not change. */
  snapshot(from?: HeapImage): HeapImage;
  restore(image: HeapImage): void;
  /** Memory above the static part that was ever touched: the system does not get it back while the instance lives. */
  touchedBytes(): number;
}

const { pageBytes, stackTop, stackBottom, heapPages } = engineLayout;
/** Stack below its top that is cleared at every restore; below that only as far as it was used. */
const stackClearBytes = 16_384;
const windowBytes = 4_096;
/** Grain of what is left out as zero, or shared. */
const chunkBytes = 4_096;

export function createHeapKeeper(engine: EngineInstance): HeapKeeper {
  const { heap, words } = engine;
  /** Memory above this is zero. */
  let dirtyTo = heapPages * pageBytes;
  let touchedTo = dirtyTo;

  /** Word by word: `start` and `end` are multiples of 4. */
  function isZero(start: number, end: number): boolean {
    for (let i = start >> 2; i < end >> 2; i++) if (words[i] !== 0) return false;
    return true;
  }

  function isAsIn(image: HeapImage, start: number, end: number): boolean {
    const bytes = bytesOf(image, start, end);
    if (!bytes) return false;
    for (let i = 0; i < bytes.length; i++) if (bytes[i] !== heap[start + i]) return false;
    return true;
  }

  function clearStack(): void {
    let bottom = stackTop - stackClearBytes;
    heap.fill(0, bottom, stackTop);
    // Frames lie close together: a window without a trace of one is below the deepest.
    while (bottom > stackBottom && !isZero(bottom - windowBytes, bottom)) {
      heap.fill(0, bottom - windowBytes, bottom);
      bottom -= windowBytes;
    }
  }

  return {
    snapshot(from) {
      const image: HeapImage = { runs: [], pages: engine.pages.value, stackPointer: engine.stackPointer.value, ownBytes: 0 };
      const collect = (start: number, end: number, keepZeros: boolean): void => {
        const stateOf = (at: number): 'zero' | 'shared' | 'own' => {
          const to = Math.min(end, at + chunkBytes);
          return !keepZeros && isZero(at, to) ? 'zero' : from && isAsIn(from, at, to) ? 'shared' : 'own';
        };
        for (let at = start; at < end; ) {
          const state = stateOf(at);
          let to = at + chunkBytes;
          while (to < end && stateOf(to) === state) to += chunkBytes;
          to = Math.min(to, end);
          const shared = state === 'shared' && from ? bytesOf(from, at, to) : undefined;
          if (state !== 'zero') image.runs.push({ at, bytes: shared ?? heap.slice(at, to) });
          if (state !== 'zero' && !shared) image.ownBytes += to - at;
          at = to;
        }
      };
      // Static data and heap; the stack between them is empty between calls.
      collect(0, stackBottom, true);
      collect(stackTop, image.pages * pageBytes, false);
      return image;
    },

    restore(image) {
      clearStack();
      const end = Math.max(dirtyTo, engine.pages.value * pageBytes);
      touchedTo = Math.max(touchedTo, end);
      let clean: number = stackTop;
      for (const { at, bytes } of image.runs) {
        if (at > clean) heap.fill(0, clean, at);
        heap.set(bytes, at);
        clean = Math.max(clean, at + bytes.length);
      }
      if (end > clean) heap.fill(0, clean, end);
      dirtyTo = image.pages * pageBytes;
      engine.pages.value = image.pages;
      engine.stackPointer.value = image.stackPointer;
    },

    touchedBytes: () => Math.max(touchedTo, engine.pages.value * pageBytes) - heapPages * pageBytes,
  };
}

/** An image's bytes from `start` to `end`, or undefined when no run has them all. */
function bytesOf(image: HeapImage, start: number, end: number): Uint8Array | undefined {
  const run = image.runs.find(({ at, bytes }) => at <= start && end <= at + bytes.length);
  return run?.bytes.subarray(start - run.at, end - run.at);
}
