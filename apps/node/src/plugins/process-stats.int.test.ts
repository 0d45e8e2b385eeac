import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { findProcessStats } from './process-stats.ts';

const groups: ChildProcess[] = [];
afterEach(async () => {
  for (const child of groups.splice(0)) {
    const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null;
    process.kill(-(child.pid as number), 'SIGKILL');
    await gone;
  }
});

/** Starts it in a group of its own and waits for its first word. */
async function start(command: string, args: string[]): Promise<number> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  groups.push(child);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child.pid as number;
}

const hog = 'const keep = Buffer.alloc(60e6, 1); while (process.cpuUsage().user < 300_000); console.log("ready", keep.length); setInterval(() => {}, 1e9);';

test('what a sandbox or a shell puts around a connector is counted with it: the use is that of the grandchild', async () => {
  const pid = await start('/bin/sh', ['-c', `/bin/sh -c '"$0" -e "$1"; true' "$0" "$1"; true`, process.execPath, hog].map(String));
  const use = findProcessStats(pid);
  expect(use?.processes).toBe(3);
  expect(use?.cpuSeconds).toBeGreaterThan(0.2);
  expect(use?.rssBytes).toBeGreaterThan(60e6);
  expect(use?.threads).toBeGreaterThan(5);
  expect(use?.fds).toBeGreaterThan(10);
});

test('a process that a thread started is found, and one that has ended is still paid for', async () => {
  const thread = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(hog)}], { stdio: ['ignore', 'inherit', 'ignore'] });`;
  const program = `
    require('node:child_process').execFileSync(process.execPath, ['-e', 'while (process.cpuUsage().user < 500_000);']);
    new (require('node:worker_threads').Worker)(${JSON.stringify(thread)}, { eval: true });
    setInterval(() => {}, 1e9);`;
  const pid = await start(process.execPath, ['-e', program]);
  const use = findProcessStats(pid);
  expect(use?.processes).toBe(2);
  expect(use?.cpuSeconds).toBeGreaterThan(0.5);
});
