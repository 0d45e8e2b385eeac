import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { isRunning, watchLeftovers } from './leftovers.ts';

test('a process and a file that are left are found, named and ended', async () => {
  const before = tmpdir();
  const leftovers = watchLeftovers();
  expect(tmpdir()).toBe(leftovers.dir);
  // In a session of its own, and its parent ends at once.
  const shell = spawn('/bin/sh', ['-c', 'setsid sleep 1000 >/dev/null 2>&1 & echo $!'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [pid] = (await once(shell.stdout, 'data')).map(Number) as [number];
  writeFileSync(join(leftovers.dir, 'forgotten'), '');
  await expect(leftovers.expectNone()).rejects.toThrow(new RegExp(`^left over: process ${pid} \\(.*sleep 1000\\); file forgotten$`));
  await eventually(() => !isRunning(pid));
  expect(tmpdir()).toBe(before);
});

test('where nothing is left nothing is found', async () => {
  const leftovers = watchLeftovers();
  await once(spawn('/bin/true', { stdio: 'ignore' }), 'exit');
  await leftovers.expectNone();
});
