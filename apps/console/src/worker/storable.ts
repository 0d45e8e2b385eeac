/** For JSON.parse: what Postgres cannot store as text is replaced. What a stranger wrote may hold anything. */
export function storable(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '\ufffd') : value;
}
