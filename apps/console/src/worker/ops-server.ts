import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Part } from '@vrsky/kernel/lifecycle';
import type { Registry } from 'prom-client';

export interface OpsServer extends Part {
  readonly port: number;
}

export interface OpsServerOptions {
  host: string;
  /** 0 for a free one. */
  port: number;
  registry: Registry;
  /** Why this process is not ready; null when it is. */
  findNotReady(): string | null;
  /** Sets what is only worth knowing when somebody asks. */
  beforeMetrics(): void;
}

/** `/live`: the event loop turns. `/ready`: this process does its work, or stands by for it. `/metrics`: for Prometheus. */
export function createOpsServer(options: OpsServerOptions): OpsServer {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://ops').pathname;
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, 'Use GET.\n');
    if (path === '/live') return answer(response, 200, 'live\n');
    if (path === '/ready') {
      const reason = options.findNotReady();
      return reason === null ? answer(response, 200, 'ready\n') : answer(response, 503, `${reason}\n`);
    }
    if (path === '/metrics') {
      options.beforeMetrics();
      return answer(response, 200, await options.registry.metrics(), options.registry.contentType);
    }
    answer(response, 404, 'There are /live, /ready and /metrics.\n');
  });
  server.requestTimeout = 10_000;
  server.keepAliveTimeout = 5_000;
  return {
    name: 'ops server',
    get port() {
      return (server.address() as AddressInfo).port;
    },
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(options.port, options.host, () => {
          server.off('error', reject);
          resolve();
        });
      }),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, status: number, body: string, contentType = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' }).end(body);
}
