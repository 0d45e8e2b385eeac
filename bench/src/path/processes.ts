import { type ChildProcess, fork } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { LoadOrder, LoadResult } from './loadgen.ts';
import type { SinkStats } from './sink.ts';

const file = (name: string): string => path.join(import.meta.dirname, name);

function answer<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`process ${child.pid} ended with code ${code} before it answered`));
    child.once('exit', onExit);
    child.once('message', (message) => {
      child.off('exit', onExit);
      resolve(message as T);
    });
  });
}

export interface Sink {
  url: string;
  port: number;
  reset(): void;
  stats(): Promise<SinkStats>;
  close(): void;
}

export async function startSink(): Promise<Sink> {
  const child = fork(file('sink.ts'));
  const { port } = await answer<{ port: number }>(child);
  return {
    url: `http://127.0.0.1:${port}/orders`,
    port,
    reset: () => child.send('reset'),
    stats: async () => {
      child.send('stats');
      return (await answer<{ stats: SinkStats }>(child)).stats;
    },
    close: () => child.disconnect(),
  };
}

export interface Bare {
  url: string;
  pid: number;
  close(): void;
}

export async function startBare(target: string): Promise<Bare> {
  const child = fork(file('bare.ts'), [target]);
  const { port } = await answer<{ port: number }>(child);
  return { url: `http://127.0.0.1:${port}/in`, pid: child.pid ?? 0, close: () => child.disconnect() };
}

/** Sends a load and resolves with what came of it; `onMeasure` runs when the warm-up is over. */
export async function sendLoad(order: LoadOrder, onMeasure: () => void): Promise<LoadResult> {
  const child = fork(file('loadgen.ts'));
  const timer = setTimeout(onMeasure, order.warmUpSeconds * 1_000);
  try {
    const result = answer<{ result: LoadResult }>(child);
    child.send(order);
    return (await result).result;
  } finally {
    clearTimeout(timer);
    child.disconnect();
  }
}

/** Processor time of a process and its living threads so far, in microseconds. */
export function cpuUs(pid: number): number {
  let ns = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  return ns / 1_000;
}

/** A process and all below it; a connector is a child of the sandbox's helper, not of the node. */
export function processTree(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(processTree)];
}

/** How often the threads of a process have gone to sleep so far, that is, had to be woken up. */
export function sleeps(pid: number): number {
  let count = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`))
    count += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8'))?.[1] ?? 0);
  return count;
}
