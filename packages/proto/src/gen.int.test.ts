import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const home = join(import.meta.dirname, '..');
const root = join(home, '..', '..');

test('the committed TypeScript is what the .proto files generate; run `npm run gen -w @vrsky/proto` after changing one', async () => {
  const fresh = await mkdtemp(join(tmpdir(), 'vrsky-gen-'));
  try {
    const bin = join(root, 'node_modules', '.bin');
    await promisify(execFile)(join(bin, 'buf'), ['generate', '-o', fresh], { cwd: home, env: { ...process.env, PATH: `${bin}:${process.env.PATH}` } });
    expect(await filesOf(join(home, 'src', 'gen'))).toEqual(await filesOf(join(fresh, 'src', 'gen')));
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
});

async function filesOf(dir: string): Promise<Record<string, string>> {
  const names = (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('.ts')).sort();
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(dir, name), 'utf8')])));
}
