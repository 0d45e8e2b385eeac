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
  /** Frames so far in which messages and answers went, in either direction; NaN where nobody counts. */
  frames(): number;
  close(): Promise<void>;
}

/** What a slice of time saw. */
export interface Slice {
  perSecond: number;
  /** CPU microseconds for each message, of each side with all its processes. */
  hostUs: number;
  peerUs: number;
  /** Messages for each frame that left, theirs or their answers'. */
  perFrame: number;
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
  const take = () => ({ messages: count(), atMs: performance.now(), hostUs: ownCpuUs(), peerUs: cpuUsOf(line.pid), frames: line.frames() });
  const before = take();
  await sleep(ms);
  const after = take();
  const messages = after.messages - before.messages;
  if (messages === 0) throw new Error(`process ${line.pid} answered no message in ${ms} ms`);
  return {
    perSecond: (messages * 1_000) / (after.atMs - before.atMs),
    hostUs: (after.hostUs - before.hostUs) / messages,
    peerUs: (after.peerUs - before.peerUs) / messages,
    // Each message goes in one frame, and its answer in another.
    perFrame: (2 * messages) / (after.frames - before.frames),
  };
}
