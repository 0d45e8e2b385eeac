import { sleep } from '@vrsky/kernel/lifecycle';
import type { LatencyHistogram } from '../report.ts';
import { cpuUsOf, ownCpuUs } from './usage.ts';

/** A line from this process, the host, to another one that answers every message. */
export interface Line {
  readonly pid: number;
  /** Hands one message over; `answered` is called when its answer is here. */
  send(answered: () => void): void;
  /** Lets the other side hand messages over, which are answered at once, until what it resolves with is called. */
  receive(onMessages: (count: number) => void): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** What a slice of time saw. */
export interface Slice {
  perSecond: number;
  /** CPU microseconds for each message, of each side with all its processes. */
  hostUs: number;
  peerUs: number;
}

/** Messages on the way at a time, in either direction. */
export const WINDOW = 512;

/** Keeps the window full for `ms`, after `warmUpMs` of the same. */
export async function sendSlice(line: Line, warmUpMs: number, ms: number): Promise<Slice> {
  let answers = 0;
  let left = WINDOW;
  let isOver = false;
  const drained = Promise.withResolvers<void>();
  const next = (): void => {
    answers++;
    if (!isOver) line.send(next);
    else if (--left === 0) drained.resolve();
  };
  for (let i = 0; i < WINDOW; i++) line.send(next);
  await sleep(warmUpMs);
  const slice = await measure(line, () => answers, ms);
  isOver = true;
  await drained.promise;
  return slice;
}

/** Lets the other side fill the window for `ms`, after `warmUpMs` of the same. */
export async function receiveSlice(line: Line, warmUpMs: number, ms: number): Promise<Slice> {
  let received = 0;
  const end = await line.receive((count) => {
    received += count;
  });
  await sleep(warmUpMs);
  const slice = await measure(line, () => received, ms);
  await end();
  return slice;
}

/** Sends `rate` messages a second, one by one, for `ms`; times from handing over to answer go into `latency`. */
export async function steadySlice(line: Line, rate: number, ms: number, latency: LatencyHistogram): Promise<Slice> {
  let sent = 0;
  let answers = 0;
  let isOver = false;
  const drained = Promise.withResolvers<void>();
  const sendOne = (): void => {
    const startedMs = performance.now();
    sent++;
    line.send(() => {
      latency.record((performance.now() - startedMs) * 1_000);
      answers++;
      if (isOver && answers === sent) drained.resolve();
    });
  };
  const beganMs = performance.now();
  const tick = (): void => {
    if (isOver) return;
    const nowMs = performance.now() - beganMs;
    while (sent < (nowMs * rate) / 1_000) sendOne();
    setTimeout(tick, Math.max(1, (sent * 1_000) / rate - nowMs));
  };
  tick();
  const slice = await measure(line, () => answers, ms);
  isOver = true;
  if (answers < sent) await drained.promise;
  return slice;
}

async function measure(line: Line, count: () => number, ms: number): Promise<Slice> {
  const take = (): [count: number, atMs: number, hostUs: number, peerUs: number] => [count(), performance.now(), ownCpuUs(), cpuUsOf(line.pid)];
  const before = take();
  await sleep(ms);
  const after = take();
  const [messages, elapsedMs, hostUs, peerUs] = after.map((value, i) => value - (before[i] ?? 0)) as [number, number, number, number];
  if (messages === 0) throw new Error(`process ${line.pid} answered no message in ${ms} ms`);
  return { perSecond: (messages * 1_000) / elapsedMs, hostUs: hostUs / messages, peerUs: peerUs / messages };
}
