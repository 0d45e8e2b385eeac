import { AppError } from '@vrsky/kernel/errors';
import type { Log } from '@vrsky/kernel/log';
import { z } from 'zod';
import type { TenantContext } from '../context.ts';
import { isAllowed } from '../permissions.ts';
import { parseJson, readJsonText } from '../read-json.ts';
import { problem, toProblem } from '../to-problem.ts';
import { once } from './idempotency.ts';
import { matchRoute } from './match.ts';
import type { Route, RouteResult } from './route.ts';

/** Largest request body: a pipeline with all its steps. */
export const BODY_BYTES_MAX = 8 * 1_048_576;

export interface DispatchOptions {
  routes: readonly Route[];
  requestId: string;
  log: Log;
  /** The tenant and role of the key in the `Authorization` header; throws `unauthenticated`. */
  authenticate(request: Request): Promise<TenantContext>;
}

export interface Dispatched {
  response: Response;
  /** Path pattern of the route, for metrics: a path itself would be a label without bound. */
  route: string;
}

/** Runs the operation that a request names. Every way out that is not a success is a problem document. */
export async function dispatch(request: Request, segments: readonly string[], options: DispatchOptions): Promise<Dispatched> {
  const { requestId, log } = options;
  const match = matchRoute(options.routes, request.method === 'HEAD' ? 'GET' : request.method, segments);
  if (match.found === 'nothing')
    return {
      route: 'unknown',
      response: problem({
        status: 404,
        title: 'Not found',
        detail: 'The API has no such path. Its paths are listed at /api/v1/openapi.json.',
        code: 'ROUTE.NOT_FOUND',
        requestId,
      }),
    };
  if (match.found === 'path') {
    const allow = match.allow.join(', ');
    if (request.method === 'OPTIONS') return { route: 'options', response: new Response(null, { status: 204, headers: { allow, 'x-request-id': requestId } }) };
    return {
      route: 'unknown',
      response: problem(
        { status: 405, title: 'Method not allowed', detail: `This path takes ${allow}.`, code: 'ROUTE.METHOD_NOT_ALLOWED', requestId },
        { allow },
      ),
    };
  }
  const { route, params } = match;
  try {
    return { route: route.path, response: await run(request, route, params, options) };
  } catch (error) {
    const response = toProblem(error, requestId);
    if (response.status >= 500) log.error({ err: error, requestId, route: route.id }, 'a REST call failed');
    return { route: route.path, response };
  }
}

async function run(request: Request, route: Route, params: Record<string, string>, options: DispatchOptions): Promise<Response> {
  const tenant = await options.authenticate(request);
  if (!isAllowed(tenant.role, route.permission)) {
    throw new AppError({
      code: 'ROLE.NOT_ALLOWED',
      kind: 'forbidden',
      message: `role ${tenant.role} lacks ${route.permission}`,
      publicMessage: `The role of this key, ${tenant.role}, does not allow this.`,
      details: { role: tenant.role, permission: route.permission },
    });
  }
  const hasBody = !(route.body instanceof z.ZodUndefined);
  const text = hasBody ? await readJsonText(request, BODY_BYTES_MAX) : '';
  const ifMatch = readIfMatch(request, route);
  if (ifMatch === 'missing') {
    return problem({
      status: 428,
      title: 'Precondition required',
      detail: 'Send If-Match with the ETag you read, so that you do not overwrite what you have not seen.',
      code: 'REQUEST.IF_MATCH_MISSING',
      requestId: options.requestId,
    });
  }
  const input = {
    params: parse(route.params, params),
    query: parse(route.query, queryOf(request, route)),
    body: hasBody ? parse(route.body, parseJson(text)) : undefined,
    ifMatch,
  };
  const respond = async () => toResponse(route, await route.handle(tenant, input), options.requestId);
  const key = route.idempotent ? request.headers.get('idempotency-key') : null;
  return key === null
    ? respond()
    : once(tenant, { key, operation: `${route.id} ${JSON.stringify(params)}`, body: text, requestId: options.requestId }, respond);
}

function parse<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw parsed.error;
  return parsed.data;
}

/** Query values as JSON has them: repeated names are lists, and what looks like a number where one is wanted is one. */
function queryOf(request: Request, route: Route): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  const given = new URL(request.url).searchParams;
  for (const name of new Set(given.keys())) {
    const all = given.getAll(name);
    values[name] = all.length > 1 ? all : all[0];
  }
  for (const [name, schema] of Object.entries(route.query.shape)) {
    if (typeof values[name] === 'string' && wantsList(schema as z.ZodType)) values[name] = (values[name] as string).split(',');
  }
  return values;
}

function wantsList(schema: z.ZodType): boolean {
  return schema instanceof z.ZodArray || (schema instanceof z.ZodOptional && schema.unwrap() instanceof z.ZodArray);
}

function readIfMatch(request: Request, route: Route): number | null | 'missing' {
  if (route.ifMatch === 'none') return null;
  const raw = request.headers.get('if-match');
  if (raw === null) return route.ifMatch === 'required' ? 'missing' : null;
  if (raw.trim() === '*') return null;
  const version = /^(?:W\/)?"(\d{1,9})"$/.exec(raw.trim())?.[1];
  if (version === undefined)
    throw new AppError({
      code: 'REQUEST.IF_MATCH_INVALID',
      kind: 'invalid',
      message: `If-Match ${raw}`,
      publicMessage: 'If-Match must be the ETag as you read it, with its quotes, or *.',
    });
  return Number(version);
}

function toResponse(route: Route, result: RouteResult<z.ZodType>, requestId: string): Response {
  const headers: Record<string, string> = { 'x-request-id': requestId, 'cache-control': 'no-store' };
  if (result.version !== undefined) headers.etag = `"${result.version}"`;
  if (result.location !== undefined) headers.location = `/api/v1${result.location}`;
  if (route.success.status === 204) return new Response(null, { status: 204, headers });
  headers['content-type'] = 'application/json; charset=utf-8';
  return new Response(JSON.stringify(result.body), { status: route.success.status, headers });
}
