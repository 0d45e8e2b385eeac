import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { endProcess, findProcess, isAlive, type ProcessRecord } from '@vrsky/testkit/process-record';
import { withLock } from '../lock.ts';
import { Sentence } from '../sentence.ts';

/** Who runs a stack and what it has started, on disk, so that the next start finds what a killed one left behind. */
interface Entry {
  keeper: ProcessRecord;
  console: string;
  /** Set as soon as it stops, so that a start that comes meanwhile waits instead of giving up. */
  stopping: boolean;
  parts: Record<string, ProcessRecord>;
}

export interface Ledger {
  started(part: string, record: ProcessRecord): void;
  ended(part: string): void;
  stopping(): void;
  close(): void;
}

/** Ends what a dead keeper left behind, then writes our own entry. Refuses while another keeper is alive and well. */
export function openLedger(dir: string, consoleUrl: string): Promise<Ledger> {
  const file = path.join(dir, 'stack.json');
  // Two that start at once must not take each other for something left behind.
  return withLock(`${file}.lock`, async () => {
    const left = read(file);
    if (left !== null) await cleanUp(left, file);
    const keeper = findProcess(process.pid);
    if (keeper === null) throw new Error('the system does not show our own process');
    return createLedger(file, { keeper, console: consoleUrl, stopping: false, parts: {} });
  });
}

function createLedger(file: string, entry: Entry): Ledger {
  const save = (): void => {
    writeFileSync(`${file}.new`, JSON.stringify(entry, null, 2), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  };
  save();
  return {
    started(part, record) {
      entry.parts[part] = record;
      save();
    },
    ended(part) {
      delete entry.parts[part];
      save();
    },
    stopping() {
      entry.stopping = true;
      save();
    },
    close: () => rmSync(file, { force: true }),
  };
}

/** Long enough for a keeper whose make was killed to notice it and say that it is stopping. */
const NOTICE_MS = 1_500;
const STOP_MS = 30_000;

async function cleanUp(left: Entry, file: string): Promise<void> {
  if (isAlive(left.keeper)) {
    const isStopping = await within(NOTICE_MS, () => !isAlive(left.keeper) || read(file)?.stopping === true);
    if (!isStopping)
      throw new Sentence(`The stack of this folder is running already (process ${left.keeper.pid}, ${left.console}): stop it with Ctrl-C there first`);
    await within(STOP_MS, () => !isAlive(left.keeper));
    await endProcess(left.keeper, { signal: 'SIGKILL', graceMs: 0 });
  }
  const parts = Object.values((read(file) ?? left).parts);
  await Promise.all(parts.map((record) => endProcess(record, { signal: 'SIGTERM', graceMs: 5_000, group: true })));
}

async function within(ms: number, condition: () => boolean): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > deadline) return false;
    await pause(50);
  }
  return true;
}

function read(file: string): Entry | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Entry;
  } catch (error) {
    // Written by a rename, so it is whole or not there.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
