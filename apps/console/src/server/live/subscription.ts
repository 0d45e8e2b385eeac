import type { LiveChange } from './live-change.ts';

/** One reader's line. Changes that wait for a slow reader are kept once each, so a line never grows. */
export interface LiveSubscription {
  push(change: LiveChange): void;
  /** Resolves with what changed since the last call; with nothing after `waitMs`; with null when the line has ended. */
  next(waitMs: number): Promise<LiveChange[] | null>;
  end(): void;
}

export function createSubscription(onEnd: () => void): LiveSubscription {
  const waiting = new Map<string, LiveChange>();
  let ended = false;
  let wake: (() => void) | undefined;

  return {
    push(change) {
      waiting.set(`${change.kind} ${change.pipelineId ?? ''}`, change);
      wake?.();
    },
    async next(waitMs) {
      if (!ended && waiting.size === 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, waitMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        wake = undefined;
      }
      if (ended) return null;
      const changes = [...waiting.values()];
      waiting.clear();
      return changes;
    },
    end() {
      if (ended) return;
      ended = true;
      wake?.();
      onEnd();
    },
  };
}
