import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { limits } from '@vrsky/contracts/limits';
import { findReceiverTenant } from '@vrsky/contracts/receiver';
import { type Part, sleep } from '@vrsky/kernel/lifecycle';
import { type Behaviour, parseBehaviour } from './behaviour.ts';
import { type Bin, createBin, findHeader, type KeptRequest, toReceivedRequest } from './bin.ts';
import { serveEvents } from './events.ts';

/** Bins kept at a time; the one that was idle longest gives way. */
const BINS_MAX = 1_000;
const BIN_BYTES_MAX = 64 * 1_048_576;
const BODY_BYTES_MAX = limits.payloadBytesMax;

export interface Receiver extends Part {
  url(): string;
}

/**
 * The test receiver: a request bin for every tenant. It stores any request to `/<bin>` or below and answers 200; `GET /<bin>` with
 * `Accept: application/json` lists what came; `GET /<bin>/events` streams arrivals. It keeps nothing on disk.
 */
export function createReceiver(options: { host: string; port: number; key: string }): Receiver {
  const bins = new Map<string, Bin>();
  const closing = new AbortController();
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 60_000 }, (request, response) => {
    serve(request, response).catch(() => response.destroy());
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '/';
    if (url === '/live' || url === '/ready') return answer(response, 200, '{"status":"ok"}');
    const { name, rest } = splitPath(url);
    const bin = findBin(name);
    if (!bin) return problem(response, 404, 'Not found', 'There is no bin of this name. Copy the URL of your test receiver from the console.');
    if (request.method === 'GET' && rest === '/events') return serveEvents(bin, request, response, closing.signal);
    if (request.method === 'GET' && rest === '' && wantsJson(request)) return list(bin, url, response);

    const body = await readBody(request);
    if (!body) return problem(response, 413, 'Too large', `A body has at most ${BODY_BYTES_MAX} bytes.`, { connection: 'close' });
    const kept: KeptRequest = { receivedAtMs: Date.now(), method: request.method ?? '', url, rawHeaders: request.rawHeaders, body };
    bin.add(kept);
    const behaviour = parseBehaviour(url);
    if (typeof behaviour === 'string') return problem(response, 400, 'The request cannot be accepted', behaviour);
    await behave(bin, kept, behaviour, response);
  }

  function findBin(name: string): Bin | null {
    const known = bins.get(name);
    if (known) return known;
    if (findReceiverTenant(options.key, name) === null) return null;
    if (bins.size >= BINS_MAX) evictIdlest();
    const bin = createBin({ requestsMax: limits.receiverRequestsMax, bytesMax: BIN_BYTES_MAX });
    bins.set(name, bin);
    return bin;
  }

  function evictIdlest(): void {
    const idle = [...bins].filter(([, bin]) => bin.watchers === 0).map(([name, bin]) => ({ name, lastMs: bin.list(1)[0]?.receivedAtMs ?? 0 }));
    const oldest = idle.reduce<{ name: string; lastMs: number } | null>((least, item) => (least && least.lastMs <= item.lastMs ? least : item), null);
    if (oldest) bins.delete(oldest.name);
  }

  return {
    name: 'receiver',
    url: () => {
      const address = server.address() as AddressInfo;
      return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
    },
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(options.port, options.host, () => {
          server.off('error', reject);
          resolve();
        });
      }),
    drain: () => {
      closing.abort();
      return closeServer();
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      server.closeAllConnections();
      if (server.listening) await closeServer();
    },
  };

  function closeServer(): Promise<void> {
    return new Promise((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
  }

  async function behave(bin: Bin, kept: KeptRequest, behaviour: Behaviour, response: ServerResponse): Promise<void> {
    if (behaviour.delayMs > 0) await sleep(behaviour.delayMs, closing.signal);
    const recovered = behaviour.failTimes !== null && triesOf(bin, kept) > behaviour.failTimes;
    const status = recovered ? 200 : behaviour.status;
    if (behaviour.retryAfter !== null && status >= 400) response.setHeader('retry-after', behaviour.retryAfter);
    if (status >= 400) answer(response, status, `{"received":true,"answeredOnRequest":${status}}`);
    else if (behaviour.answer === null) answer(response, status, '{"received":true}');
    else if (behaviour.answer === 'echo') answer(response, status, kept.body, findHeader(kept, 'content-type') ?? 'application/octet-stream');
    else answer(response, status, behaviour.answer.text, isJson(behaviour.answer.text) ? 'application/json' : 'text/plain; charset=utf-8');
  }
}

function splitPath(url: string): { name: string; rest: string } {
  const query = url.indexOf('?');
  const path = query < 0 ? url : url.slice(0, query);
  const slash = path.indexOf('/', 1);
  return slash < 0 ? { name: path.slice(1), rest: '' } : { name: path.slice(1, slash), rest: path.slice(slash) };
}

function wantsJson(request: IncomingMessage): boolean {
  return request.headers.accept?.includes('application/json') ?? false;
}

/** Requests with the same Idempotency-Key and path so far, this one included. */
function triesOf(bin: Bin, kept: KeptRequest): number {
  const key = findHeader(kept, 'idempotency-key');
  return bin.list(limits.receiverRequestsMax).filter((other) => other.url === kept.url && findHeader(other, 'idempotency-key') === key).length;
}

/** `{ requests: ReceivedRequest[] }`, newest last; `?limit=` asks for fewer than all. */
function list(bin: Bin, url: string, response: ServerResponse): void {
  const asked = Number(new URLSearchParams(url.split('?')[1]).get('limit') ?? limits.receiverRequestsMax);
  const limit = Number.isInteger(asked) && asked > 0 ? asked : limits.receiverRequestsMax;
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  // Piece by piece: a full bin in one string would be several times its size in memory.
  response.write('{"requests":[');
  bin.list(limit).forEach((kept, i) => response.write(`${i > 0 ? ',' : ''}${JSON.stringify(toReceivedRequest(kept))}`));
  response.end(']}');
}

/** The whole body, or null when it is larger than allowed. */
function readBody(request: IncomingMessage): Promise<Buffer | null> {
  if (Number(request.headers['content-length'] ?? 0) > BODY_BYTES_MAX) return Promise.resolve(null);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX) {
        request.removeAllListeners('data');
        request.resume();
        resolve(null);
        return;
      }
      chunks.push(chunk);
    });
    request.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    request.on('error', reject);
  });
}

function answer(response: ServerResponse, status: number, body: string | Buffer, contentType = 'application/json'): void {
  // 204, 205 and 304 have no body.
  const sent = status === 204 || status === 205 || status === 304 ? '' : body;
  response.writeHead(status, {
    'content-type': contentType,
    'x-content-type-options': 'nosniff',
    ...(status === 204 ? {} : { 'content-length': Buffer.byteLength(sent) }),
  });
  response.end(sent);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function problem(response: ServerResponse, status: number, title: string, detail: string, headers: Record<string, string> = {}): void {
  const json = JSON.stringify({ type: 'about:blank', title, status, detail });
  response.writeHead(status, { 'content-type': 'application/problem+json', 'content-length': Buffer.byteLength(json), ...headers });
  response.end(json);
}
