import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const taken = new Set<string>();

/** A new folder of its own for a test or a server; removed when this process ends. */
export function scratchDir(name = 'test'): string {
  if (taken.size === 0) process.once('exit', removeAll);
  const dir = mkdtempSync(path.join(os.tmpdir(), `vrsky-${name}-`));
  taken.add(dir);
  return dir;
}

function removeAll(): void {
  for (const dir of taken) rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
}
