const registry = globalThis as { vrskyConsole?: Map<string, unknown> };

/**
 * One value for the whole process. Next may load a module once for pages and once for route handlers; pools, counters and
 * connections must not double with it.
 */
export function singleton<T>(name: string, create: () => T): T {
  registry.vrskyConsole ??= new Map();
  const map = registry.vrskyConsole;
  if (!map.has(name)) map.set(name, create());
  return map.get(name) as T;
}

/** The value, when somebody has needed it already. */
export function findSingleton<T>(name: string): T | null {
  return (registry.vrskyConsole?.get(name) as T | undefined) ?? null;
}
