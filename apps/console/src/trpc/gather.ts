export interface Gatherer<T> {
  add(item: T): void;
  stop(): void;
}

/**
 * Hands an item on at once when it was quiet, and at most once in `everyMs` under load: nothing is lost, much is said once. Items do not
 * wait for each other: what arrived at the receiver must not hold up the message that was sent there.
 */
export function createGatherer<T>(everyMs: number, flush: (item: T) => void): Gatherer<T> {
  const resting = new Map<T, { again: boolean; timer: ReturnType<typeof setTimeout> }>();

  const hand = (item: T): void => {
    resting.set(item, { again: false, timer: setTimeout(() => wake(item), everyMs) });
    flush(item);
  };
  const wake = (item: T): void => {
    const again = resting.get(item)?.again;
    resting.delete(item);
    if (again) hand(item);
  };

  return {
    add(item) {
      const rest = resting.get(item);
      if (rest) rest.again = true;
      else hand(item);
    },
    stop() {
      for (const { timer } of resting.values()) clearTimeout(timer);
      resting.clear();
    },
  };
}
