/** How many requests of one destination run at a time and how fast they begin, in the order in which they came. */
export interface Pace {
  /** Calls `run` now or when it is its turn; `release` ends its turn. */
  acquire(run: () => void): void;
  release(): void;
}

export interface PaceOptions {
  concurrency: number;
  /** null: as fast as they come. */
  ratePerSecond: number | null;
  nowMs?: () => number;
  /** Calls back once after so many ms. */
  later?: (run: () => void, ms: number) => void;
}

/** So much may begin at once after a pause: a tenth of a second's worth. */
const BURST_S = 0.1;
const QUEUE_TRIM = 1_024;

export function createPace({ concurrency, ratePerSecond, nowMs = () => performance.now(), later = setTimeout }: PaceOptions): Pace {
  let queue: (() => void)[] = [];
  let head = 0;
  let running = 0;
  let isWaiting = false;
  const capacity = ratePerSecond === null ? Number.POSITIVE_INFINITY : Math.max(1, ratePerSecond * BURST_S);
  let tokens = capacity;
  let filledAtMs = nowMs();

  /** 0: there is one now, and it is taken. Otherwise the ms until there is one. */
  const takeToken = (): number => {
    if (ratePerSecond === null) return 0;
    const now = nowMs();
    tokens = Math.min(capacity, tokens + ((now - filledAtMs) / 1_000) * ratePerSecond);
    filledAtMs = now;
    // A hair's breadth less than one is one: sums of fractions are not exact.
    if (tokens < 1 - 1e-9) return Math.max(1, Math.ceil(((1 - tokens) / ratePerSecond) * 1_000));
    tokens -= 1;
    return 0;
  };

  const pump = (): void => {
    while (!isWaiting && running < concurrency && head < queue.length) {
      const waitMs = takeToken();
      if (waitMs > 0) {
        isWaiting = true;
        later(() => {
          isWaiting = false;
          pump();
        }, waitMs);
        return;
      }
      const run = queue[head++] as () => void;
      if (head === queue.length) {
        queue = [];
        head = 0;
      } else if (head >= QUEUE_TRIM) {
        queue = queue.slice(head);
        head = 0;
      }
      running++;
      run();
    }
  };
  return {
    acquire(run) {
      queue.push(run);
      pump();
    },
    release() {
      running--;
      pump();
    },
  };
}
