import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** Names one process for ever: a pid alone is given to somebody else after a while. */
export interface ProcessRecord {
  pid: number;
  /** When the kernel started it, in the system's own words; compared, never read. */
  startedAt: string;
}

/** The record of a living process, or null when there is none (a zombie is dead). */
export function findProcess(pid: number): ProcessRecord | null {
  const startedAt = process.platform === 'linux' ? startedAtOnLinux(pid) : startedAtByPs(pid);
  return startedAt === null ? null : { pid, startedAt };
}

export function isAlive(record: ProcessRecord): boolean {
  return findProcess(record.pid)?.startedAt === record.startedAt;
}

/** The direct children of a process, at this moment. */
export function childrenOf(pid: number): ProcessRecord[] {
  const list = process.platform === 'linux' ? readIfThere(`/proc/${pid}/task/${pid}/children`) : childrenByPs(pid);
  return (list ?? '')
    .trim()
    .split(/\s+/)
    .filter((text) => text !== '')
    .map((text) => findProcess(Number(text)))
    .filter((record) => record !== null);
}

/** Asks a recorded process to end, then makes it; does nothing when it is gone or its pid is someone else's by now. */
export async function endProcess(record: ProcessRecord, options: { signal: NodeJS.Signals; graceMs: number; group?: boolean }): Promise<void> {
  const target = options.group ? -record.pid : record.pid;
  for (const signal of [options.signal, 'SIGKILL'] as const) {
    if (!isAlive(record)) return;
    sendSignal(target, signal);
    const deadline = performance.now() + (signal === 'SIGKILL' ? 5_000 : options.graceMs);
    while (performance.now() < deadline && isAlive(record)) await pause(20);
  }
}

/** Sends a signal; a process that ended meanwhile is no error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function startedAtOnLinux(pid: number): string | null {
  const stat = readIfThere(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The second field is the name in brackets and may hold anything; count from behind it: state is field 3, start time field 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return null;
  return `${bootId()}:${fields[19]}`;
}

/** A file below /proc; null when its process has ended. */
function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

let boot: string | undefined;
function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}

function startedAtByPs(pid: number): string | null {
  try {
    return (
      execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
        encoding: 'utf8',
        env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' } as unknown as NodeJS.ProcessEnv,
      }).trim() || null
    );
  } catch {
    return null; // ps exits 1 when there is no such process
  }
}

function childrenByPs(pid: number): string {
  try {
    return execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' });
  } catch {
    return ''; // pgrep exits 1 when there are none
  }
}
