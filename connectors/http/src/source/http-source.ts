import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Intake, Receipt } from '@vrsky/sdk/connector';
import { sendAccepted } from './answer.ts';
import { type Denial, Denied } from './auth/authenticator.ts';
import { createGathering, type Heard } from './gathering.ts';
import { createOldestFirst, type Place, unlisted } from './oldest-first.ts';
import { createOpenResults, pendingReply } from './open-results.ts';
import { denialProblem, headersProblem, methodProblem, type Problem, problemBody, problems, rawProblem, sizeProblem, splitProblem } from './problem.ts';
import { type RequestHeaders, readHeaders } from './request-headers.ts';
import { sendRepeat, sendResult } from './result.ts';
import { isTaken, type Route } from './route.ts';
import { HEADER_BYTES_MAX, HEADERS_MAX, REQUEST_MS_MAX, SPLIT_MAX } from './settings.ts';
import { splitArray, splitLines, UnsplittableBody } from './split.ts';

export interface HttpSourceOptions {
  listen: { host: string; port: number };
  intake: Pick<Intake, 'offer'>;
  limits?: Partial<SourceLimits>;
  /** A connection refused a request; `reason` is the problem's code. */
  onRefused?(connectionId: string, reason: string): void;
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
  /** Senders that may wait for their pipeline's result: of one connection, and of all together. Who comes beyond is told at once that it is pending. */
  resultsPerConnection: number;
  results: number;
  /** Results in memory that their senders have not taken yet. */
  resultBytes: number;
  /** For a sender to take its result. */
  sendMs: number;
  /** The longest that a request waits for others to go on with; 0: none waits. */
  gatherMs: number;
}

const defaults: SourceLimits = {
  connections: 4_096,
  headersMs: 10_000,
  requestMs: REQUEST_MS_MAX,
  checkMs: 1_000,
  idleMs: 65_000,
  receiptMs: 20_000,
  bodyBytes: 128 * 1_048_576,
  resultsPerConnection: 256,
  results: 2_048,
  resultBytes: 64 * 1_048_576,
  sendMs: 60_000,
  gatherMs: 8,
};

/**
 * Webhooks in: a request to `/in/<path>` is answered 202 after the platform has stored the message, or with the pipeline's result where a
 * connection says so, and with a problem otherwise.
 */
export interface HttpSource {
  readonly port: number;
  /** What each path leads to; replaces all. Before the first call nobody is told that a URL does not exist. */
  setRoutes(routeByPath: ReadonlyMap<string, Route>): void;
  /** Accepts no more connections, and ends those without a request; resolves when all are gone. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

const PREFIX = '/in/';
/** What we read of a refused body so that its sender gets to see why. */
const DISCARD_BYTES_MAX = 16 * 1_048_576;
const DISCARD_MS = 5_000;
const RETRY_AFTER_S = 1;
/** While an issuer's keys cannot be fetched. */
const KEYS_RETRY_AFTER_S = 10;
const EXHAUSTED_RETRY_AFTER_S = 30;

/** While the node stops: how often connections that have become idle are ended. */
const DRAIN_EVERY_MS = 50;

/** A request that has been let in. */
interface Admitted {
  route: Route;
  headers: RequestHeaders;
}
/** A request that waits for the platform's word. */
interface Waiting extends Place {
  response: ServerResponse;
  atMs: number;
}
/** A body that is on its way. */
interface Receiving extends Place {
  untilMs: number;
  cut(): void;
}
/** The oldest response of a connection that was not sent yet, or one that was. */
const responseOf = Symbol('response');
type HttpSocket = Socket & Heard & { [responseOf]?: ServerResponse };

export async function listenHttpSource(options: HttpSourceOptions): Promise<HttpSource> {
  const limits = { ...defaults, ...options.limits };
  /** By whole request target, `/in/<path>`, so that the usual request costs one look-up. */
  let routes: ReadonlyMap<string, Route> | null = null;
  let draining = false;
  let bodyBytes = 0;
  /** Those that wait for the platform's word, oldest first. */
  const waiting = createOldestFirst<Waiting>();
  const receiving = createOldestFirst<Receiving>();
  const sockets = new Set<HttpSocket>();
  const results = createOpenResults({
    perConnectionMax: limits.resultsPerConnection,
    max: limits.results,
    unsentBytesMax: limits.resultBytes,
    sendMs: limits.sendMs,
    answer(response, messageId, reply) {
      if (draining) response.shouldKeepAlive = false;
      sendResult(response, messageId, reply);
    },
  });
  const gathering = createGathering(limits.gatherMs);

  const onRequest = (request: IncomingMessage, response: ServerResponse): void =>
    admit(request, response, (admitted) => receiveBody(request, response, admitted));

  /** Refuses in the name of a connection, which is counted. */
  const refuseFor = (route: Route, request: IncomingMessage, response: ServerResponse, problem: Problem, headers?: string[]): void => {
    options.onRefused?.(route.connectionId, problem.code);
    refuse(request, response, problem, headers);
  };
  const deny = (route: Route, request: IncomingMessage, response: ServerResponse, denial: Denial): void =>
    refuseFor(
      route,
      request,
      response,
      denialProblem(denial),
      denial.status === 401 ? ['www-authenticate', route.authenticator?.challenge ?? ''] : ['retry-after', String(KEYS_RETRY_AFTER_S)],
    );
  /** Whether the connection takes one more now; else the request has been refused. */
  const passes = (route: Route, request: IncomingMessage, response: ServerResponse): boolean => {
    const waitMs = route.bucket?.take(performance.now()) ?? 0;
    if (waitMs > 0) refuseFor(route, request, response, problems.rateLimited, ['retry-after', seconds(waitMs, RETRY_AFTER_S)]);
    return waitMs === 0;
  };

  /** Everything that can be said before the body is read. Calls `then`, or the request has been refused. */
  const admit = (request: IncomingMessage, response: ServerResponse, then: (admitted: Admitted) => void): void => {
    const { rawHeaders } = request;
    const method = request.method as string;
    const socket = request.socket as HttpSocket;
    if (socket[responseOf]?.writableEnded !== false) socket[responseOf] = response;
    if (draining || routes === null) return refuse(request, response, problems.unavailable, ['retry-after', String(RETRY_AFTER_S)]);
    if (rawHeaders.length > HEADERS_MAX * 2) return refuse(request, response, problems.headersTooLarge);
    const target = request.url as string;
    const found = findRoute(routes, target);
    if (found === null) return refuse(request, response, problems.notFound);
    const { route } = found;
    const { limits: own, authenticator } = route;
    if (!route.methods.has(method)) return refuseFor(route, request, response, methodProblem(route.methods), ['allow', [...route.methods].join(', ')]);
    if (rawHeaders.length > own.headers * 2 || (own.headerBytes < HEADER_BYTES_MAX && bytesOf(rawHeaders) > own.headerBytes))
      return refuseFor(route, request, response, headersProblem(own));
    const headers = readHeaders(rawHeaders);
    // Two of them, or none: somebody between here and the sender may have understood another request (RFC 9112 §3.2).
    if (headers.hosts > 1 || (headers.hosts === 0 && request.httpVersion === '1.1')) {
      response.shouldKeepAlive = false;
      return refuseFor(route, request, response, problems.badRequest);
    }
    if (route.contentTypes !== null && !isTaken(route.contentTypes, headers.contentType)) return refuseFor(route, request, response, problems.contentType);
    if (authenticator !== null && authenticator.credentialHeaders.length > 0)
      headers.passed = headers.passed.filter(([name]) => !authenticator.credentialHeaders.includes(name));
    if (method !== 'POST') headers.passed.push(['vrsky-http-method', method]);
    if (found.suffix !== '') headers.passed.push(['vrsky-http-path', asText(found.suffix)]);
    if (found.query !== '') headers.passed.push(['vrsky-http-query', asText(found.query)]);

    const goOn = (denial: Denial | null): void => {
      if (denial !== null) return deny(route, request, response, denial);
      if (headers.contentLength > own.bodyBytes) return refuseFor(route, request, response, sizeProblem(own.bodyBytes));
      if (headers.contentEncoding !== '' && headers.contentEncoding !== 'identity') return refuseFor(route, request, response, problems.encoding);
      // A stranger must not use up what the sender may send: where the body decides who it is, this waits for it.
      if (authenticator?.afterBody === undefined && !passes(route, request, response)) return;
      then({ route, headers });
    };
    const denial = authenticator?.beforeBody?.(rawHeaders) ?? null;
    if (denial instanceof Promise)
      void denial.then((answer) => {
        if (!response.destroyed) goOn(answer);
      });
    else goOn(denial);
  };

  const receiveBody = (request: IncomingMessage, response: ServerResponse, { route, headers }: Admitted): void => {
    const { bodyBytes: bytesMax, bodyMs } = route.limits;
    if (bodyBytes + Math.max(0, headers.contentLength) > limits.bodyBytes)
      return refuse(request, response, problems.unavailable, ['retry-after', String(RETRY_AFTER_S)]);

    let first: Buffer | null = null;
    let more: Buffer[] | null = null;
    let length = 0;
    let over = false;
    const release = (): void => {
      over = true;
      bodyBytes -= length;
    };
    const entry: Receiving = {
      ...unlisted(),
      untilMs: performance.now() + bodyMs,
      cut() {
        release();
        refuseFor(route, request, response, problems.slowBody);
      },
    };
    if (bodyMs < limits.requestMs) receiving.add(entry);
    request.on('data', (chunk: Buffer) => {
      if (over) return;
      length += chunk.length;
      bodyBytes += chunk.length;
      if (first === null) first = chunk;
      else if (more === null) more = [first, chunk];
      else more.push(chunk);
      if (length <= bytesMax && bodyBytes <= limits.bodyBytes) return;
      release();
      receiving.delete(entry);
      if (length > bytesMax) refuseFor(route, request, response, sizeProblem(bytesMax));
      else refuse(request, response, problems.unavailable, ['retry-after', String(RETRY_AFTER_S)]);
    });
    request.on('end', () => {
      receiving.delete(entry);
      if (over) return;
      const payload = more !== null ? Buffer.concat(more, length) : (first ?? EMPTY);
      take(request, response, { route, headers }, payload, release);
    });
    // A sender that goes away in the middle has sent nothing; afterwards the answer goes nowhere.
    request.on('close', () => {
      receiving.delete(entry);
      if (!over && !request.complete) release();
    });
  };

  /** The whole request is here: what needs the body is looked at, and what passes is offered. */
  const take = (request: IncomingMessage, response: ServerResponse, { route, headers }: Admitted, payload: Buffer, release: () => void): void => {
    const { authenticator, seen, split } = route;
    const refuseTaken = (problem: Problem): void => {
      release();
      refuseFor(route, request, response, problem);
    };
    let key = '';
    if (authenticator?.afterBody !== undefined) {
      const denial = authenticator.afterBody(request.rawHeaders, payload, Date.now());
      if (denial !== null) {
        release();
        return deny(route, request, response, denial);
      }
      if (!passes(route, request, response)) return release();
      const echo = authenticator.echoOf?.(payload) ?? null;
      if (echo !== null) {
        release();
        response.writeHead(200, ['content-type', 'text/plain; charset=utf-8', 'content-length', String(Buffer.byteLength(echo))]);
        response.end(echo);
        return;
      }
    }
    let parts = [payload];
    try {
      if (seen !== null) {
        const id = route.idOf(request.rawHeaders, payload);
        if (id !== '') key = seen.keyOf(id);
      }
      if (split !== 'no') parts = split === 'lines' ? splitLines(payload, SPLIT_MAX) : splitArray(payload, SPLIT_MAX);
    } catch (error) {
      if (error instanceof Denied) return refuseTaken({ ...problems.badRequest, detail: error.message });
      if (error instanceof UnsplittableBody) return refuseTaken(splitProblem(error.message));
      throw error;
    }
    const entry: Waiting = { ...unlisted(), response, atMs: performance.now() };
    waiting.add(entry);
    gathering.heard(request.socket as HttpSocket);
    const isSplit = split !== 'no';
    const settle = (messageIds: readonly string[], refused: Receipt | null, duplicate: boolean): void => {
      if (!waiting.delete(entry)) return; // answered before: it took too long
      gathering.answered();
      if (draining) response.shouldKeepAlive = false;
      if (response.destroyed) return; // the sender did not wait
      if (refused !== null) answerRefused(response, refused);
      else if (route.replyWithinMs > 0) awaitResult(response, route, messageIds[0] as string, duplicate);
      else sendAccepted(response, route.answer, { messageIds, isSplit, duplicate });
    };
    if (key !== '') {
      const before = seen?.find(key, Date.now()) ?? null;
      if (before !== null) {
        release();
        if (before.state === 'stored') settle(before.messageIds, null, true);
        else before.onSettled.push((messageIds) => settle(messageIds ?? [], messageIds === null ? UNAVAILABLE : null, true));
        return;
      }
    }
    const handOver = (): void =>
      offer(parts, { route, headers }, (messageIds, refused) => {
        release();
        const awaited = refused === null && route.replyWithinMs > 0 ? (messageIds[0] as string) : null;
        if (awaited !== null) results.expect(awaited);
        const answer = (): void => {
          settle(messageIds, refused, false);
          if (awaited !== null) results.ready(awaited);
        };
        if (key === '' || seen === null) answer();
        else seen.settle(key, refused === null ? messageIds : null, Date.now(), answer);
      });
    // Who waits for the result waits for each hop.
    if (route.replyWithinMs > 0) handOver();
    else gathering.add(handOver);
  };

  /** The message is stored; its sender is answered when the result is there, and a repeat of it with the first one, if that is still to come. */
  const awaitResult = (response: ServerResponse, { connectionId }: Route, messageId: string, duplicate: boolean): void => {
    if (!draining && results.wait(connectionId, messageId, response)) return;
    if (duplicate) sendRepeat(response, messageId);
    else sendResult(response, messageId, pendingReply);
  };

  /** Offers all parts at once, so that they share a frame and a pack. Stored is what is stored whole: one part that is not refuses all. */
  const offer = (parts: readonly Buffer[], { route, headers }: Admitted, onReceipts: (messageIds: string[], refused: Receipt | null) => void): void => {
    const messageIds: string[] = [];
    let refused: Receipt | null = null;
    let open = parts.length;
    if (open === 0) return onReceipts(messageIds, null);
    const contentType = route.split === 'no' ? headers.contentType : 'application/json';
    for (const [i, payload] of parts.entries()) {
      options.intake.offer(
        {
          connectionId: route.connectionId,
          payload,
          contentType,
          headers: headers.passed,
          traceparent: headers.traceparent,
          tracestate: headers.tracestate,
          replyWithinMs: route.replyWithinMs,
        },
        (receipt) => {
          if (receipt.status === 'stored') messageIds[i] = receipt.messageId;
          else refused ??= receipt;
          if (--open === 0) onReceipts(messageIds, refused);
        },
        (reply) => results.settle(messageIds[i] as string, reply),
      );
    }
  };

  const expire = (): void => {
    const nowMs = performance.now();
    results.expire(nowMs);
    for (const entry of receiving) {
      if (entry.untilMs > nowMs) continue;
      receiving.delete(entry);
      entry.cut();
    }
    for (const entry of waiting) {
      if (entry.atMs > nowMs - limits.receiptMs) return;
      waiting.delete(entry);
      gathering.answered();
      if (!entry.response.destroyed) answerRefused(entry.response, UNAVAILABLE);
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
      requireHostHeader: false, // ours has a reason, and needs no object of all headers
    },
    onRequest,
  );
  server.maxConnections = limits.connections;
  server.maxHeadersCount = HEADERS_MAX + 1; // Node drops what is beyond without a word; one more lets us see it
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) =>
    admit(request, response, (admitted) => {
      response.writeContinue();
      receiveBody(request, response, admitted);
    }),
  );
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
    setRoutes(routeByPath) {
      routes = new Map([...routeByPath].map(([path, route]) => [`${PREFIX}${path}`, route]));
    },
    async drain() {
      draining = true;
      gathering.stop();
      const ended = closed();
      // What they wait for may take longer than we have; it is stored, and they are told so.
      results.settleAll(pendingReply);
      // Node does not count a connection as idle that never sent anything.
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      const sweep = setInterval(() => server.closeIdleConnections(), DRAIN_EVERY_MS);
      await ended;
      clearInterval(sweep);
    },
    async close() {
      clearInterval(expiry);
      gathering.stop();
      const ended = closed();
      server.closeAllConnections();
      await ended;
    },
  };
}

const EMPTY = Buffer.alloc(0);

const UNAVAILABLE: Receipt = { status: 'unavailable', messageId: '', retryAfterMs: 0 };

/** What a request target leads to, with what stands behind the path and behind the question mark. */
function findRoute(routes: ReadonlyMap<string, Route>, target: string): { route: Route; suffix: string; query: string } | null {
  const direct = routes.get(target);
  if (direct !== undefined) return { route: direct, suffix: '', query: '' };
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : target.slice(mark + 1);
  const slash = path.startsWith(PREFIX) ? path.indexOf('/', PREFIX.length) : -1;
  const route = routes.get(slash < 0 ? path : path.slice(0, slash));
  if (route === undefined || (slash >= 0 && !route.subpaths)) return null;
  return { route, suffix: slash < 0 ? '' : path.slice(slash), query };
}

/** A target may have bytes that no header of ours may: they become what a URL writes for them. */
function asText(target: string): string {
  return target.replace(/[^\x21-\x7e]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

/** As they came over the line: names, values, and four characters around each pair. */
function bytesOf(rawHeaders: readonly string[]): number {
  return rawHeaders.reduce((sum, text) => sum + text.length + 2, 0);
}

function answerRefused(response: ServerResponse, receipt: Receipt): void {
  switch (receipt.status) {
    case 'stored':
      throw new Error('bug: what is stored is not refused');
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
function refuse(request: IncomingMessage, response: ServerResponse, problem: Problem, headers: string[] = []): void {
  if (request.complete || isWithoutBody(request)) {
    request.resume();
    sendProblem(response, problem, headers);
    return;
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
