import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Intake, Receipt } from '@vrsky/sdk/connector';
import { PAYLOAD_BYTES_MAX, type Problem, problemBody, problems, rawProblem } from './problem.ts';
import { HEADERS_MAX, type RequestHeaders, readHeaders } from './request-headers.ts';

export interface HttpSourceOptions {
  listen: { host: string; port: number };
  intake: Pick<Intake, 'offer'>;
  limits?: Partial<SourceLimits>;
}

export interface SourceLimits {
  connections: number;
  /** From the first byte of a request to the end of its headers. */
  headersMs: number;
  /** From the first byte of a request to its last. */
  requestMs: number;
  /** How often these are looked at. */
  checkMs: number;
  /** An open connection without a request. */
  idleMs: number;
  /** For the platform's word on a message. */
  receiptMs: number;
  /** Bodies in memory, of all requests together. */
  bodyBytes: number;
}

const defaults: SourceLimits = {
  connections: 4_096,
  headersMs: 10_000,
  requestMs: 30_000,
  checkMs: 1_000,
  idleMs: 65_000,
  receiptMs: 20_000,
  bodyBytes: 128 * 1_048_576,
};

/** Webhooks in: `POST|PUT /in/<path>` is answered 202 after the platform has stored the message, and with a problem otherwise. */
export interface HttpSource {
  readonly port: number;
  /** Which path belongs to which connection; replaces all. Before the first call nobody is told that a URL does not exist. */
  setRoutes(connectionIdByPath: ReadonlyMap<string, string>): void;
  /** Accepts no more connections, and ends those without a request; resolves when all are gone. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

const PREFIX = '/in/';
const HEADER_BYTES_MAX = 16_384;
/** What we read of a refused body so that its sender gets to see why. */
const DISCARD_BYTES_MAX = 16 * 1_048_576;
const DISCARD_MS = 5_000;
const RETRY_AFTER_S = 1;
const EXHAUSTED_RETRY_AFTER_S = 30;

/** While the node stops: how often connections that have become idle are ended. */
const DRAIN_EVERY_MS = 50;

/** A message that waits for the platform's word. */
interface Waiting {
  response: ServerResponse;
  atMs: number;
}
/** The oldest response of a connection that was not sent yet, or one that was. */
const responseOf = Symbol('response');
type HttpSocket = Socket & { [responseOf]?: ServerResponse };

export async function listenHttpSource(options: HttpSourceOptions): Promise<HttpSource> {
  const limits = { ...defaults, ...options.limits };
  /** By whole request target, `/in/<path>`, so that the usual request costs one look-up. */
  let routes: ReadonlyMap<string, string> | null = null;
  let draining = false;
  let bodyBytes = 0;
  /** Those that wait for the platform's word, oldest first. */
  const waiting = new Set<Waiting>();
  const sockets = new Set<HttpSocket>();

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const connectionId = admit(request, response);
    if (connectionId !== null) receiveBody(request, response, connectionId, readHeaders(request.rawHeaders));
  };

  /** Everything that can be said before the body is read. Answers the connection, or null when the request has been refused. */
  const admit = (request: IncomingMessage, response: ServerResponse): string | null => {
    const { rawHeaders, method } = request;
    const socket = request.socket as HttpSocket;
    if (socket[responseOf]?.writableEnded !== false) socket[responseOf] = response;
    if (draining || routes === null) return refuse(request, response, problems.unavailable, ['retry-after', String(RETRY_AFTER_S)]);
    if (rawHeaders.length > HEADERS_MAX * 2) return refuse(request, response, problems.headersTooLarge);
    const connectionId = findRoute(routes, request.url as string);
    if (connectionId === null) return refuse(request, response, problems.notFound);
    if (method !== 'POST' && method !== 'PUT') return refuse(request, response, problems.methodNotAllowed, ['allow', 'POST, PUT']);
    return connectionId;
  };

  const receiveBody = (request: IncomingMessage, response: ServerResponse, connectionId: string, headers: RequestHeaders): void => {
    if (headers.contentLength > PAYLOAD_BYTES_MAX) return void refuse(request, response, problems.tooLarge);
    if (headers.contentEncoding !== '' && headers.contentEncoding !== 'identity') return void refuse(request, response, problems.encoding);
    if (bodyBytes + Math.max(0, headers.contentLength) > limits.bodyBytes)
      return void refuse(request, response, problems.unavailable, ['retry-after', String(RETRY_AFTER_S)]);

    let first: Buffer | null = null;
    let more: Buffer[] | null = null;
    let length = 0;
    let over = false;
    const release = (): void => {
      over = true;
      bodyBytes -= length;
    };
    request.on('data', (chunk: Buffer) => {
      if (over) return;
      length += chunk.length;
      bodyBytes += chunk.length;
      if (first === null) first = chunk;
      else if (more === null) more = [first, chunk];
      else more.push(chunk);
      if (length <= PAYLOAD_BYTES_MAX && bodyBytes <= limits.bodyBytes) return;
      release();
      if (length > PAYLOAD_BYTES_MAX) refuse(request, response, problems.tooLarge);
      else refuse(request, response, problems.unavailable, ['retry-after', String(RETRY_AFTER_S)]);
    });
    request.on('end', () => {
      if (over) return;
      const payload = more !== null ? Buffer.concat(more, length) : (first ?? EMPTY);
      offer(connectionId, headers, payload, response, release);
    });
    // A sender that goes away in the middle has sent nothing; afterwards the answer goes nowhere.
    request.on('close', () => {
      if (!over && !request.complete) release();
    });
  };

  const offer = (connectionId: string, headers: RequestHeaders, payload: Buffer, response: ServerResponse, release: () => void): void => {
    const entry: Waiting = { response, atMs: performance.now() };
    waiting.add(entry);
    options.intake.offer(
      { connectionId, payload, contentType: headers.contentType, headers: headers.passed, traceparent: headers.traceparent, tracestate: headers.tracestate },
      (receipt) => {
        release();
        if (!waiting.delete(entry)) return; // answered before: it took too long
        if (draining) response.shouldKeepAlive = false;
        answer(response, receipt);
      },
    );
  };

  const expire = (): void => {
    const before = performance.now() - limits.receiptMs;
    for (const entry of waiting) {
      if (entry.atMs > before) return;
      waiting.delete(entry);
      answer(entry.response, { status: 'unavailable', messageId: '', retryAfterMs: 0 });
    }
  };

  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: limits.checkMs,
      keepAliveTimeout: limits.idleMs,
      noDelay: true,
      insecureHTTPParser: false,
    },
    onRequest,
  );
  server.maxConnections = limits.connections;
  server.maxHeadersCount = HEADERS_MAX + 1; // Node drops what is beyond without a word; one more lets us see it
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    const connectionId = admit(request, response);
    if (connectionId === null) return;
    const headers = readHeaders(request.rawHeaders);
    if (headers.contentLength <= PAYLOAD_BYTES_MAX) response.writeContinue();
    receiveBody(request, response, connectionId, headers);
  });
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => void refuse(request, response, problems.expectation));
  server.on('clientError', onClientError);
  server.on('connection', (socket: HttpSocket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const expiry = setInterval(expire, limits.checkMs);
  expiry.unref();
  await listen(server, options.listen);

  const closed = (): Promise<void> => new Promise((resolve) => (server.listening ? server.close(() => resolve()) : resolve()));
  return {
    port: (server.address() as AddressInfo).port,
    setRoutes(connectionIdByPath) {
      routes = new Map([...connectionIdByPath].map(([path, connectionId]) => [`${PREFIX}${path}`, connectionId]));
    },
    async drain() {
      draining = true;
      const ended = closed();
      // Node does not count a connection as idle that never sent anything.
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      const sweep = setInterval(() => server.closeIdleConnections(), DRAIN_EVERY_MS);
      await ended;
      clearInterval(sweep);
    },
    async close() {
      clearInterval(expiry);
      const ended = closed();
      server.closeAllConnections();
      await ended;
    },
  };
}

const EMPTY = Buffer.alloc(0);

function findRoute(routes: ReadonlyMap<string, string>, target: string): string | null {
  const found = routes.get(target);
  if (found !== undefined) return found;
  const query = target.indexOf('?');
  return query < 0 ? null : (routes.get(target.slice(0, query)) ?? null);
}

function answer(response: ServerResponse, receipt: Receipt): void {
  if (response.destroyed) return; // the sender did not wait
  switch (receipt.status) {
    case 'stored': {
      const body = `{"messageId":"${receipt.messageId}"}`;
      response.writeHead(202, ['content-type', 'application/json', 'content-length', String(body.length)]);
      response.end(body, 'latin1'); // an id is ASCII, and headers and body then leave in one piece
      return;
    }
    case 'unavailable':
      return sendProblem(response, problems.unavailable, ['retry-after', seconds(receipt.retryAfterMs, RETRY_AFTER_S)]);
    case 'exhausted':
      return sendProblem(response, problems.exhausted, ['retry-after', seconds(receipt.retryAfterMs, EXHAUSTED_RETRY_AFTER_S)]);
    case 'too_large':
      return sendProblem(response, problems.tooLarge);
    case 'not_found':
      return sendProblem(response, problems.notFound);
  }
}

function seconds(ms: number, fallback: number): string {
  return String(ms > 0 ? Math.ceil(ms / 1_000) : fallback);
}

function sendProblem(response: ServerResponse, problem: Problem, headers: string[] = []): void {
  const body = problemBody(problem);
  response.writeHead(problem.status, ['content-type', 'application/problem+json', 'content-length', String(Buffer.byteLength(body)), ...headers]);
  response.end(body);
}

/**
 * Refuses a request whose body may still be on its way. The answer leaves at once; the connection is ended only when the sender has
 * stopped sending or has had its share, because data nobody reads makes the system throw the answer away with the connection.
 */
function refuse(request: IncomingMessage, response: ServerResponse, problem: Problem, headers: string[] = []): null {
  if (request.complete || isWithoutBody(request)) {
    request.resume();
    sendProblem(response, problem, headers);
    return null;
  }
  const body = problemBody(problem);
  response.writeHead(problem.status, [
    'content-type',
    'application/problem+json',
    'content-length',
    String(Buffer.byteLength(body)),
    'connection',
    'close',
    ...headers,
  ]);
  response.write(body);
  let discarded = 0;
  const end = (): void => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(end, DISCARD_MS);
  request.on('data', (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > DISCARD_BYTES_MAX) end();
  });
  request.on('end', end);
  request.on('close', end);
  return null;
}

/** With neither header a request has no body (RFC 9112 §6.3), and its connection can go on. */
function isWithoutBody(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  return encoding === undefined && (length === undefined || length === '0');
}

/** A request that could not be read to its end: there is no response object, only the connection. */
function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  const response = (socket as HttpSocket)[responseOf];
  if (response !== undefined && !response.writableEnded && response.req.complete && socket.writable) {
    // What cannot be read came behind a whole message whose answer is to come: this one's would be taken for it. The connection ends after that.
    response.shouldKeepAlive = false;
    return;
  }
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  socket.end(rawProblem(problemOf(error.code)));
}

function problemOf(code: string | undefined): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') return problems.headersTooLarge;
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return problems.timeout;
  return problems.badRequest;
}

async function listen(server: Server, at: { host: string; port: number }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...at, backlog: 1_024 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
