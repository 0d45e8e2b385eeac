import { readFileSync } from 'node:fs';

export interface ProcessStats {
  cpuSeconds: number;
  rssBytes: number;
}

/** Clock ticks a second in /proc (`getconf CLK_TCK`): 100 on every Linux that Node runs on. */
const TICKS = 100;

/** What a process uses now; null when it is gone or the system has no /proc. */
export function findProcessStats(pid: number, read: (path: string) => string = (path) => readFileSync(path, 'latin1')): ProcessStats | null {
  try {
    return parseProcessStats(read(`/proc/${pid}/stat`), read(`/proc/${pid}/status`));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}

/** From the texts of `stat` and `status`. The name in `stat` may hold blanks and brackets, so fields count from its last bracket. */
export function parseProcessStats(stat: string, status: string): ProcessStats {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]); // utime and stime, fields 14 and 15 of the whole
  const rssKib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]; // a zombie has none
  return { cpuSeconds: ticks / TICKS, rssBytes: Number(rssKib ?? 0) * 1_024 };
}
