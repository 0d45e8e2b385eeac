import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { workerFile } from './worker-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrsky-logic-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('finds the worker beside itself, and by the package when a bundler has moved the code away', () => {
  const here = new URL('./worker.ts', import.meta.url).href;
  expect(workerFile('worker').href).toBe(here);
  const moved = join(folder, 'bundle.mts');
  copyFileSync(new URL('./worker-file.ts', import.meta.url), moved);
  const script = `import { workerFile } from ${JSON.stringify(pathToFileURL(moved).href)}; console.log(workerFile('worker').href)`;
  const found = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: fileURLToPath(new URL('..', import.meta.url)), encoding: 'utf8' });
  expect(found.trim()).toBe(here);
});
