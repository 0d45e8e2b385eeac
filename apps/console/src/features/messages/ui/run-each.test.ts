import { expect, test } from 'vitest';
import { runEach } from './run-each.ts';

test('one that fails does not keep the others from being done, and is named', async () => {
  const report = await runEach(
    [1, 2, 3],
    2,
    async (n) => {
      if (n === 2) throw new Error('no');
    },
    new AbortController().signal,
    () => undefined,
  );
  expect(report.done).toBe(2);
  expect(report.failed.map((item) => item.item)).toEqual([2]);
  expect(report.stopped).toBe(false);
});

test('a stop lets those under way finish and takes no more', async () => {
  const stop = new AbortController();
  const ran: number[] = [];
  const report = await runEach(
    [1, 2, 3, 4],
    1,
    async (n) => {
      ran.push(n);
      if (n === 2) stop.abort();
    },
    stop.signal,
    () => undefined,
  );
  expect(ran).toEqual([1, 2]);
  expect(report).toMatchObject({ done: 2, stopped: true });
});

test('never more at once than allowed', async () => {
  let running = 0;
  let most = 0;
  await runEach(
    [1, 2, 3, 4, 5, 6],
    3,
    async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    },
    new AbortController().signal,
    () => undefined,
  );
  expect(most).toBe(3);
});
