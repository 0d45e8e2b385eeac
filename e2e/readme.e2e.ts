import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from './app.ts';

const readme = path.resolve(import.meta.dirname, '..', 'README.md');

test('the lines of the README work as printed', async ({ dev }) => {
  const [, ...tries] = [...readFileSync(readme, 'utf8').matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
  expect(tries.length).toBeGreaterThan(1);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'vrsky-readme-'));
  try {
    mkdirSync(path.join(folder, '.vrsky'));
    writeFileSync(path.join(folder, '.vrsky', 'dev.json'), JSON.stringify(dev));
    const { stdout } = await promisify(execFile)(
      'bash',
      ['-euo', 'pipefail', '-c', tries.join('\n').replaceAll('curl ', 'curl --silent --show-error --fail-with-body ')],
      { cwd: folder },
    );
    expect(stdout).toContain('202 Accepted');
    expect(stdout).toContain('"requests"');
    expect(stdout).toContain('"name":"Orders"');
    expect(stdout).toContain('"state"');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
