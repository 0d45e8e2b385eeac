import { keysOf } from './pointer.ts';

/** `maxOpenFiles`, `max_open_files` and `max-open-files` are “Max open files”. */
export function wordsOf(key: string): string {
  const words = key
    .replaceAll(/([a-z0-9])([A-Z])/g, (_all, before: string, after: string) => `${before} ${after.toLowerCase()}`)
    .replaceAll(/[-_]+/g, ' ')
    .trim();
  return words === '' ? key : `${words[0]?.toUpperCase()}${words.slice(1)}`;
}

/** The field that a JSON Pointer names, in words: `/columns/0/name` is “Columns 1, name”. Empty for the whole. */
export function fieldWords(pointer: string): string {
  const words: string[] = [];
  for (const key of keysOf(pointer)) {
    if (/^\d+$/.test(key) && words.length > 0) words.push(`${words.pop()} ${Number(key) + 1}`);
    else words.push(words.length === 0 ? wordsOf(key) : wordsOf(key).toLowerCase());
  }
  return words.join(', ');
}
