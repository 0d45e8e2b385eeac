import { isUtf8 } from 'node:buffer';
import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { WasmModule } from '@vrsky/metering/webassembly';
import { createExecutor, type ExecutorStep, stepKey } from './executor.ts';
import { decodeMessages, encodeAnswer, type WireJob } from './wire.ts';

export interface LogicWorkerData {
  engine: WasmModule;
  /** Four words: how many runs were begun; the job, the message and the step of the one that runs. */
  progress: SharedArrayBuffer;
  /** Whether other threads of the process go first where there are not enough cores. */
  yields: boolean;
}

const { engine, progress, yields } = workerData as LogicWorkerData;
const port = parentPort;
if (!port) throw new Error('bug: this file is the entry of a worker thread');

if (yields) lowerPriority();
const executor = createExecutor({ engine, isUtf8 });
const words = new Int32Array(progress);
const steps = new Map<string, ExecutorStep>();
let runs = 0;

port.on('message', (job: WireJob) => {
  for (const key of job.forget) {
    steps.delete(key);
    executor.forget(key);
  }
  // Of the processor, not of the clock: what others keep this thread from doing is not the tenant's cost.
  const before = process.threadCpuUsage();
  const wanted = job.steps.map(({ code, ...step }): ExecutorStep => {
    const key = stepKey(job.tenantId, step, job.limits.memoryBytes);
    const known = code === undefined ? steps.get(key) : { ...step, code };
    if (!known) throw new Error('bug: a step came without its code');
    steps.set(key, known);
    return { ...known, stepId: step.stepId };
  });
  const results = executor.run({
    tenantId: job.tenantId,
    steps: wanted,
    messages: decodeMessages(job),
    capture: job.capture,
    limits: job.limits,
    turnMs: job.turnMs,
    onMessage(index, step) {
      words[1] = job.job;
      words[2] = index;
      words[3] = step;
      Atomics.store(words, 0, ++runs);
    },
  });
  const { user, system } = process.threadCpuUsage(before);
  const answer = encodeAnswer(job, results, user + system);
  port.postMessage(answer, [answer.payloads, answer.numbers.buffer as ArrayBuffer]);
});
port.postMessage('ready');

/** Of this thread alone: Linux schedules threads, and takes a thread's number for a process. Elsewhere threads stay as they are. */
function lowerPriority(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(Number(path.basename(readlinkSync('/proc/thread-self'))), constants.priority.PRIORITY_BELOW_NORMAL);
  } catch (error) {
    process.emitWarning(`a tenant with expensive steps may slow down others, for its thread cannot be given a lower priority: ${String(error)}`);
  }
}
