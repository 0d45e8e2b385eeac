import { isUtf8 } from 'node:buffer';
import { parentPort, workerData } from 'node:worker_threads';
import type { WasmModule } from '@vrsky/metering/webassembly';
import { createExecutor, type ExecutorStep, stepKey } from './executor.ts';
import { decodeMessages, encodeAnswer, type WireJob } from './wire.ts';

export interface LogicWorkerData {
  engine: WasmModule;
  /** Four words: how many runs were begun; the job, the message and the step of the one that runs. */
  progress: SharedArrayBuffer;
}

const { engine, progress } = workerData as LogicWorkerData;
const port = parentPort;
if (!port) throw new Error('bug: this file is the entry of a worker thread');

const executor = createExecutor({ engine, isUtf8 });
const words = new Int32Array(progress);
const steps = new Map<string, ExecutorStep>();
let runs = 0;

port.on('message', (job: WireJob) => {
  for (const key of job.forget) {
    steps.delete(key);
    executor.forget(key);
  }
  const startedAt = performance.now();
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
  const answer = encodeAnswer(job, results, (performance.now() - startedAt) * 1_000);
  port.postMessage(answer, [answer.payloads, answer.numbers.buffer as ArrayBuffer]);
});
port.postMessage('ready');
