import { expect, test } from 'vitest';
import { findProcessStats, parseProcessStats } from './process-stats.ts';

test('CPU and memory are read past a name with blanks and brackets', () => {
  const stat = '42 (a) S (b) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 7 0 12345 1000 100 18446744073709551615';
  expect(parseProcessStats(stat, 'Name:\tx\nVmRSS:\t   2048 kB\nThreads:\t7\n')).toEqual({ cpuSeconds: 3, rssBytes: 2_097_152 });
});

test('a zombie uses no memory', () => {
  expect(parseProcessStats('42 (x) Z 1 42 42 0 -1 4194304 100 0 0 0 1 1 0', 'Name:\tx\n').rssBytes).toBe(0);
});

test('a process that is gone has none', () => {
  expect(findProcessStats(2 ** 22 + 1)).toBeNull();
});
