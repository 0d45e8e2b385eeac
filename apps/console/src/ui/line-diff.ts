import { diffLines } from 'diff';

export type DiffLine =
  | { kind: 'same' | 'added' | 'removed'; text: string; before: number | null; after: number | null }
  | { kind: 'skipped'; lines: number; from: number };

/** Line by line; long stretches without a change are folded to `context` lines around each change. */
export function lineDiff(before: string, after: string, context = 3): DiffLine[] {
  let left = 1;
  let right = 1;
  const lines: Exclude<DiffLine, { kind: 'skipped' }>[] = [];
  for (const part of diffLines(ended(before), ended(after))) {
    for (const text of part.value.replace(/\n$/, '').split('\n')) {
      if (part.added) lines.push({ kind: 'added', text, before: null, after: right++ });
      else if (part.removed) lines.push({ kind: 'removed', text, before: left++, after: null });
      else lines.push({ kind: 'same', text, before: left++, after: right++ });
    }
  }
  return fold(lines, context);
}

const ended = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`);

function fold(lines: Exclude<DiffLine, { kind: 'skipped' }>[], context: number): DiffLine[] {
  const near = (index: number): boolean => {
    for (let i = Math.max(0, index - context); i <= Math.min(lines.length - 1, index + context); i++) if (lines[i]?.kind !== 'same') return true;
    return false;
  };
  // Nothing changed at all: show it whole, there is no change to fold around.
  if (lines.every((line) => line.kind === 'same')) return lines;
  const folded: DiffLine[] = [];
  let start = 0;
  while (start < lines.length) {
    let end = start;
    while (end < lines.length && !near(end)) end++;
    if (end - start > 1) folded.push({ kind: 'skipped', lines: end - start, from: start });
    else folded.push(...lines.slice(start, end));
    start = end;
    while (start < lines.length && near(start)) folded.push(lines[start++] as DiffLine);
  }
  return folded;
}
