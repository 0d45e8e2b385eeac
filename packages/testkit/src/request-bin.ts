import http from 'node:http';
import { eventually } from './eventually.ts';

export interface BinRequest {
  method: string;
  url: string;
  /** Names in lower case; repeated ones joined as Node does. */
  headers: http.IncomingHttpHeaders;
  body: Buffer;
  atMs: number;
}

/** What the bin does with one request; left out, it answers 200 with the body `ok`. */
export interface BinBehaviour {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Waits before it answers. */
  delayMs?: number;
  /** Reads the request and never answers. */
  hang?: boolean;
  /** Breaks the connection instead of answering. */
  reset?: boolean;
}

/** A real HTTP receiver whose manners a test decides, and which keeps what it got in order of arrival. */
export interface RequestBin {
  readonly url: string;
  readonly port: number;
  readonly requests: BinRequest[];
  /** From now on: always this, or what the function says for each request (`count` from 1). */
  behave(behaviour: BinBehaviour | ((request: BinRequest, count: number) => BinBehaviour)): void;
  /** Waits until at least `count` requests have arrived and gives them back. */
  waitFor(count: number, timeoutMs?: number): Promise<BinRequest[]>;
  /** Refuses connections, and breaks those that are open. */
  down(): Promise<void>;
  /** Accepts again, on the same port. */
  up(): Promise<void>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function requestBin(options: { port?: number } = {}): Promise<RequestBin> {
  const requests: BinRequest[] = [];
  let behaviour: BinBehaviour | ((request: BinRequest, count: number) => BinBehaviour) = {};
  let port = options.port ?? 0;

  const server = http.createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => response.destroy()); // a sender that broke off sent no request
    incoming.on('end', () => {
      const request = { method: incoming.method ?? '', url: incoming.url ?? '', headers: incoming.headers, body: Buffer.concat(chunks), atMs: Date.now() };
      requests.push(request);
      answer(response, typeof behaviour === 'function' ? behaviour(request, requests.length) : behaviour);
    });
  });
  const up = (): Promise<void> => new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const down = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
  await up();
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the bin has no port');
  port = address.port;

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    behave(next) {
      behaviour = next;
    },
    async waitFor(count, timeoutMs = 10_000) {
      await eventually(() => requests.length >= count, { timeoutMs, what: `${count} requests (${requests.length} so far)` });
      return requests;
    },
    down,
    up,
    close: down,
    [Symbol.asyncDispose]: down,
  };
}

function answer(response: http.ServerResponse, behaviour: BinBehaviour): void {
  const { status = 200, headers = {}, body = 'ok', delayMs = 0 } = behaviour;
  if (behaviour.hang) return;
  if (behaviour.reset) {
    response.destroy();
    return;
  }
  const send = (): void => void response.writeHead(status, headers).end(body);
  if (delayMs === 0) send();
  else setTimeout(send, delayMs).unref();
}
