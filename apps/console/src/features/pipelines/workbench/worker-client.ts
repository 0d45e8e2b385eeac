import type { CallAnswer, CallRequest, Calls } from './calls.ts';

/** `waiting`: not asked for yet. `failed`: it stays so until `stop`. */
export type WorkerState = { kind: 'waiting' | 'loading' | 'ready' } | { kind: 'failed'; message: string };

export interface WorkerClient<C extends Calls> {
  /** Starts the worker when it is not there. Rejects with WorkerStopped when it was ended for taking too long. */
  call<N extends keyof C & string>(name: N, ...args: Parameters<C[N]>): Promise<Awaited<ReturnType<C[N]>>>;
  state(): WorkerState;
  onChange(listener: () => void): () => void;
  /** Ends the thread, also one that failed. The next call starts another. */
  stop(): void;
}

export class WorkerStopped extends Error {}

interface WorkerOptions {
  create(): Worker;
  /** Arguments of the worker's own `start`, and how it says that it can be used. */
  startArgs(): Promise<unknown[]>;
  /** A call that takes longer ends the worker: the page must go on whatever runs there. */
  callMsMax: number;
}

interface Pending {
  resolve(value: never): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** A worker of the page that is started when needed, watched, and replaced. */
export function createWorkerClient<C extends Calls>({ create, startArgs, callMsMax }: WorkerOptions): WorkerClient<C> {
  const listeners = new Set<() => void>();
  const pending = new Map<number, Pending>();
  let state: WorkerState = { kind: 'waiting' };
  let started: Promise<Worker> | undefined;
  let worker: Worker | undefined;
  let nextId = 1;

  const set = (next: WorkerState): void => {
    state = next;
    for (const listener of listeners) listener();
  };

  const end = (error: Error, next: WorkerState): void => {
    worker?.terminate();
    worker = undefined;
    started = undefined;
    for (const { reject, timer } of pending.values()) {
      clearTimeout(timer);
      reject(error);
    }
    pending.clear();
    set(next);
  };

  const fail = (message: string): void => end(new Error(message), { kind: 'failed', message });

  const start = async (): Promise<Worker> => {
    set({ kind: 'loading' });
    const args = await startArgs();
    const fresh = create();
    worker = fresh;
    fresh.onmessage = ({ data }: MessageEvent<CallAnswer>) => {
      const waiting = pending.get(data.id);
      if (!waiting) return;
      clearTimeout(waiting.timer);
      pending.delete(data.id);
      if (data.ok) waiting.resolve(data.value as never);
      else waiting.reject(new Error(data.message));
      watchNext();
    };
    fresh.onerror = (event) => {
      if (fresh === worker) fail(event.message || 'Its code could not be loaded. The connection may be lost.');
    };
    await send(fresh, 'start', args);
    if (fresh !== worker) throw new WorkerStopped('The worker was stopped while it started.');
    set({ kind: 'ready' });
    return fresh;
  };

  /** Only the call whose turn it is is timed: the others wait behind it. */
  const watchNext = (): void => {
    const first = pending.values().next().value;
    if (!first || first.timer !== undefined || state.kind !== 'ready') return;
    first.timer = setTimeout(() => {
      end(new WorkerStopped(`It did not end within ${callMsMax / 1_000} seconds and was stopped.`), { kind: 'waiting' });
    }, callMsMax);
  };

  const send = (to: Worker, name: string, args: unknown[]): Promise<never> => {
    const id = nextId++;
    return new Promise((resolve, reject) => {
      pending.set(id, { resolve, reject, timer: undefined });
      watchNext();
      to.postMessage({ id, name, args } satisfies CallRequest);
    });
  };

  return {
    async call(name, ...args) {
      if (state.kind === 'failed') throw new Error(state.message);
      started ??= start().catch((error: unknown) => {
        if (!(error instanceof WorkerStopped)) fail(error instanceof Error ? error.message : String(error));
        throw error;
      });
      return send(await started, name, args);
    },
    state: () => state,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop() {
      end(new WorkerStopped('The worker was stopped.'), { kind: 'waiting' });
    },
  };
}
