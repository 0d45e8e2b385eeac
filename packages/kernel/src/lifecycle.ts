import { backoff } from './backoff.ts';

/** A thing an app starts and stops. Parts do not know each other's order. */
export interface Part {
  readonly name: string;
  /** Resolves when the part is ready for use. Gives up when `stop` aborts. */
  start?(stop: AbortSignal): Promise<void>;
  /** Rejects if the part dies by itself. Left out by parts that have no loop. */
  readonly done?: Promise<void>;
  /** Takes no new work and finishes what it has. Gives up when `deadline` aborts. */
  drain?(deadline: AbortSignal): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export type Use = <T extends Part>(part: T) => Promise<T>;

export interface RunOptions {
  drainMs: number;
  log: (line: string) => void;
}

/** Builds the app, waits for `stop` or for a part to die, drains in reverse under one deadline, disposes in reverse. */
export async function runUntil(stop: AbortSignal, build: (use: Use) => Promise<void>, options: RunOptions): Promise<void> {
  // The stack, not a comment, gives the order, also when build throws half-way.
  await using stack = new AsyncDisposableStack();
  const parts: Part[] = [];
  const died = new AbortController();
  const halt = AbortSignal.any([stop, died.signal]);

  const use: Use = async (part) => {
    stack.use(part);
    await part.start?.(halt);
    parts.push(part); // only a started part is drained; every acquired part is disposed
    part.done?.catch((cause: unknown) => died.abort(cause));
    return part;
  };

  try {
    await build(use);
    options.log('ready');
    await aborted(halt);
  } catch (error) {
    // A stop during start is a normal stop; what start threw is most likely our own request.
    if (!stop.aborted) throw error;
    options.log(`start stopped: ${String(error)}`);
  }

  // Not AbortSignal.timeout: its timer does not hold the process, which would exit before disposing.
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), options.drainMs);
  for (const part of parts.toReversed()) {
    options.log(`drain ${part.name}`);
    await drainWithin(deadline.signal, part, options.log);
  }
  clearTimeout(timer);
  if (died.signal.aborted) throw died.signal.reason;
}

async function drainWithin(deadline: AbortSignal, part: Part, log: (line: string) => void): Promise<void> {
  try {
    await Promise.race([part.drain?.(deadline), aborted(deadline)]);
  } catch (error) {
    // One part that fails to drain must not cost the others their drain.
    log(`drain ${part.name} failed: ${String(error)}`);
  }
}

/** Resolves when the signal aborts; at once if it has: the event does not fire a second time. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** Resolves after `ms`, or as soon as `stop` aborts. Never rejects: loops look at the signal. */
export function sleep(ms: number, stop?: AbortSignal): Promise<void> {
  if (stop?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      stop?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    stop?.addEventListener('abort', end, { once: true });
  });
}

/**
 * Runs `work` every `ms` until `stop` aborts, waiting for the run in flight; a failed run is reported and the next one
 * waits longer (back-off), so a dead neighbour is not hammered. Resolves when the last run has ended.
 */
export async function every(ms: number, work: () => Promise<void>, stop: AbortSignal, onError: (error: unknown) => void): Promise<void> {
  const retry = backoff({ initialMs: ms, maxMs: Math.max(ms, 30_000) });
  while (!stop.aborted) {
    let waitMs = ms;
    try {
      await work();
      retry.reset();
    } catch (error) {
      if (stop.aborted) return;
      onError(error);
      waitMs = retry.nextMs();
    }
    await sleep(waitMs, stop);
  }
}
