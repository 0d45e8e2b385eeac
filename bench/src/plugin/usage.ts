import { processTree, readIfThere } from '@vrsky/plugin/sandbox/processes';
import { findProcessStats } from '../../../apps/node/src/plugins/process-stats.ts';

/** Memory of a process and all that it started, in bytes. */
export interface Memory {
  /** Its share: what several processes have in common counts for each by its part. NaN where the system does not show it. */
  pss: number;
  rss: number;
}

/** Processor time so far of a process and all that it started, in microseconds; from /proc, so its resolution is 10 ms. */
export function cpuUsOf(pid: number): number {
  const stats = findProcessStats(pid);
  if (stats === null) throw new Error(`process ${pid} is gone in the middle of the measurement`);
  return Math.round(stats.cpuSeconds * 1e6);
}

export function ownCpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

export function memoryOf(pid: number): Memory {
  const rollups = processTree(pid).map((at) => readIfThere(`/proc/${at}/smaps_rollup`));
  const sum = (name: string): number =>
    rollups.reduce((total, text) => total + 1_024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? Number.NaN), 0);
  return { pss: sum('Pss'), rss: sum('Rss') };
}
