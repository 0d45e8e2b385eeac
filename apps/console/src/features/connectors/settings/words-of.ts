/** `maxOpenFiles`, `max_open_files` and `max-open-files` are “Max open files”. */
export function wordsOf(key: string): string {
  const words = key
    .replaceAll(/([a-z0-9])([A-Z])/g, (_all, before: string, after: string) => `${before} ${after.toLowerCase()}`)
    .replaceAll(/[-_]+/g, ' ')
    .trim();
  return words === '' ? key : `${words[0]?.toUpperCase()}${words.slice(1)}`;
}
