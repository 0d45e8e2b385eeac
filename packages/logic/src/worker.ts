import { isUtf8 } from 'node:buffer';
import { parentPort, workerData } from 'node:worker_threads';
import type { WasmModule } from '@vrsky/metering/webassembly';
import { createExecutor, stepKey } from './executor.ts';
import type { LogicStep } from './types.ts';
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
const codes = new Map<string, string>();
let runs = 0;

port.on('message', (job: WireJob) => {
  for (const key of job.forget) {
    codes.delete(key);
    executor.forget(key);
  }
  const steps = job.steps.map((step): LogicStep => {
    const key = stepKey(job.tenantId, step);
    if (step.code !== undefined) codes.set(key, step.code);
    return { ...step, code: codes.get(key) as string };
  });
  const results = executor.run({
    tenantId: job.tenantId,
    steps,
    messages: decodeMessages(job),
    capture: job.capture,
    limits: job.limits,
    onMessage(index, step) {
      words[1] = job.job;
      words[2] = index;
      words[3] = step;
      Atomics.store(words, 0, ++runs);
    },
  });
  const answer = encodeAnswer(job, results);
  port.postMessage(answer, [answer.payloads, answer.numbers.buffer as ArrayBuffer]);
});
port.postMessage('ready');
