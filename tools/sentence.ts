import { statfsSync } from 'node:fs';
import { ConfigError } from '@vrsky/kernel/config';

/** A failure that a person can act on: printed as it is, without a stack. */
export class Sentence extends Error {}

/** What to print for any failure: one sentence for what a person can mend, the whole story for a bug. */
export function sentenceOf(error: unknown): string {
  if (error instanceof Sentence || error instanceof ConfigError) return error.message;
  const { code, path } = error as { code?: string; path?: string };
  const story = error instanceof Error ? (error.stack ?? error.message) : String(error);
  // Servers that we start say it in their own words.
  if (code === 'ENOSPC' || code === 'EDQUOT' || /ENOSPC|No space left on device/.test(story)) {
    return `The disk is full${path === undefined ? '' : ` (${path})`}: free some space and run it again`;
  }
  if (['EROFS', 'EACCES', 'EPERM', 'ENOTDIR'].includes(code ?? '')) return `${path ?? 'A file'} cannot be written: use a clone in a folder that can`;
  return story;
}

/** Refuses before the work begins when it could not end. */
export function expectFreeSpace(dir: string, neededBytes: number): void {
  const { bavail, bsize } = statfsSync(dir);
  const mib = (bytes: number): string => `${Math.floor(bytes / 1_048_576)} MiB`;
  if (bavail * bsize < neededBytes) throw new Sentence(`The disk of ${dir} is full: ${mib(bavail * bsize)} are free and ${mib(neededBytes)} are needed`);
}
