import type { Method, Route } from './route.ts';

export type Match = { found: 'route'; route: Route; params: Record<string, string> } | { found: 'path'; allow: Method[] } | { found: 'nothing' };

/** The route of a method and path; when only the method is wrong, the methods that the path knows. */
export function matchRoute(routes: readonly Route[], method: string, segments: readonly string[]): Match {
  const allow: Method[] = [];
  for (const route of routes) {
    const params = matchPath(route.path, segments);
    if (!params) continue;
    if (route.method === method) return { found: 'route', route, params };
    allow.push(route.method);
  }
  return allow.length > 0 ? { found: 'path', allow } : { found: 'nothing' };
}

function matchPath(pattern: string, segments: readonly string[]): Record<string, string> | null {
  const parts = pattern.split('/').slice(1);
  if (parts.length !== segments.length) return null;
  const params: Record<string, string> = {};
  for (const [i, part] of parts.entries()) {
    const segment = segments[i] ?? '';
    if (part.startsWith('{')) params[part.slice(1, -1)] = segment;
    else if (part !== segment) return null;
  }
  return params;
}
