export interface Gatherer<T> {
  add(item: T): void;
  stop(): void;
}

/** Hands items on at once when it was quiet, and at most once in `everyMs` under load: nothing is lost, much is said once. */
export function createGatherer<T>(everyMs: number, flush: (items: ReadonlySet<T>) => void): Gatherer<T> {
  let waiting = new Set<T>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const run = (): void => {
    timer = undefined;
    if (waiting.size === 0) return;
    const items = waiting;
    waiting = new Set();
    timer = setTimeout(run, everyMs);
    flush(items);
  };

  return {
    add(item) {
      waiting.add(item);
      if (timer === undefined) run();
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
      waiting.clear();
    },
  };
}
