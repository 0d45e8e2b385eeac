import { readdirSync, readFileSync } from 'node:fs';

/** What a process and all that it started use now. */
export interface ProcessStats {
  /** Of those that live, and of those that ended and were waited for. */
  cpuSeconds: number;
  rssBytes: number;
}

export interface ProcessUse extends ProcessStats {
  threads: number;
  /** Open descriptors; null when the system does not show them to us, as those of another user. */
  fds: number | null;
  processes: number;
}

/** How the system is read; in tests it is made up. */
export interface Proc {
  read(path: string): string;
  list(path: string): string[];
}

const proc: Proc = { read: (path) => readFileSync(path, 'latin1'), list: (path) => readdirSync(path) };

/** Clock ticks a second in /proc (`getconf CLK_TCK`): 100 on every Linux that Node runs on. */
const TICKS = 100;
/** A fork bomb must not cost us more than itself: of more processes than this the rest is not counted. */
const PROCESSES_MAX = 128;

/**
 * What a process uses now, with all its descendants: a sandbox puts processes of its own around a connector. Null when it is gone, the
 * number belongs to another process by now (`startTicks` differs), or the system has no /proc.
 */
export function findProcessStats(pid: number, startTicks?: number, from: Proc = proc): ProcessUse | null {
  const root = findOne(pid, from);
  if (root === null || (startTicks !== undefined && root.startTicks !== startTicks)) return null;
  const sum: ProcessUse = { cpuSeconds: 0, rssBytes: 0, threads: 0, fds: 0, processes: 0 };
  const seen = new Set([pid]);
  const queue: [pid: number, one: OneProcess][] = [[pid, root]];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const [at, one] = next;
    sum.cpuSeconds += one.cpuSeconds;
    sum.rssBytes += one.rssBytes;
    sum.threads += one.threads;
    sum.processes++;
    const fds = countFds(at, from);
    sum.fds = fds === null || sum.fds === null ? null : sum.fds + fds;
    for (const child of childrenOf(at, from)) {
      if (seen.has(child) || seen.size >= PROCESSES_MAX) continue;
      seen.add(child);
      const found = findOne(child, from);
      if (found !== null) queue.push([child, found]);
    }
  }
  return sum;
}

/** When a process was started, in ticks since the machine was: with its number it names one process for ever. Null when it is gone. */
export function findStartTicks(pid: number, from: Proc = proc): number | null {
  return orNull(() => parseProcessStats(from.read(`/proc/${pid}/stat`), '').startTicks);
}

interface OneProcess {
  cpuSeconds: number;
  rssBytes: number;
  threads: number;
  startTicks: number;
}

/** From the texts of `stat` and `status`. The name in `stat` may hold blanks and brackets, so fields count from its last bracket. */
export function parseProcessStats(stat: string, status: string): OneProcess {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (n: number): number => Number(fields[n - 3]); // as numbered in proc(5)
  const rssKib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]; // a zombie has none
  return {
    // Its own in user and kernel mode, and that of children it has waited for.
    cpuSeconds: (field(14) + field(15) + field(16) + field(17)) / TICKS,
    rssBytes: Number(rssKib ?? 0) * 1_024,
    threads: field(20),
    startTicks: field(22),
  };
}

function findOne(pid: number, from: Proc): OneProcess | null {
  return orNull(() => parseProcessStats(from.read(`/proc/${pid}/stat`), from.read(`/proc/${pid}/status`)));
}

function countFds(pid: number, from: Proc): number | null {
  return orNull(() => from.list(`/proc/${pid}/fd`).length);
}

/** A child is listed with the thread that started it; a kernel without these lists shows no descendants. */
function childrenOf(pid: number, from: Proc): number[] {
  const threads = orNull(() => from.list(`/proc/${pid}/task`)) ?? [];
  return threads.flatMap((tid) => {
    const text = orNull(() => from.read(`/proc/${pid}/task/${tid}/children`)) ?? '';
    return text.split(' ').filter(Boolean).map(Number);
  });
}

/** Null for what is gone, or not for our eyes. */
function orNull<T>(look: () => T): T | null {
  try {
    return look();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return null;
    throw error;
  }
}
