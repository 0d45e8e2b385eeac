import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { spawnApp } from './app.ts';
import { eventually } from './eventually.ts';
import { findProcess } from './process-record.ts';
import { scratchDir } from './scratch.ts';

function program(text: string): string {
  const file = path.join(scratchDir('app'), 'main.mjs');
  writeFileSync(file, text);
  return file;
}

test('an app is awaited, told to stop, and gone afterwards', async () => {
  const app = await spawnApp({
    entry: program(`process.on('SIGTERM', () => process.exit(7)); setInterval(() => {}, 1e6); console.log('listening')`),
    ready: /listening/,
  });
  expect(await app.stop()).toEqual({ code: 7, signal: null });
  expect(findProcess(app.pid)).toBeNull();
});

test('an app that will not stop is killed after the grace', async () => {
  const app = await spawnApp({ entry: program(`process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6); console.log('listening')`), ready: /listening/ });
  expect(await app.stop({ graceMs: 50 })).toEqual({ code: null, signal: 'SIGKILL' });
});

test('an app that ends before it is ready says why', async () => {
  await expect(spawnApp({ entry: program(`console.error('no database'); process.exit(78)`), ready: /listening/ })).rejects.toThrow(
    /ended with code 78 before it was ready:\nno database/,
  );
});

test('an app sees only what it was given, not the environment of the test', async () => {
  await using app = await spawnApp({
    entry: program(`console.log(JSON.stringify(Object.keys(process.env).sort()), 'ready'); setInterval(() => {}, 1e6)`),
    env: { ONLY: '1' },
    ready: /ready/,
  });
  const names = JSON.parse(app.output().split(' ready')[0] ?? '') as string[];
  expect(names).toContain('ONLY');
  expect(names.filter((name) => name.startsWith('VITEST'))).toEqual([]);
});

test('an app dies with the process that started it', async ({ skip }) => {
  if (process.platform !== 'linux') skip();
  const child = program(`setInterval(() => {}, 1e6); console.log('listening')`);
  const parent = await spawnApp({
    entry: program(`
      import { spawnApp } from ${JSON.stringify(new URL('./app.ts', import.meta.url).href)};
      const app = await spawnApp({ entry: ${JSON.stringify(child)}, ready: /listening/ });
      console.log('child', app.pid);
      setInterval(() => {}, 1e6);
    `),
    ready: /child \d+/,
  });
  const pid = Number(/child (\d+)/.exec(parent.output())?.[1]);
  expect(findProcess(pid)).not.toBeNull();
  await parent.kill();
  await eventually(() => findProcess(pid) === null, { what: 'the child to end' });
});
