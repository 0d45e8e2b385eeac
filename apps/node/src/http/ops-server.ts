import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { AppError } from '@vrsky/kernel/errors';
import type { Part } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';

export interface OpsServer extends Part {
  readonly port: number;
}

export interface OpsServerOptions {
  host: string;
  port: number;
  /** By name: why something is not ready, or null when it is. All must be for `/ready`. */
  checks(): Record<string, string | null>;
  /** Text in Prometheus's format. */
  metrics(): Promise<{ contentType: string; text: string }>;
  log: Log;
}

/** `/live`: the loop turns. `/ready`: every part can do its work, else 503 with the reasons. `/metrics`: for Prometheus. */
export function createOpsServer(options: OpsServerOptions): OpsServer {
  const server = http.createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      options.log.error({ err: error, url: request.url }, 'an operations request failed');
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  server.requestTimeout = 10_000;
  server.headersTimeout = 5_000;

  const answer = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const path = (request.url ?? '/').split('?', 1)[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return json(response, 405, { error: 'only GET' }, { allow: 'GET, HEAD' });
    if (path === '/live') return json(response, 200, { live: true });
    if (path === '/ready') return ready(response);
    if (path === '/metrics') {
      const { contentType, text } = await options.metrics();
      response.writeHead(200, { 'content-type': contentType }).end(text);
      return;
    }
    return json(response, 404, { error: 'there are /live, /ready and /metrics' });
  };

  const ready = (response: http.ServerResponse): void => {
    const checks = options.checks();
    const isReady = Object.values(checks).every((reason) => reason === null);
    json(response, isReady ? 200 : 503, { ready: isReady, checks: Object.fromEntries(Object.entries(checks).map(([name, reason]) => [name, reason ?? 'ok'])) });
  };

  return {
    name: 'operations http',
    get port() {
      return (server.address() as AddressInfo | null)?.port ?? 0;
    },
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', (cause) => reject(notListening(options, cause)));
        server.listen(options.port, options.host, () => resolve());
      }),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function json(response: http.ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(`${JSON.stringify(body)}\n`);
}

function notListening({ host, port }: OpsServerOptions, cause: Error): AppError {
  const isBusy = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
  const message = isBusy ? `another program listens on ${host}:${port}: stop it, or set VRSKY_OPS_PORT` : `cannot listen on ${host}:${port}`;
  return new AppError({ code: 'NODE.OPS_PORT', kind: 'unavailable', message, cause });
}
