import { authenticateApiKey } from './api-keys.ts';
import { getConsoleConfig } from './config.ts';
import { log } from './log.ts';
import { observeRequest } from './metrics.ts';
import { requestIdOf } from './request.ts';
import { dispatch } from './rest/dispatch.ts';
import { toOpenApi } from './rest/openapi.ts';
import { routes } from './rest/routes.ts';

/** The REST API: everything below `/api/v1`. */
export async function serveRest(request: Request, context: { params: Promise<{ path?: string[] }> }): Promise<Response> {
  const startedAtMs = performance.now();
  const { path = [] } = await context.params;
  if (request.method === 'GET' && path.length === 1 && path[0] === 'openapi.json') return openApiDocument(requestIdOf(request.headers));
  const { response, route } = await dispatch(request, path, { routes, requestId: requestIdOf(request.headers), log, authenticate: authenticateApiKey });
  observeRequest('rest', `${request.method} ${route}`, response.status, startedAtMs);
  return response;
}

let document: string | undefined;

function openApiDocument(requestId: string): Response {
  document ??= JSON.stringify(toOpenApi(routes, `${getConsoleConfig().config.consoleUrl}/api/v1`), null, 2);
  return new Response(document, {
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'public, max-age=60', 'x-request-id': requestId },
  });
}
