import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { AppError } from '@vrsky/kernel/errors';
import { aborted, type Part } from '@vrsky/kernel/lifecycle';
import type { WasmModule } from '@vrsky/metering/webassembly';
import { loadEngine } from './engine.ts';
import { stepKey } from './executor.ts';
import { preparedModule } from './module-store.ts';
import type { UnusableStep } from './prepare-worker.ts';
import { defaultStepLimits } from './step-limits.ts';
import { createTurns, turnMs } from './turns.ts';
import type { LogicMessage, LogicResult, LogicStep, StepLimits } from './types.ts';
import type { PreparedModule } from './wasm-module.ts';
import { decodeAnswer, encodeMessages, type WireAnswer, type WireJob } from './wire.ts';
import type { LogicWorkerData } from './worker.ts';
import { workerFile } from './worker-file.ts';

export type { LogicMessage, LogicResult, LogicStep, StepLimits, StepRun } from './types.ts';

export interface LogicRun {
  tenantId: string;
  /** In order; each gets what the one before it made. Without steps every message comes back as it is. */
  steps: LogicStep[];
  messages: LogicMessage[];
  /** Keep the output of every step in its StepRun. */
  capture?: boolean;
  limits?: Partial<StepLimits>;
}

export interface LogicPoolStats {
  workers: number;
  /** Messages waiting or running. */
  pending: number;
  /** Workers replaced since the start, because a step did not stop or the thread died. */
  replaced: number;
  /** Messages that came out since the start. */
  messages: number;
}

/** Runs customers' steps in worker threads, a tenant's turn at a time. */
export interface LogicPool extends Part {
  /** One result for each message, in order. Rejects only when the pool is closed, cannot start, or its queue is full. */
  run(request: LogicRun): Promise<LogicResult[]>;
  stats(): LogicPoolStats;
}

export interface LogicPoolOptions {
  workers: number;
  log: (line: string) => void;
}

/** Payloads of one job. */
const jobBytesMax = 4 * 1024 * 1024;
/** Messages waiting and running, of everyone and of one tenant. */
const pendingMax = 16_384;
const tenantPendingMax = 8_192;
/** Steps whose images a worker keeps. */
const stepsAWorker = 256;
const startMsMax = 30_000;
const watchMs = 100;
/** A job that lost this many workers fails: there must be an end, whatever is wrong. */
const deathsMax = 3;
/** Of a thread's stack the engine's recursion uses at most a fraction; a trap for lack of stack would not be the same everywhere. */
const stackMb = 16;

interface Task {
  run: LogicRun & { limits: StepLimits };
  /** For each step that is a WebAssembly module, the module. */
  prepared: (PreparedModule | UnusableStep | undefined)[];
  messages: LogicMessage[];
  /** Of the first message in the run's results. */
  offset: number;
  done(results: LogicResult[], offset: number): void;
  fail(error: unknown): void;
  /** Workers that died with it waiting in them. */
  deaths: number;
}

interface Slot {
  worker: Worker;
  progress: Int32Array;
  tasks: Map<number, Task>;
  /** Steps the worker has, the least recently used first. */
  steps: Map<string, { tenantId: string }>;
  /** Whether a job of a heavy tenant is among the tasks. */
  isHeavy: boolean;
  readonly isReserved: boolean;
  readonly jobs: number;
  knows(tenantId: string): boolean;
  /** Whether the thread has started; on a busy machine that takes longer than any step may. */
  ready: boolean;
  seenRuns: number;
  seenAtMs: number;
}

export function createLogicPool(options: LogicPoolOptions): LogicPool {
  const size = Math.max(1, Math.min(options.workers, availableParallelism() * 2));
  const slots: Slot[] = [];
  const turns = createTurns<Task>();
  const pendingOf = new Map<string, number>();
  let starting: Promise<void> | undefined;
  let engine: WasmModule | undefined;
  let closed = false;
  let nextJob = 1;
  let pending = 0;
  let replaced = 0;
  let completed = 0;
  let watch: NodeJS.Timeout | undefined;
  const idleWaiters: (() => void)[] = [];

  const start = (): Promise<void> => {
    starting ??= loadEngine().then((loaded) => {
      engine = loaded;
      if (!closed) for (let i = 0; i < size; i++) spawn(loaded);
    });
    return starting;
  };

  function spawn(loaded: WasmModule): Slot {
    const progress = new SharedArrayBuffer(16);
    // One worker is for tenants whose messages do not take long; what the others do must not keep it from the processor.
    const isReserved = size > 1 && !slots.some((slot) => slot.isReserved);
    const worker = new Worker(workerFile('worker'), {
      workerData: { engine: loaded, progress, yields: size > 1 && !isReserved } satisfies LogicWorkerData,
      resourceLimits: { stackSizeMb: stackMb },
      execArgv: [],
      name: 'logic',
    });
    worker.unref();
    const tasks: Slot['tasks'] = new Map();
    const steps: Slot['steps'] = new Map();
    const slot: Slot = {
      worker,
      progress: new Int32Array(progress),
      tasks,
      steps,
      isHeavy: false,
      isReserved,
      get jobs() {
        return tasks.size;
      },
      knows: (tenantId) => size === 1 || [...steps.values()].some((step) => step.tenantId === tenantId),
      ready: false,
      seenRuns: 0,
      seenAtMs: performance.now(),
    };
    worker.on('message', (answer: WireAnswer | 'ready') => {
      slot.seenAtMs = performance.now();
      if (answer === 'ready') slot.ready = true;
      else settle(slot, answer);
    });
    let cause: string | undefined;
    worker.on('error', (error) => {
      cause = String(error);
    });
    worker.on('exit', () => lose(slot, cause ?? (slot.ready ? 'a step ran longer than it may on one message' : 'the thread did not start')));
    slots.push(slot);
    return slot;
  }

  function settle(slot: Slot, answer: WireAnswer): void {
    const task = slot.tasks.get(answer.job);
    if (!task) return;
    release(slot, answer.job);
    const { tenantId, steps } = task.run;
    const results = decodeAnswer(answer, steps, task.messages);
    const instructions = results.reduce((sum, result) => sum + result.steps.reduce((of, step) => of + step.instructions, 0), 0);
    turns.note(tenantId, results.length, answer.busyUs, instructions);
    // The turn was over before all messages were through.
    if (results.length < task.messages.length) putBack(task, results.length, task.messages.length);
    finish(task, results);
    dispatch();
  }

  function release(slot: Slot, job: number): void {
    slot.tasks.delete(job);
    slot.isHeavy = [...slot.tasks.values()].some((task) => turns.isHeavy(task.run.tenantId));
  }

  function finish(task: Task, results: LogicResult[]): void {
    settlePending(task.run.tenantId, results.length);
    completed += results.length;
    task.done(results, task.offset);
  }

  function settlePending(tenantId: string, count: number): void {
    pending -= count;
    const left = (pendingOf.get(tenantId) ?? 0) - count;
    if (left > 0) pendingOf.set(tenantId, left);
    else pendingOf.delete(tenantId);
  }

  /** A thread ended. The message it was at is to blame and fails; everything else it had is done again by another. */
  function lose(slot: Slot, cause: string): void {
    const index = slots.indexOf(slot);
    if (index < 0) return;
    slots.splice(index, 1);
    replaced++;
    options.log(`logic worker lost: ${cause}`);
    const [, culpritJob, culprit = 0, culpritStep = 0] = slot.progress;
    for (const [job, task] of [...slot.tasks].reverse()) {
      if (job === culpritJob) {
        putBack(task, culprit + 1, task.messages.length);
        putBack(task, 0, culprit);
        finish({ ...task, offset: task.offset + culprit }, [stopped(task, culpritStep)]);
      } else if (task.deaths >= deathsMax)
        finish(
          task,
          task.messages.map(() => stopped(task, 0)),
        );
      else turns.putBack(task.run.tenantId, { ...task, deaths: task.deaths + 1 });
    }
    dispatch();
  }

  function putBack(task: Task, from: number, to: number): void {
    if (to > from) turns.putBack(task.run.tenantId, { ...task, messages: task.messages.slice(from, to), offset: task.offset + from });
  }

  function dispatch(): void {
    // A lost worker is replaced when there is work for one.
    while (pending > 0 && slots.length < size && engine && !closed) spawn(engine);
    for (let turn = turns.next(slots); turn; turn = turns.next(slots)) {
      const { tenantId, job: task, worker: slot } = turn;
      const count = countOf(task.messages, turns.messagesOf(tenantId));
      putBack(task, count, task.messages.length);
      send(slot, count < task.messages.length ? { ...task, messages: task.messages.slice(0, count) } : task);
    }
    if (pending > 0 && !watch) watch = setInterval(lookForHangs, watchMs).unref();
    if (pending === 0) {
      clearInterval(watch);
      watch = undefined;
      for (const wake of idleWaiters.splice(0)) wake();
    }
    for (const { worker, tasks } of slots) {
      if (tasks.size > 0) worker.ref();
      else worker.unref();
    }
  }

  function send(slot: Slot, task: Task): void {
    const { tenantId, steps, capture, limits } = task.run;
    const job = nextJob;
    nextJob = (nextJob % 0x7fff_ffff) + 1; // a job is a 32-bit word in `progress`
    const wireSteps = steps.map(({ stepId, kind, sha256, format, code }, i) => {
      const step = { stepId, kind, sha256, format };
      const key = stepKey(tenantId, step, limits.memoryBytes);
      const known = slot.steps.delete(key);
      slot.steps.set(key, { tenantId });
      const prepared = task.prepared[i];
      return known ? step : prepared ? { ...step, code: '', prepared } : { ...step, code };
    });
    const forget: WireJob['forget'] = [];
    for (const key of slot.steps.keys()) {
      if (slot.steps.size <= Math.max(stepsAWorker, steps.length)) break;
      slot.steps.delete(key);
      forget.push(key);
    }
    if (slot.tasks.size === 0) slot.seenAtMs = performance.now();
    slot.tasks.set(job, task);
    slot.isHeavy ||= turns.isHeavy(tenantId);
    const wire: WireJob = { job, tenantId, steps: wireSteps, forget, capture: capture === true, limits, turnMs, ...encodeMessages(task.messages) };
    slot.worker.postMessage(wire, [wire.payloads]);
  }

  function lookForHangs(): void {
    const now = performance.now();
    for (const slot of slots) {
      const runs = Atomics.load(slot.progress, 0);
      if (runs !== slot.seenRuns || slot.tasks.size === 0) {
        slot.seenRuns = runs;
        slot.seenAtMs = now;
      } else if (now - slot.seenAtMs > (slot.ready ? wallMsOf(slot) : startMsMax)) {
        slot.seenAtMs = now;
        void slot.worker.terminate();
      }
    }
  }

  /** Until the worker begins with the first message, any of its jobs may be the one that is on. */
  function wallMsOf({ tasks, progress }: Slot): number {
    const running = tasks.get(progress[1] as number);
    return running?.run.limits.wallMs ?? Math.max(...[...tasks.values()].map((task) => task.run.limits.wallMs));
  }

  return {
    name: 'logic',
    start,

    async run(request) {
      const { messages, steps } = request;
      if (closed) throw new AppError({ code: 'LOGIC.CLOSED', kind: 'unavailable', message: 'the logic pool is closed' });
      if (steps.length === 0) return messages.map((message) => ({ outcome: 'ok', payload: message.payload, contentType: message.contentType, steps: [] }));
      if (messages.length === 0) return [];
      const { tenantId } = request;
      const own = pendingOf.get(tenantId) ?? 0;
      if (pending + messages.length > pendingMax || own + messages.length > tenantPendingMax)
        throw new AppError({
          code: 'LOGIC.BUSY',
          kind: 'exhausted',
          message: `more than ${pendingMax} messages wait for logic, or more than ${tenantPendingMax} of ${tenantId}`,
          retryAfterMs: 100,
        });
      pending += messages.length;
      pendingOf.set(tenantId, own + messages.length);
      const limits: StepLimits = { ...defaultStepLimits, ...request.limits };
      let prepared: Task['prepared'];
      try {
        const ready = start();
        prepared = await Promise.all(steps.map((step) => (step.format === 'wasm' ? preparedModule(step, limits.memoryBytes) : undefined)));
        await ready.catch((error: unknown) => {
          starting = undefined;
          throw error;
        });
        if (closed) throw new AppError({ code: 'LOGIC.CLOSED', kind: 'unavailable', message: 'the logic pool was closed' });
      } catch (error) {
        settlePending(tenantId, messages.length);
        throw error;
      }
      return await new Promise<LogicResult[]>((resolve, reject) => {
        const results = new Array<LogicResult>(messages.length);
        let left = messages.length;
        const done = (part: LogicResult[], offset: number): void => {
          for (const [i, result] of part.entries()) results[offset + i] = result;
          left -= part.length;
          if (left === 0) resolve(results);
        };
        turns.add(tenantId, { run: { ...request, limits }, prepared, messages, offset: 0, done, fail: reject, deaths: 0 });
        dispatch();
      });
    },

    stats: () => ({ workers: slots.length, pending, replaced, messages: completed }),

    async drain(deadline) {
      if (pending > 0) await Promise.race([new Promise<void>((resolve) => idleWaiters.push(resolve)), aborted(deadline)]);
    },

    async [Symbol.asyncDispose]() {
      closed = true;
      clearInterval(watch);
      const error = new AppError({ code: 'LOGIC.CLOSED', kind: 'unavailable', message: 'the logic pool was closed' });
      const left = [...slots.flatMap((slot) => [...slot.tasks.values()]), ...turns.clear()];
      for (const task of left) task.fail(error);
      pending = 0;
      pendingOf.clear();
      await Promise.all(slots.splice(0).map((slot) => slot.worker.terminate()));
    },
  };
}

/** How many of the messages fit one job. */
function countOf(messages: LogicMessage[], countMax: number): number {
  let bytes = 0;
  let count = 0;
  for (const { payload } of messages) {
    bytes += payload.length;
    if (count > 0 && (count >= countMax || bytes > jobBytesMax)) break;
    count++;
  }
  return count;
}

function stopped(task: Task, stepIndex: number): LogicResult {
  const step = (task.run.steps[stepIndex] ?? task.run.steps[0]) as LogicStep;
  const reason = 'The step did not come to an end and was stopped by the platform';
  return {
    outcome: 'failed',
    stepId: step.stepId,
    code: 'stopped',
    reason,
    steps: [{ stepId: step.stepId, result: 'failed', instructions: 0, durationUs: 0, code: 'stopped', reason, logs: [] }],
  };
}
