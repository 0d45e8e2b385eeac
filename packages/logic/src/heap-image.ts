import { type EngineInstance, engineLayout } from './engine-instance.ts';

/** The engine's whole state at a moment, to be put back before each message, in this or another instance. */
export interface HeapImage {
  /** What is in memory, in order; all else is zero. Where an image is as the one it was made from, it shares that one's bytes. */
  runs: Run[];
  /** End of the engine's heap. */
  pages: number;
  stackPointer: number;
  /** Memory that the image takes for itself. */
  ownBytes: number;
}

interface Run {
  /** Address, a multiple of 4. */
  at: number;
  words: Int32Array;
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

  /** `start` and `end` are multiples of 16. */
  function isZero(start: number, end: number): boolean {
    for (let i = start >> 2; i < end >> 2; i += 4)
      if (((words[i] as number) | (words[i + 1] as number) | (words[i + 2] as number) | (words[i + 3] as number)) !== 0) return false;
    return true;
  }

  function isAsIn(run: Run, start: number, end: number): boolean {
    const offset = (start - run.at) >> 2;
    const first = start >> 2;
    for (let i = 0; i < (end - start) >> 2; i++) if (run.words[offset + i] !== words[first + i]) return false;
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
      const earlier = from?.runs ?? [];
      let next = 0;
      /** The earlier image's run with all of these bytes. Asked for in order. */
      const earlierRun = (start: number, end: number): Run | undefined => {
        while (next < earlier.length && endOf(earlier[next] as Run) <= start) next++;
        const run = earlier[next];
        return run && run.at <= start && end <= endOf(run) ? run : undefined;
      };
      const add = (at: number, to: number, shared: Run | undefined): void => {
        image.runs.push({ at, words: shared ? shared.words.subarray((at - shared.at) >> 2, (to - shared.at) >> 2) : words.slice(at >> 2, to >> 2) });
        if (!shared) image.ownBytes += to - at;
      };
      const collect = (start: number, end: number, keepZeros: boolean): void => {
        /** Where the run began that goes on here, and whose it is; undefined in zeros. */
        let open: { at: number; shared: Run | undefined } | undefined;
        for (let at = start; at < end; at += chunkBytes) {
          const to = Math.min(end, at + chunkBytes);
          const run = earlierRun(at, to);
          const shared = run && isAsIn(run, at, to) ? run : undefined;
          const isLeftOut = !shared && !keepZeros && isZero(at, to);
          if (open && (isLeftOut || open.shared !== shared)) {
            add(open.at, at, open.shared);
            open = undefined;
          }
          if (!isLeftOut) open ??= { at, shared };
        }
        if (open) add(open.at, end, open.shared);
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
      for (const run of image.runs) {
        if (run.at > clean) heap.fill(0, clean, run.at);
        words.set(run.words, run.at >> 2);
        clean = Math.max(clean, endOf(run));
      }
      if (end > clean) heap.fill(0, clean, end);
      dirtyTo = image.pages * pageBytes;
      engine.pages.value = image.pages;
      engine.stackPointer.value = image.stackPointer;
    },

    touchedBytes: () => Math.max(touchedTo, engine.pages.value * pageBytes) - heapPages * pageBytes,
  };
}

function endOf(run: Run): number {
  return run.at + run.words.length * 4;
}
