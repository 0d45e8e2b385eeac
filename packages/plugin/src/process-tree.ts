import { readdirSync } from 'node:fs';
import { sleep } from '@vrsky/kernel/lifecycle';
import { killIfThere, processTree, readIfThere } from './sandbox/processes.ts';

/** Against a program that makes children faster than we end them: only the kernel (a pid namespace, a cgroup) is a match for that. */
const ROUNDS_MAX = 50;
const ROUND_MS = 2;

/** SIGKILL to a process group. Its number is nobody else's while there is anybody in it, also when its first process has ended. */
export function killGroup(leader: number): void {
  killIfThere(-leader);
}

/** SIGKILL to a process, its process group, and its descendants, also those that have left the group. */
export function killTree(root: number): void {
  const family = processTree(root); // looked at before anybody loses its parent
  killGroup(root);
  for (const pid of family) killIfThere(pid);
}

/**
 * SIGKILL to every process that was started with `mark` in its environment, in whatever group or session, and with whatever parent it
 * is. Resolves when none is found any more. What was started with another environment is not found, nor anything where there is no /proc.
 */
export async function killMarked(mark: string): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const marked = findMarked(mark);
    if (marked.length === 0) return;
    for (const pid of marked) killIfThere(pid);
    await sleep(ROUND_MS);
  }
}

/** One look at all processes: some 40 µs for each, which is why a sandbox's own books are asked instead where it has them. */
function findMarked(mark: string): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => readEnvironment(pid).includes(mark) && isLiving(pid))
    .map(Number);
}

function readEnvironment(pid: string): string {
  try {
    return readIfThere(`/proc/${pid}/environ`);
  } catch (error) {
    if (['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return ''; // another user's: none of ours
    throw error;
  }
}

function isLiving(pid: string): boolean {
  return !/\) [ZX] /.test(readIfThere(`/proc/${pid}/stat`));
}
