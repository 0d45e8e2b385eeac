import { backoff } from '@vrsky/kernel/backoff';
import { sleep } from '@vrsky/kernel/lifecycle';

/** A wait that all who meet the same trouble share: one timer, longer each time, until somebody reports that it is over. */
export interface Pause {
  /** Resolves after the current back-off, or as soon as `stop` aborts. */
  wait(stop: AbortSignal): Promise<void>;
  over(): void;
  /** Nobody has met the trouble since it was last over. */
  readonly isOver: boolean;
}

export function createPause(options: { initialMs: number; maxMs: number }): Pause {
  const delay = backoff(options);
  let current: Promise<void> | null = null;
  let isOver = true;
  return {
    get isOver() {
      return isOver;
    },
    wait(stop) {
      isOver = false;
      current ??= sleep(delay.nextMs(), stop).finally(() => {
        current = null;
      });
      return current;
    },
    over() {
      if (isOver) return;
      isOver = true;
      delay.reset();
    },
  };
}
