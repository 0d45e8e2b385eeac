import { execFileSync } from 'node:child_process';
import { findPrograms } from './config.ts';
import { isAtLeast } from './nats.ts';

/** The least version that knows every option that a plugin's sandbox uses (`--perms`). */
export const bubblewrapLeast = '0.5.0';

/** Path of a bubblewrap that is new enough, on PATH first, then where set-up puts it; null where there is none. */
export function findBubblewrap(): string | null {
  return (
    findPrograms('bwrap').find((program) => {
      const version = bubblewrapVersion(program);
      return version !== null && isAtLeast(version, bubblewrapLeast);
    }) ?? null
  );
}

/** The version that a bubblewrap names, or null when it is something else or does not run here. */
export function bubblewrapVersion(program: string): string | null {
  try {
    const text = execFileSync(program, ['--version'], { encoding: 'utf8', timeout: 10_000, stdio: ['ignore', 'pipe', 'ignore'] });
    return /^bubblewrap (\d+\.\d+\.\d+)/.exec(text)?.[1] ?? null;
  } catch {
    return null; // cannot be run here, for example for want of its C library
  }
}
