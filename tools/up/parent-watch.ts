import { readFileSync } from 'node:fs';

/**
 * Stops us when the make or npm that started us is killed, or is interrupted without us: `kill -INT` of make alone leaves make
 * waiting for a child that was never told. Any other parent may leave as it likes (a shell that started us in the background).
 */
export function watchParent(onGone: () => void): () => void {
  const parent = process.ppid;
  if (
    !['make', 'gmake', 'npm', 'sh'].some((name) => commOf(parent).startsWith(name)) ||
    (process.env.MAKELEVEL === undefined && process.env.npm_lifecycle_event === undefined)
  )
    return () => {};
  const timer = setInterval(() => {
    if (process.ppid !== parent || isInterrupted(parent)) onGone();
  }, 300);
  timer.unref();
  return () => clearInterval(timer);
}

function commOf(pid: number): string {
  return readProc(`/proc/${pid}/comm`) ?? '';
}

/** make blocks the signal that it is ending on until its child has ended; at all other times it does not. */
function isInterrupted(pid: number): boolean {
  const blocked = /^SigBlk:\s*([0-9a-f]+)$/m.exec(readProc(`/proc/${pid}/status`) ?? '')?.[1];
  const SIGINT_BIT = 1n << 1n;
  return blocked !== undefined && (BigInt(`0x${blocked}`) & SIGINT_BIT) !== 0n;
}

function readProc(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null; // ended, or not Linux: then only the parent's pid is watched
  }
}
