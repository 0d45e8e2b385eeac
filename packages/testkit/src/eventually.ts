import { setTimeout as pause } from 'node:timers/promises';

export interface EventuallyOptions {
  timeoutMs?: number;
  everyMs?: number;
  /** Named in the error: `waited 5000 ms for the consumer`. */
  what?: string;
}

/**
 * Calls `probe` until it neither throws nor answers `false`, and gives back its answer. Tests wait for states with it instead
 * of sleeping. After `timeoutMs` it throws with the last failure as cause.
 */
export async function eventually<T>(probe: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<Exclude<T, false>> {
  const { timeoutMs = 10_000, everyMs = 20, what = 'a state' } = options;
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  do {
    try {
      const answer = await probe();
      if (answer !== false) return answer as Exclude<T, false>;
      last = new Error('the probe answered false');
    } catch (error) {
      last = error;
    }
    await pause(everyMs);
  } while (performance.now() < deadline);
  throw new Error(`waited ${timeoutMs} ms for ${what}: ${last instanceof Error ? last.message : String(last)}`, { cause: last });
}
