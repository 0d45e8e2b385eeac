import { Worker } from 'node:worker_threads';
import { AppError } from '@vrsky/kernel/errors';
import type { PrepareAnswer, PrepareRequest, UnusableStep } from './prepare-worker.ts';
import type { LogicStep } from './types.ts';
import type { PreparedModule } from './wasm-module.ts';
import { workerFile } from './worker-file.ts';

/**
 * Modules that are metered and compiled, once a process: in a thread of their own, since a large one takes longer than a message may
 * wait; every other thread makes its instances from the same compiled code.
 */

const modulesMax = 512;
const prepareMsMax = 20_000;

interface Preparer {
  worker: Worker;
  pending: Map<number, { resolve(prepared: PreparedModule | UnusableStep): void; reject(error: unknown): void; timer: NodeJS.Timeout }>;
}

/** By code and memory, the least recently used first. */
const modules = new Map<string, Promise<PreparedModule | UnusableStep>>();
let preparer: Preparer | undefined;
let nextId = 1;

/** A step's module, ready for any thread of this process. Rejects with AppError when the thread that prepares it fails. */
export function preparedModule(step: Pick<LogicStep, 'sha256' | 'code'>, memoryBytes: number): Promise<PreparedModule | UnusableStep> {
  const key = `${step.sha256} ${memoryBytes}`;
  const found = modules.get(key) ?? prepare(step.code, memoryBytes);
  modules.delete(key);
  if (modules.size >= modulesMax) modules.delete(modules.keys().next().value as string);
  modules.set(key, found);
  found.catch(() => modules.delete(key)); // the next one that asks tries again
  return found;
}

function prepare(code: string, memoryBytes: number): Promise<PreparedModule | UnusableStep> {
  preparer ??= startPreparer();
  const { worker, pending } = preparer;
  const id = nextId++;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => end(worker, `a module was not prepared within ${prepareMsMax} ms`), prepareMsMax);
    pending.set(id, { resolve, reject, timer });
    worker.ref();
    worker.postMessage({ id, code, memoryBytes } satisfies PrepareRequest);
  });
}

function startPreparer(): Preparer {
  const worker = new Worker(workerFile('prepare-worker'), { execArgv: [], name: 'prepare', resourceLimits: { maxOldGenerationSizeMb: 1_024 } });
  const pending: Preparer['pending'] = new Map();
  worker.unref();
  worker.on('message', (answer: PrepareAnswer) => {
    const waiting = pending.get(answer.id);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    pending.delete(answer.id);
    if (pending.size === 0) worker.unref();
    if ('prepared' in answer) waiting.resolve(answer.prepared);
    else waiting.reject(failed(answer.error));
  });
  worker.on('error', (cause) => end(worker, String(cause)));
  worker.on('exit', () => end(worker, 'the thread ended'));
  return { worker, pending };
}

/** The next call starts another. */
function end(worker: Worker, message: string): void {
  if (preparer?.worker !== worker) return;
  const { pending } = preparer;
  preparer = undefined;
  void worker.terminate();
  for (const { reject, timer } of pending.values()) {
    clearTimeout(timer);
    reject(failed(message));
  }
}

function failed(message: string): AppError {
  return new AppError({
    code: 'LOGIC.UNPREPARED',
    kind: 'unavailable',
    message: `a WebAssembly module could not be prepared: ${message}`,
    retryAfterMs: 1_000,
  });
}
