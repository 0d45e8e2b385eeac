import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { CallRequest } from './calls.ts';
import { createWorkerClient, WorkerStopped } from './worker-client.ts';

/** Answers as the test says; a real thread is tried in the browser tests. */
class FakeWorker {
  static made: FakeWorker[] = [];
  static startFails: string | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: { message: string }) => void) | null = null;
  isTerminated = false;
  asked: CallRequest[] = [];
  constructor() {
    FakeWorker.made.push(this);
  }
  postMessage(request: CallRequest): void {
    this.asked.push(request);
    if (request.name === 'start' && FakeWorker.startFails === null) this.answer(request, undefined);
    else if (request.name === 'start') queueMicrotask(() => this.onmessage?.({ data: { id: request.id, ok: false, message: FakeWorker.startFails } }));
  }
  answer({ id }: CallRequest, value: unknown): void {
    queueMicrotask(() => this.onmessage?.({ data: { id, ok: true, value } }));
  }
  terminate(): void {
    this.isTerminated = true;
  }
}

type Double = { double: (n: number) => number };
const create = () => createWorkerClient<Double>({ create: () => new FakeWorker() as unknown as Worker, startArgs: async () => ['/file'], callMsMax: 5_000 });
const worker = (index: number) => FakeWorker.made[index] as FakeWorker;

beforeEach(() => {
  vi.useFakeTimers();
  FakeWorker.made = [];
  FakeWorker.startFails = null;
});
afterEach(() => {
  vi.useRealTimers();
});

test('a worker is started by its first call, once, with what it loads', async () => {
  const client = create();
  expect(client.state()).toEqual({ kind: 'waiting' });
  const answers = Promise.all([client.call('double', 2), client.call('double', 3)]);
  await vi.waitFor(() => expect(worker(0).asked).toHaveLength(3));
  expect(client.state()).toEqual({ kind: 'ready' });
  expect(worker(0).asked[0]).toMatchObject({ name: 'start', args: ['/file'] });
  for (const request of worker(0).asked.slice(1)) worker(0).answer(request, (request.args[0] as number) * 2);
  expect(await answers).toEqual([4, 6]);
  expect(FakeWorker.made).toHaveLength(1);
});

test('a call that does not end takes its worker with it, and the next call has a new one', async () => {
  const client = create();
  const hanging = client.call('double', 1).catch((error: unknown) => error);
  const behind = client.call('double', 2).catch((error: unknown) => error);
  await vi.waitFor(() => expect(worker(0).asked).toHaveLength(3));
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await hanging).toBeInstanceOf(WorkerStopped);
  expect(await behind).toBeInstanceOf(WorkerStopped);
  expect(worker(0).isTerminated).toBe(true);
  const next = client.call('double', 4);
  await vi.waitFor(() => expect(worker(1).asked).toHaveLength(2));
  worker(1).answer(worker(1).asked[1] as CallRequest, 8);
  expect(await next).toBe(8);
});

test('a call waits its turn without being timed: only the one that runs is', async () => {
  const client = create();
  const first = client.call('double', 1);
  const second = client.call('double', 2);
  await vi.waitFor(() => expect(worker(0).asked).toHaveLength(3));
  await vi.advanceTimersByTimeAsync(4_000);
  worker(0).answer(worker(0).asked[1] as CallRequest, 2);
  await first;
  await vi.advanceTimersByTimeAsync(4_000);
  worker(0).answer(worker(0).asked[2] as CallRequest, 4);
  expect(await second).toBe(4);
});

test('a worker that dies stays so, with the reason, until it is started again', async () => {
  const client = create();
  const lost = client.call('double', 1).catch((error: unknown) => error);
  await vi.waitFor(() => expect(worker(0).asked).toHaveLength(2));
  worker(0).onerror?.({ message: 'out of memory' });
  expect(await lost).toMatchObject({ message: 'out of memory' });
  expect(client.state()).toEqual({ kind: 'failed', message: 'out of memory' });
  await expect(client.call('double', 2)).rejects.toThrow('out of memory');
  client.stop();
  const again = client.call('double', 3);
  await vi.waitFor(() => expect(worker(1).asked).toHaveLength(2));
  worker(1).answer(worker(1).asked[1] as CallRequest, 6);
  expect(await again).toBe(6);
});

test('a worker that cannot load what it needs says why', async () => {
  FakeWorker.startFails = '/file answered 404.';
  const client = create();
  await expect(client.call('double', 1)).rejects.toThrow('/file answered 404.');
  expect(client.state()).toEqual({ kind: 'failed', message: '/file answered 404.' });
  FakeWorker.startFails = null;
  client.stop();
  expect(client.state()).toEqual({ kind: 'waiting' });
});
