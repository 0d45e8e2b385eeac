import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { brokenPromises, readTutorial, runTutorial } from '@vrsky/testkit/tutorial';
import { expect, test } from './app.ts';

const root = path.resolve(import.meta.dirname, '..');

test('every command of the tutorial works as printed, and prints what it says', async ({ dev }) => {
  test.setTimeout(240_000);
  const { commands: all, promised } = readTutorial(path.join(root, 'docs/tutorial.md'));
  const [first, ...commands] = all;
  // The stack of these tests is what it starts.
  expect(first).toBe('make up\n');

  const folder = mkdtempSync(path.join(os.tmpdir(), 'vrsky-tutorial-'));
  try {
    // A clone with the file of this stack, and a home folder of its own.
    const clone = path.join(folder, 'clone');
    mkdirSync(path.join(clone, '.vrsky'), { recursive: true });
    mkdirSync(path.join(folder, 'home'));
    writeFileSync(path.join(clone, '.vrsky/dev.json'), JSON.stringify(dev));
    for (const name of ['node_modules', 'package.json']) symlinkSync(path.join(root, name), path.join(clone, name));
    const { stdout: npmCache } = await promisify(execFile)('npm', ['config', 'get', 'cache'], { cwd: root });
    const stdout = await runTutorial(commands, {
      cwd: clone,
      env: { ...process.env, HOME: path.join(folder, 'home'), npm_config_cache: npmCache.trim(), npm_config_prefer_offline: 'true' },
    });
    expect(promised.length).toBeGreaterThan(5);
    expect(brokenPromises(promised, stdout, withoutTimes), stdout).toEqual([]);
    expect(stdout).toContain('202 Accepted');
    // On a busy machine a line about progress stands between them.
    const [, onNode] = /on the node: (\d+)$/m.exec(stdout) ?? [];
    const [, here] = /^here: {8}(\d+)$/m.exec(stdout) ?? [];
    expect(Number(onNode), stdout).toBeGreaterThan(1_000);
    expect(here).toBe(onNode);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Instructions are the same everywhere, milliseconds are not. */
function withoutTimes(text: string): string {
  return text.replace(/[\d.]+ ms$/gm, '… ms');
}
