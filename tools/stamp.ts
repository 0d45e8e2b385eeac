import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { withLock } from './lock.ts';
import { root } from './run.ts';

/** Does the work only when the content of its inputs is another than after the last time it succeeded, or what it made is gone. */
export function whenChanged(name: string, files: { inputs: string[]; output: string }, work: () => Promise<void>): Promise<'unchanged' | 'done'> {
  const stamp = path.join(root, '.vrsky', 'stamps', name);
  return withLock(`${stamp}.lock`, async () => {
    const wanted = contentHashOf(files.inputs);
    if (existsSync(path.join(root, files.output)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return 'unchanged';
    rmSync(stamp, { force: true });
    await work();
    mkdirSync(path.dirname(stamp), { recursive: true });
    writeFileSync(stamp, wanted);
    return 'done';
  });
}

const SKIPPED = new Set(['node_modules', '.next', 'dist', 'generated', 'next-env.d.ts']);

function contentHashOf(inputs: string[]): string {
  const hash = createHash('sha256');
  for (const input of inputs)
    for (const file of filesBelow(path.join(root, input))) hash.update(path.relative(root, file)).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}

function* filesBelow(where: string): Iterable<string> {
  if (!existsSync(where)) return;
  if (!statSync(where).isDirectory()) {
    yield where;
    return;
  }
  for (const name of readdirSync(where).sort()) if (!SKIPPED.has(name) && !/\.test\.tsx?$|\.tsbuildinfo$/.test(name)) yield* filesBelow(path.join(where, name));
}
