import { expect, test } from 'vitest';
import { createPace } from './pace.ts';

/** Time that passes when it is told to. */
function clockedPace(o: { concurrency: number; ratePerSecond: number | null }) {
  let now = 0;
  let timers: { atMs: number; run: () => void }[] = [];
  const pace = createPace({ ...o, nowMs: () => now, later: (run, ms) => void timers.push({ atMs: now + ms, run }) });
  const pass = (ms: number): void => {
    const end = now + ms;
    for (;;) {
      const next = timers.filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      timers = timers.filter((timer) => timer !== next);
      now = next.atMs;
      next.run();
    }
    now = end;
  };
  return { pace, pass, timers: () => timers.length };
}

test('no more run at a time than allowed, and they begin in the order in which they came', () => {
  const { pace } = clockedPace({ concurrency: 2, ratePerSecond: null });
  const begun: number[] = [];
  for (let i = 0; i < 5; i++) pace.acquire(() => begun.push(i));
  expect(begun).toEqual([0, 1]);
  pace.release();
  expect(begun).toEqual([0, 1, 2]);
  pace.release();
  pace.release();
  expect(begun).toEqual([0, 1, 2, 3, 4]);
});

test('one at a time, ten thousand that end at once, does not go deep', () => {
  const { pace } = clockedPace({ concurrency: 1, ratePerSecond: null });
  let begun = 0;
  for (let i = 0; i < 10_000; i++) pace.acquire(() => begun++);
  for (let i = 0; i < 9_999; i++) pace.release();
  expect(begun).toBe(10_000);
});

test('a rate is kept over ten seconds, with one timer for all that wait', () => {
  const { pace, pass, timers } = clockedPace({ concurrency: 64, ratePerSecond: 5 });
  let begun = 0;
  for (let i = 0; i < 200; i++)
    pace.acquire(() => {
      begun++;
      pace.release();
    });
  expect([begun, timers()]).toEqual([1, 1]);
  pass(10_000);
  expect(begun).toBeGreaterThanOrEqual(50);
  expect(begun).toBeLessThanOrEqual(51);
});

test('a pause is not saved up for a burst: a tenth of a second’s worth at most', () => {
  const { pace, pass } = clockedPace({ concurrency: 64, ratePerSecond: 100 });
  pass(60_000);
  let begun = 0;
  for (let i = 0; i < 100; i++) pace.acquire(() => begun++);
  expect(begun).toBe(10);
});
