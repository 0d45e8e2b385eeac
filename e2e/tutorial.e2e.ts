import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from './app.ts';

const root = path.resolve(import.meta.dirname, '..');

test('every command of the tutorial works as printed, and prints what it says', async ({ dev }) => {
  test.setTimeout(240_000);
  const blocks = [...readFileSync(path.join(root, 'docs/tutorial.md'), 'utf8').matchAll(/^```(sh|text)\n([\s\S]*?)^```/gm)].map(([, language, text]) => ({
    language,
    text: text ?? '',
  }));
  const [first, ...commands] = blocks.filter(({ language }) => language === 'sh').map(({ text }) => text);
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
    // Playwright asks for colours; a person who pipes does not get any. Even an empty FORCE_COLOR asks Node for them.
    const { FORCE_COLOR: _, ...environment } = process.env;
    const { stdout: npmCache } = await promisify(execFile)('npm', ['config', 'get', 'cache'], { cwd: root });
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', `exec 2>&1\n${commands.join('\n')}`], {
      cwd: clone,
      env: { ...environment, HOME: path.join(folder, 'home'), npm_config_cache: npmCache.trim(), npm_config_prefer_offline: 'true' },
      maxBuffer: 16 * 1_048_576,
    }).catch((error: { stdout: string; message: string }) => {
      throw new Error(`${error.stdout}\n${error.message}`);
    });
    const printed = withoutTimes(stdout).split('\n');
    const promised = blocks.filter(({ language }) => language === 'text').flatMap(({ text }) => withoutTimes(text).trimEnd().split('\n'));
    expect(promised.length).toBeGreaterThan(5);
    for (const line of promised)
      expect(
        printed.some((other) => other.startsWith(line)),
        `${line}\nis not in\n${stdout}`,
      ).toBe(true);
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
