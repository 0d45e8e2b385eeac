import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import type { Seeds, Total } from '../test/random-modules-thread.ts';

const modules = 2_000;
const threads = 2;

async function inThread(seeds: Seeds): Promise<Total> {
  const thread = new Worker(new URL('../test/random-modules-thread.ts', import.meta.url), { workerData: seeds });
  const [total] = await once(thread, 'message');
  return total;
}

// Others: npm run fuzz:metering -- --modules 10000 --from 2000
it('counts 2,000 random modules alike in every scheme, block by block and instruction by instruction, and changes no result and no trap', {
  timeout: 600_000,
}, async () => {
  const share = modules / threads;
  const totals = await Promise.all(Array.from({ length: threads }, (_, i) => inThread({ from: i * share, to: (i + 1) * share })));
  const sum = (of: Exclude<keyof Total, 'problems'>): number => totals.reduce((all, total) => all + total[of], 0);
  expect(totals.flatMap(({ problems }) => problems)).toEqual([]);
  expect(sum('modules')).toBe(2_000);
  expect(sum('refused')).toBeLessThan(20);
  expect(sum('register')).toBeGreaterThan(1200);
  expect(sum('shared')).toBeGreaterThan(200);
  expect(sum('completed')).toBeGreaterThan(4000);
  expect(sum('trapped')).toBeGreaterThan(1000);
});
