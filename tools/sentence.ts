/** A failure that a person can act on: printed as it is, without a stack. */
export class Sentence extends Error {}

/** What to print for any failure: one sentence for what a person can mend, the whole story for a bug. */
export function sentenceOf(error: unknown): string {
  if (error instanceof Sentence) return error.message;
  const { code, path } = error as { code?: string; path?: string };
  if (code === 'ENOSPC' || code === 'EDQUOT') return `The disk is full${path === undefined ? '' : ` (${path})`}: free some space and run it again`;
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') return `${path ?? 'A file'} cannot be written: use a clone in a folder that can`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
