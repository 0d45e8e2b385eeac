import { expect, test } from 'vitest';
import { findProcessStats, findStartTicks, type Proc, parseProcessStats } from './process-stats.ts';

test('CPU, threads and memory are read past a name with blanks and brackets', () => {
  const stat = '42 (a) S (b) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 30 20 20 0 7 0 12345 1000 100 18446744073709551615';
  expect(parseProcessStats(stat, 'Name:\tx\nVmRSS:\t   2048 kB\nThreads:\t7\n')).toEqual({
    cpuSeconds: 3.5,
    rssBytes: 2_097_152,
    threads: 7,
    startTicks: 12_345,
  });
});

test('a zombie uses no memory', () => {
  expect(parseProcessStats('42 (x) Z 1 42 42 0 -1 4194304 100 0 0 0 1 1 0', 'Name:\tx\n').rssBytes).toBe(0);
});

test('a process that is gone has none', () => {
  expect(findProcessStats(2 ** 22 + 1)).toBeNull();
  expect(findStartTicks(2 ** 22 + 1)).toBeNull();
});

test('the number of a process that is gone, taken by another, is not mistaken for it', () => {
  const startTicks = findStartTicks(process.pid) as number;
  expect(findProcessStats(process.pid, startTicks)?.rssBytes).toBeGreaterThan(0);
  expect(findProcessStats(process.pid, startTicks - 1)).toBeNull();
});

test('processes of another user are counted without their descriptors', () => {
  expect(findProcessStats(1, undefined, tree(3, { hidden: true }))).toMatchObject({ processes: 3, threads: 6, fds: null });
});

test('a tree without end, or one that goes round, is counted up to a bound', () => {
  expect(findProcessStats(1, undefined, tree(100_000))?.processes).toBe(128);
  expect(findProcessStats(1, undefined, tree(3, { round: true }))).toMatchObject({ processes: 3, fds: 12, rssBytes: 3 * 1_024 });
});

/** A made-up /proc: each process has two threads, four descriptors and the next one as its child. */
function tree(count: number, { hidden = false, round = false } = {}): Proc {
  const missing = (code: string) => Object.assign(new Error(code), { code });
  return {
    read(path) {
      const pid = Number(path.split('/')[2]);
      if (pid > count) throw missing('ENOENT');
      if (path.endsWith('/children')) return !path.includes(`/task/${pid}/`) ? '' : pid < count ? `${pid + 1} ` : round ? '1 ' : '';
      return path.endsWith('/stat') ? `${pid} (x) S 0 0 0 0 0 0 0 0 0 0 1 1 0 0 20 0 2 0 ${pid} 0` : 'VmRSS:\t 1 kB\n';
    },
    list(path) {
      if (path.endsWith('/fd') && hidden) throw missing('EACCES');
      const pid = path.split('/')[2] as string;
      return path.endsWith('/fd') ? ['0', '1', '2', '3'] : [pid, `${pid}7`];
    },
  };
}
