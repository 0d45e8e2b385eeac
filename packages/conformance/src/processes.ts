import { readdirSync, readFileSync } from 'node:fs';

interface Stat {
  pid: number;
  state: string;
  parent: number;
  group: number;
}

/** A process, its descendants and the members of its group; null where the system does not say. */
export function listFamily(pid: number): number[] | null {
  const all = listProcesses();
  if (all === null) return null;
  const family = new Set([pid]);
  for (let before = 0; before < family.size; ) {
    before = family.size;
    for (const each of all) if (each.group === pid || family.has(each.parent)) family.add(each.pid);
  }
  return all.filter((each) => family.has(each.pid) && each.state !== 'Z').map((each) => each.pid);
}

/** Whether a process runs; one that is over and that nobody has asked about does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return readStat(pid)?.state !== 'Z';
}

/** What everybody of the same user can read of a process: environment and arguments. Empty when it is gone. */
export function readSurface(pid: number): string {
  return ['environ', 'cmdline'].map((name) => readProc(`${pid}/${name}`) ?? '').join('\0');
}

function listProcesses(): Stat[] | null {
  try {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (readStat(Number(name)) ?? []) : []));
  } catch {
    return null; // no /proc: not Linux
  }
}

function readStat(pid: number): Stat | null {
  const text = readProc(`${pid}/stat`);
  if (text === null) return null;
  // The name of the program stands in brackets and may have anything in it.
  const [state = '', parent = '', group = ''] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { pid, state, parent: Number(parent), group: Number(group) };
}

function readProc(name: string): string | null {
  try {
    return readFileSync(`/proc/${name}`, 'latin1');
  } catch {
    return null; // it has ended, or is somebody else's
  }
}
