export interface BackoffOptions {
  initialMs: number;
  maxMs: number;
  /** 1 or more; 2 doubles each time. */
  factor?: number;
  /** 0..1, for tests; `Math.random` otherwise. */
  random?: () => number;
}

export interface Backoff {
  /** The next delay; grows with each call until `reset`. */
  nextMs(): number;
  reset(): void;
}

/** Delay before attempt `attempt + 1` after `attempt` (from 1) failed: exponential with equal jitter (half fixed, half random). */
export function backoffMs(attempt: number, options: BackoffOptions): number {
  const ceiling = Math.min(options.maxMs, options.initialMs * (options.factor ?? 2) ** (attempt - 1));
  return Math.round(ceiling / 2 + (ceiling / 2) * (options.random ?? Math.random)());
}

/** A stateful back-off for a loop: ask for the next delay after a failure, reset after a success. */
export function backoff(options: BackoffOptions): Backoff {
  let attempt = 0;
  return {
    nextMs: () => backoffMs(++attempt, options),
    reset: () => {
      attempt = 0;
    },
  };
}
