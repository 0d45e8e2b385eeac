import { expect, test } from 'vitest';
import { every, type Part, runUntil } from './lifecycle.ts';

interface Script {
  start?: () => Promise<void>;
  drain?: (deadline: AbortSignal) => Promise<void>;
  dispose?: () => Promise<void>;
  done?: Promise<void>;
}

function part(name: string, events: string[], script: Script = {}): Part {
  return {
    name,
    ...(script.done ? { done: script.done } : {}),
    async start() {
      await script.start?.();
      events.push(`start ${name}`);
    },
    async drain(deadline) {
      events.push(`drain ${name}`);
      await script.drain?.(deadline);
    },
    async [Symbol.asyncDispose]() {
      events.push(`dispose ${name}`);
      await script.dispose?.();
    },
  };
}

const never = new Promise<void>(() => {});
const quiet = { drainMs: 20, log: () => {} };

test('parts drain and are disposed in the reverse of the order they started', async () => {
  const events: string[] = [];
  const stop = new AbortController();
  await runUntil(
    stop.signal,
    async (use) => {
      await use(part('a', events));
      await use(part('b', events));
      stop.abort();
    },
    quiet,
  );
  expect(events).toEqual(['start a', 'start b', 'drain b', 'drain a', 'dispose b', 'dispose a']);
});

test('an app that fails half-way releases what it took and tells why', async () => {
  const events: string[] = [];
  const building = runUntil(
    new AbortController().signal,
    async (use) => {
      await use(part('a', events));
      await use(part('b', events, { start: async () => Promise.reject(new Error('port taken')) }));
    },
    quiet,
  );
  await expect(building).rejects.toThrow('port taken');
  expect(events).toEqual(['start a', 'dispose b', 'dispose a']);
});

test('a part that dies stops the app with its own error', async () => {
  const events: string[] = [];
  const dying = Promise.withResolvers<void>();
  const running = runUntil(
    new AbortController().signal,
    async (use) => {
      await use(part('a', events, { done: dying.promise }));
      dying.reject(new Error('lost its socket'));
    },
    quiet,
  );
  await expect(running).rejects.toThrow('lost its socket');
  expect(events.at(-1)).toBe('dispose a');
});

test('parts that are stuck in their drain share one deadline and are disposed all the same', async () => {
  const events: string[] = [];
  const stop = new AbortController();
  await runUntil(
    stop.signal,
    async (use) => {
      await use(part('a', events, { drain: () => never }));
      await use(part('b', events, { drain: () => never }));
      stop.abort();
    },
    quiet,
  );
  expect(events.slice(-2)).toEqual(['dispose b', 'dispose a']);
});

test('a part whose drain fails costs the others nothing', async () => {
  const events: string[] = [];
  const stop = new AbortController();
  await runUntil(
    stop.signal,
    async (use) => {
      await use(part('a', events));
      await use(part('b', events, { drain: async () => Promise.reject(new Error('no')) }));
      stop.abort();
    },
    quiet,
  );
  expect(events).toContain('drain a');
});

test('a stop during the start is a normal stop', async () => {
  const events: string[] = [];
  const stop = new AbortController();
  await runUntil(
    stop.signal,
    async (use) => {
      await use(part('a', events));
      stop.abort();
      throw new Error('cancelled');
    },
    quiet,
  );
  expect(events).toEqual(['start a', 'drain a', 'dispose a']);
});

test('periodic work never overlaps itself, reports a failure and goes on', async () => {
  const stop = new AbortController();
  const failures: unknown[] = [];
  let running = 0;
  let runs = 0;
  await every(
    1,
    async () => {
      expect(++running).toBe(1);
      await Promise.resolve();
      running--;
      if (++runs === 2) throw new Error('once');
      if (runs === 4) stop.abort();
    },
    stop.signal,
    (error) => failures.push(error),
  );
  expect(runs).toBe(4);
  expect(failures).toHaveLength(1);
});
