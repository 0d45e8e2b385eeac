/** The last `max` keys that were added. */
export interface Recent {
  has(key: string): boolean;
  add(key: string): void;
}

export function createRecent(max: number): Recent {
  const keys = new Set<string>();
  return {
    has: (key) => keys.has(key),
    add(key) {
      keys.add(key);
      if (keys.size <= max) return;
      for (const oldest of keys) {
        keys.delete(oldest);
        return;
      }
    },
  };
}
