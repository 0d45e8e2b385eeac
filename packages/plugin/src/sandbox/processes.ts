import { readdirSync, readFileSync } from 'node:fs';

/** A process and all that came from it and still has an ancestor there, the first one first. Empty when it is gone. Linux only. */
export function processTree(pid: number): number[] {
  const found: number[] = [];
  const waiting = [pid];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const threads = listIfThere(`/proc/${at}/task`);
    if (threads.length === 0) continue;
    found.push(at);
    for (const thread of threads) waiting.push(...parsePids(readIfThere(`/proc/${at}/task/${thread}/children`)));
  }
  return found;
}

/** Every living process of a user, by its real id. One that ended and is only remembered until its parent asks is dead. */
export function processesOfUid(uid: number): number[] {
  return listIfThere('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const [, state, owner] = /^State:\s+(\w)[\s\S]*^Uid:\s+(\d+)/m.exec(readIfThere(`/proc/${pid}/status`)) ?? [];
      return owner === String(uid) && state !== 'Z' && state !== 'X';
    })
    .map(Number);
}

/** SIGKILL; a process that has ended meanwhile is no error. */
export function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The ids of a file that lists processes, as `children` and `cgroup.procs` do. A 0 there is a process of another pid namespace. */
export function parsePids(text: string): number[] {
  return text
    .split(/\s+/)
    .map(Number)
    .filter((pid) => pid > 0);
}

function listIfThere(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** The text of a file below /proc or of a cgroup; empty when its owner is gone. */
export function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isGone(error)) return '';
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ESRCH', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '');
}
