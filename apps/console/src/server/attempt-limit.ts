import type { Clock } from '@vrsky/kernel/clock';

export interface AttemptLimit {
  /** Milliseconds to wait before the next try under this key; 0 when one may be made now. */
  waitMs(key: string): number;
  failed(key: string): void;
  /** Forgets the failures of a key. */
  succeeded(key: string): void;
}

export interface AttemptLimitOptions {
  /** Failures in `windowMs` after which a key has to wait. */
  failuresMax: number;
  windowMs: number;
  /** Keys remembered; the one that failed longest ago gives way. */
  keysMax: number;
  clock: Clock;
}

interface Failures {
  count: number;
  sinceMs: number;
}

/** Counts failed tries by key in fixed windows. In memory of one process: a restart forgives, and each process counts for itself. */
export function createAttemptLimit(options: AttemptLimitOptions): AttemptLimit {
  const { failuresMax, windowMs, keysMax, clock } = options;
  const failures = new Map<string, Failures>();

  const current = (key: string): Failures | null => {
    const entry = failures.get(key);
    if (!entry) return null;
    if (clock.nowMs() - entry.sinceMs < windowMs) return entry;
    failures.delete(key);
    return null;
  };

  return {
    waitMs(key) {
      const entry = current(key);
      return entry && entry.count >= failuresMax ? Math.max(1, entry.sinceMs + windowMs - clock.nowMs()) : 0;
    },
    failed(key) {
      const entry = current(key) ?? { count: 0, sinceMs: clock.nowMs() };
      entry.count++;
      failures.delete(key); // set anew, so that the order of the map is the order of the last failure
      failures.set(key, entry);
      if (failures.size > keysMax) failures.delete(failures.keys().next().value as string);
    },
    succeeded(key) {
      failures.delete(key);
    },
  };
}
