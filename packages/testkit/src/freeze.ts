import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { eventually } from './eventually.ts';

/**
 * Stops a process where it stands, until SIGCONT. Comes back once each of its threads stands still, since a signal takes effect a moment after
 * it was sent; where there is no /proc, after the signal.
 */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const threads = `/proc/${pid}/task`;
  if (!existsSync(threads)) return;
  const isStopped = (thread: string): boolean => /\) [Tt] /.test(readFileSync(`${threads}/${thread}/stat`, 'latin1'));
  await eventually(() => readdirSync(threads).every(isStopped), { everyMs: 1, what: `process ${pid} to stand still` });
}
