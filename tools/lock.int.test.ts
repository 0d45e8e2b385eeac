import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { eventually } from '@vrsky/testkit/eventually';
import { scratchDir } from '@vrsky/testkit/scratch';
import { expect, test } from 'vitest';
import { withLock } from './lock.ts';

test('who holds a lock is alone, and a holder that died blocks nobody', async () => {
  const file = path.join(scratchDir('lock'), 'lock');
  const dead = spawnSync('true').pid;
  writeFileSync(file, JSON.stringify({ pid: dead, startedAt: 'long ago' }));
  let holders = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++holders);
    await eventually(() => true);
    holders--;
  };
  await Promise.all([withLock(file, work), withLock(file, work), withLock(file, work)]);
  expect({ most, isLeft: existsSync(file) }).toEqual({ most: 1, isLeft: false });
});
