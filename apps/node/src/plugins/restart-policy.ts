import { backoff } from '@vrsky/kernel/backoff';

export interface RestartPolicy {
  /** The process ended after `uptimeMs`; answers when to start the next one, and whether the breaker is open until then. */
  ended(uptimeMs: number): { delayMs: number; isOpen: boolean };
}

/** A process that lived this long was no failed start: counting begins anew. */
const HEALTHY_MS = 10_000;
/** So many ends in a row, none of them after a healthy time, open the breaker. */
const ENDS_MAX = 8;
const OPEN_MS = 60_000;

/** Restarts at once after a crash, slower and slower when it does not help, and only now and then when nothing does. */
export function createRestartPolicy(random?: () => number): RestartPolicy {
  const retry = backoff({ initialMs: 100, maxMs: 10_000, random });
  let ends = 0;
  return {
    ended(uptimeMs) {
      if (uptimeMs >= HEALTHY_MS) {
        ends = 0;
        retry.reset();
      }
      ends++;
      const isOpen = ends >= ENDS_MAX;
      return { delayMs: isOpen ? OPEN_MS : retry.nextMs(), isOpen };
    },
  };
}
