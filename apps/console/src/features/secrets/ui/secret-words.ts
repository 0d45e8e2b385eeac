/** Times for which a replaced version may stay valid, as people choose them. */
export const overlaps: { seconds: number; label: string }[] = [
  { seconds: 0, label: 'Not at all: the old value stops being valid at once' },
  { seconds: 3_600, label: '1 hour' },
  { seconds: 86_400, label: '1 day' },
  { seconds: 3 * 86_400, label: '3 days' },
  { seconds: 7 * 86_400, label: '7 days' },
  { seconds: 30 * 86_400, label: '30 days' },
];

/** Hosts as they are typed: one a line, or with commas between. */
export function hostsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((host) => host !== '');
}

/** A value that was pasted with a line end or a space is the commonest reason why a right secret does not work. */
export function edgeWarning(value: string): string | null {
  return value !== '' && value.trim() !== value ? 'It begins or ends with white space, which becomes part of the value' : null;
}

/** Any of `/hosts/3` is about the one field with all hosts. */
export function fieldOf(errors: Record<string, string>, field: string): string | null {
  const found = Object.entries(errors).find(([path]) => path === `/${field}` || path.startsWith(`/${field}/`));
  return found?.[1] ?? null;
}
