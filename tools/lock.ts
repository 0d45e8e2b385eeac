import { randomInt } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { findProcess, isAlive, type ProcessRecord } from '@vrsky/testkit/process-record';
import { makeFolder } from './make-folder.ts';
import { Sentence } from './sentence.ts';

const WAIT_MS = 10 * 60_000;

/** Runs `work` while no other process holds the lock file. A holder that died blocks nobody. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  makeFolder(path.dirname(file));
  await take(file);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

async function take(file: string): Promise<void> {
  const mine = `${file}.${process.pid}.${randomInt(2 ** 32)}`;
  writeFileSync(mine, JSON.stringify(findProcess(process.pid)));
  const deadline = performance.now() + WAIT_MS;
  try {
    // A link is made with its content in one act: nobody reads half a record.
    while (!tryLink(mine, file)) {
      const holder = read(file);
      if (holder !== null && !isAlive(holder)) removeDead(file, holder);
      else if (performance.now() > deadline) throw new Sentence(`Process ${holder?.pid} has held ${file} for ten minutes: end it and try again`);
      else await pause(200);
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Two may find the same dead holder: who has moved away a living one's lock instead puts it back. */
function removeDead(file: string, dead: ProcessRecord): void {
  const aside = `${file}.${process.pid}.dead`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = read(aside);
  if (moved !== null && (moved.pid !== dead.pid || moved.startedAt !== dead.startedAt)) tryLink(aside, file);
  rmSync(aside, { force: true });
}

function read(file: string): ProcessRecord | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessRecord;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
