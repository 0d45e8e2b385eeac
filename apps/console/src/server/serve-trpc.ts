import { fetchRequestHandler } from '@trpc/server/adapters/fetch';
import { describeError } from '@vrsky/kernel/errors';
import { log } from './log.ts';
import { observeRequest } from './metrics.ts';
import { createRequestContext, requestIdOf } from './request.ts';
import { appRouter } from './root.ts';

/** Header with the slug of the tenant a call is about. An EventSource cannot send headers: it names the tenant in its connection parameters. */
const TENANT_HEADER = 'x-vrsky-tenant';
/** Largest body: a draft with all its steps. */
const BODY_BYTES_MAX = 8 * 1_048_576;
const PROCEDURES = new Set(Object.keys(appRouter._def.procedures));

export async function serveTrpc(request: Request): Promise<Response> {
  const startedAtMs = performance.now();
  const route = routeOf(request);
  const refusal = refuse(request);
  const response =
    refusal ??
    (await fetchRequestHandler({
      endpoint: '/api/trpc',
      req: request,
      router: appRouter,
      createContext: ({ info }) => createRequestContext(request.headers, request.headers.get(TENANT_HEADER) ?? info.connectionParams?.tenant ?? null),
      responseMeta: () => ({ headers: new Headers({ 'x-request-id': requestIdOf(request.headers), 'cache-control': 'no-store' }) }),
      onError: ({ error, path, ctx }) => {
        const cause = error.cause ?? error;
        // What a person can act on is theirs; the world's troubles are one line, and only a fault of ours needs its stack.
        if (error.code === 'INTERNAL_SERVER_ERROR') (ctx?.log ?? log).error({ err: cause, path }, describeError(cause));
        else if (error.code === 'SERVICE_UNAVAILABLE' || error.code === 'GATEWAY_TIMEOUT') (ctx?.log ?? log).warn({ path }, describeError(cause));
      },
    }));
  observeRequest('trpc', route, response.status, startedAtMs);
  return response;
}

/** A page of another site may make a browser send our cookie; it cannot make it say that the call comes from us. */
function refuse(request: Request): Response | null {
  const site = request.headers.get('sec-fetch-site');
  if (site !== null && site !== 'same-origin' && site !== 'none') return new Response('Calls come from the console itself.', { status: 403 });
  const length = request.headers.get('content-length');
  if (request.body && length === null) return new Response('The length of the body is missing.', { status: 411 });
  if (Number(length ?? 0) > BODY_BYTES_MAX) return new Response('The request is too large.', { status: 413 });
  return null;
}

/** One procedure's name, or `batch`, or `unknown`: whatever a caller writes must not become a label. */
function routeOf(request: Request): string {
  const path = new URL(request.url).pathname.slice('/api/trpc/'.length);
  if (path.includes(',')) return 'batch';
  return PROCEDURES.has(path) ? path : 'unknown';
}
