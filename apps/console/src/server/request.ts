import { randomUUID } from 'node:crypto';
import { log } from './log.ts';
import type { RequestContext } from './request-context.ts';
import { findSession } from './session.ts';

/** The name of a request; proxy.ts gave it one. */
export function requestIdOf(headers: Headers): string {
  return headers.get('x-request-id') ?? randomUUID();
}

export function createRequestContext(headers: Headers, tenantSlug: string | null): RequestContext {
  const requestId = requestIdOf(headers);
  const cookies = cookiesOf(headers.get('cookie') ?? '');
  return { requestId, log: log.child({ requestId }), tenantSlug, findSession: keptFor(1_000, () => findSession(cookies)) };
}

/** The calls of one batch share an answer; a live connection that asks again later gets a new one. */
function keptFor<T>(ms: number, ask: () => Promise<T>): () => Promise<T> {
  let last: { atMs: number; answer: Promise<T> } | undefined;
  return () => {
    if (!last || performance.now() - last.atMs > ms) last = { atMs: performance.now(), answer: ask() };
    return last.answer;
  };
}

/** Names and values of a Cookie header. */
export function cookiesOf(header: string): Record<string, string> {
  const cookies: Record<string, string> = {};
  for (const part of header.split(';')) {
    const at = part.indexOf('=');
    if (at < 0) continue;
    const value = part.slice(at + 1).trim();
    cookies[part.slice(0, at).trim()] = decode(value);
  }
  return cookies;
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value; // not encoded: a stranger's cookie, which nobody here reads
  }
}
