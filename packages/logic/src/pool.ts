import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { limits as platformLimits } from '@vrsky/contracts/limits';
import { AppError } from '@vrsky/kernel/errors';
import { aborted, type Part } from '@vrsky/kernel/lifecycle';
import type { WasmModule } from '@vrsky/metering/webassembly';
import { loadEngine } from './engine.ts';
import { stepKey } from './executor.ts';
import { defaultStepLimits } from './step-limits.ts';
import type { LogicMessage, LogicResult, LogicStep, StepLimits } from './types.ts';
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
  /** A step that runs longer on one message is ended with its worker. Its instructions end it long before. */
  wallMs?: number;
}

/** Messages of one job: the longest that another tenant waits for its turn. */
const jobMessagesMax = 64;
const jobBytesMax = 4 * 1024 * 1024;
/** Messages waiting and running. */
const pendingMax = 16_384;
/** Jobs that a worker has at a time: the next one waits in the thread, so that it is not idle between two. */
const jobsAWorker = 2;
/** Steps whose images a worker keeps. */
const stepsAWorker = 256;
const startMsMax = 30_000;
/** A job that lost this many workers fails: there must be an end, whatever is wrong. */
const deathsMax = 3;
/** Of a thread's stack the engine's recursion uses at most a fraction; a trap for lack of stack would not be the same everywhere. */
const stackMb = 16;

interface Task {
  run: LogicRun & { limits: StepLimits };
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
  /** Whether the thread has started; on a busy machine that takes longer than any step may. */
  ready: boolean;
  seenRuns: number;
  seenAtMs: number;
}

export function createLogicPool(options: LogicPoolOptions): LogicPool {
  const wallMs = options.wallMs ?? platformLimits.stepWallMsMax;
  const size = Math.max(1, Math.min(options.workers, availableParallelism() * 2));
  const slots: Slot[] = [];
  /** Waiting tasks by tenant; tenants take turns in the order of the map. */
  const waiting = new Map<string, Task[]>();
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
    const worker = new Worker(workerFile('worker'), {
      workerData: { engine: loaded, progress } satisfies LogicWorkerData,
      resourceLimits: { stackSizeMb: stackMb },
      execArgv: [],
      name: 'logic',
    });
    worker.unref();
    const slot: Slot = {
      worker,
      progress: new Int32Array(progress),
      tasks: new Map(),
      steps: new Map(),
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
    worker.on('exit', () => lose(slot, (cause ?? slot.ready) ? `a step ran longer than ${wallMs} ms on one message` : 'the thread did not start'));
    slots.push(slot);
    return slot;
  }

  function settle(slot: Slot, answer: WireAnswer): void {
    const task = slot.tasks.get(answer.job);
    if (!task) return;
    slot.tasks.delete(answer.job);
    finish(task, decodeAnswer(answer, task.run.steps, task.messages));
    dispatch();
  }

  function finish(task: Task, results: LogicResult[]): void {
    pending -= results.length;
    completed += results.length;
    task.done(results, task.offset);
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
        split(task, culprit + 1, task.messages.length);
        split(task, 0, culprit);
        finish({ ...task, offset: task.offset + culprit }, [stopped(task, culpritStep)]);
      } else if (task.deaths >= deathsMax)
        finish(
          task,
          task.messages.map(() => stopped(task, 0)),
        );
      else requeue({ ...task, deaths: task.deaths + 1 });
    }
    dispatch();
  }

  function split(task: Task, from: number, to: number): void {
    if (to > from) requeue({ ...task, messages: task.messages.slice(from, to), offset: task.offset + from });
  }

  function requeue(task: Task): void {
    const tenantId = task.run.tenantId;
    const queue = waiting.get(tenantId);
    if (queue) queue.unshift(task);
    else waiting.set(tenantId, [task]);
  }

  function dispatch(): void {
    for (;;) {
      const first = waiting.entries().next().value;
      if (!first) break;
      const [tenantId, queue] = first;
      const slot = pickSlot(tenantId);
      if (!slot) break;
      const task = queue.shift() as Task;
      waiting.delete(tenantId);
      if (queue.length > 0) waiting.set(tenantId, queue); // behind the others
      send(slot, task);
    }
    if (pending > 0 && !watch) watch = setInterval(lookForHangs, Math.min(500, wallMs / 4)).unref();
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

  /** The least busy worker; among equals one that has the tenant's steps. A lost one is replaced when there is work for it. */
  function pickSlot(tenantId: string): Slot | undefined {
    while (slots.length < size && engine) spawn(engine);
    let best: Slot | undefined;
    let bestScore = jobsAWorker * 2;
    for (const slot of slots) {
      let score = slot.tasks.size * 2;
      if (score >= jobsAWorker * 2) continue;
      if (size > 1 && ![...slot.steps.values()].some((step) => step.tenantId === tenantId)) score++;
      if (score < bestScore) {
        best = slot;
        bestScore = score;
      }
    }
    return best;
  }

  function send(slot: Slot, task: Task): void {
    const { tenantId, steps, capture, limits } = task.run;
    const job = nextJob;
    nextJob = (nextJob % 0x7fff_ffff) + 1; // a job is a 32-bit word in `progress`
    const wireSteps = steps.map((step) => {
      const key = stepKey(tenantId, step);
      const known = slot.steps.delete(key);
      slot.steps.set(key, { tenantId });
      return known ? { stepId: step.stepId, kind: step.kind, sha256: step.sha256, format: step.format } : step;
    });
    const forget: WireJob['forget'] = [];
    for (const key of slot.steps.keys()) {
      if (slot.steps.size <= Math.max(stepsAWorker, steps.length)) break;
      slot.steps.delete(key);
      forget.push(key);
    }
    if (slot.tasks.size === 0) slot.seenAtMs = performance.now();
    slot.tasks.set(job, task);
    const wire: WireJob = { job, tenantId, steps: wireSteps, forget, capture: capture === true, limits, ...encodeMessages(task.messages) };
    slot.worker.postMessage(wire, [wire.payloads]);
  }

  function lookForHangs(): void {
    const now = performance.now();
    for (const slot of slots) {
      const runs = Atomics.load(slot.progress, 0);
      if (runs !== slot.seenRuns || slot.tasks.size === 0) {
        slot.seenRuns = runs;
        slot.seenAtMs = now;
      } else if (now - slot.seenAtMs > (slot.ready ? wallMs : startMsMax)) {
        slot.seenAtMs = now;
        void slot.worker.terminate();
      }
    }
  }

  return {
    name: 'logic',
    start,

    async run(request) {
      const { messages, steps } = request;
      if (closed) throw new AppError({ code: 'LOGIC.CLOSED', kind: 'unavailable', message: 'the logic pool is closed' });
      if (steps.length === 0) return messages.map((message) => ({ outcome: 'ok', payload: message.payload, contentType: message.contentType, steps: [] }));
      if (messages.length === 0) return [];
      if (pending + messages.length > pendingMax)
        throw new AppError({ code: 'LOGIC.BUSY', kind: 'exhausted', message: `more than ${pendingMax} messages wait for logic`, retryAfterMs: 100 });
      pending += messages.length;
      try {
        await start();
      } catch (error) {
        pending -= messages.length;
        starting = undefined;
        throw error;
      }
      const limits: StepLimits = { ...defaultStepLimits, ...request.limits };
      return await new Promise<LogicResult[]>((resolve, reject) => {
        const results = new Array<LogicResult>(messages.length);
        let left = messages.length;
        const done = (part: LogicResult[], offset: number): void => {
          for (const [i, result] of part.entries()) results[offset + i] = result;
          left -= part.length;
          if (left === 0) resolve(results);
        };
        const queue = waiting.get(request.tenantId) ?? [];
        for (const [offset, part] of jobsOf(messages)) queue.push({ run: { ...request, limits }, messages: part, offset, done, fail: reject, deaths: 0 });
        waiting.set(request.tenantId, queue);
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
      const left = [...slots.flatMap((slot) => [...slot.tasks.values()]), ...[...waiting.values()].flat()];
      waiting.clear();
      for (const task of left) task.fail(error);
      pending = 0;
      await Promise.all(slots.splice(0).map((slot) => slot.worker.terminate()));
    },
  };
}

/** Parts of a batch that are not too large for one job, with the position of their first message. */
function jobsOf(messages: LogicMessage[]): [number, LogicMessage[]][] {
  const jobs: [number, LogicMessage[]][] = [];
  let from = 0;
  let bytes = 0;
  for (const [i, message] of messages.entries()) {
    if (i > from && (i - from >= jobMessagesMax || bytes + message.payload.length > jobBytesMax)) {
      jobs.push([from, messages.slice(from, i)]);
      from = i;
      bytes = 0;
    }
    bytes += message.payload.length;
  }
  jobs.push([from, messages.slice(from)]);
  return jobs;
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
