import type { Delivery, DeliveryResult } from '@vrsky/sdk/connector';
import type { buildConnector, Client, Dispatcher } from 'undici';
import { AnswerBody, type WholeAnswer } from './answer.ts';
import { type AnswerRoom, createAnswerRoom } from './answer-room.ts';
import type { Way } from './egress.ts';
import { createLanes, type Lane, type Lanes } from './lanes.ts';
import { answerLost, answerOutcome, answerUnreadable, DeliveryTimeout, failureOutcome, RedirectRefused } from './outcome.ts';
import { compressRequest, makeRequest, type OutgoingRequest } from './request.ts';
import type { Target } from './target.ts';

/** Requests out: one per message, with exactly one result each. */
export interface HttpDestination {
  /** Replaces all targets. One that is as before goes on with what it knows: its token, its pace, that its receiver is gone. */
  setTargets(targetByConnectionId: ReadonlyMap<string, Target>): void;
  send(delivery: Delivery, done: (result: DeliveryResult) => void): void;
  close(): Promise<void>;
}

export interface HttpDestinationOptions {
  /** How connections are made. */
  egress(way: Way): buildConnector.connector;
  originsMax?: number;
  /** To one origin. */
  connectionsMax?: number;
  answerRoom?: AnswerRoom;
}

const ORIGINS_MAX = 256;
const CONNECTIONS_MAX = 64;
/** An answer longer than this is not read to its end unless it goes on: the connection is given up instead. */
const READ_BYTES_MAX = 262_144;
/** So much of each answer is read at once; one that goes on and is longer waits for its room. */
const READ_AT_ONCE_BYTES = 16_384;

export function createHttpDestination(options: HttpDestinationOptions): HttpDestination {
  const lanes = createLanes({
    egress: options.egress,
    originsMax: options.originsMax ?? ORIGINS_MAX,
    connectionsMax: options.connectionsMax ?? CONNECTIONS_MAX,
  });
  const answerRoom = options.answerRoom ?? createAnswerRoom();
  let targets: ReadonlyMap<string, Target> = new Map();

  const exchange = (target: Target, delivery: Delivery, done: (result: DeliveryResult) => void): void => {
    const lane = lanes.find(target.plan.origin, target.way);
    if (lane === null) return done(TOO_MANY_RECEIVERS);
    lane.acquire((client) => new Exchange({ lanes, answerRoom, lane, client, target, delivery, done }).start());
  };
  return {
    setTargets(targetByConnectionId) {
      targets = new Map(
        [...targetByConnectionId].map(([id, target]) => {
          const before = targets.get(id);
          return [id, before !== undefined && before.fingerprint === target.fingerprint ? before : target];
        }),
      );
    },
    send(delivery, done) {
      const target = targets.get(delivery.connectionId);
      if (target === undefined)
        return done({ status: 'retryable', source: 'plugin', code: 'not_configured', reason: 'This destination is not set up on the node yet.' });
      if (target.isStopped) return done(stopped(target.host));
      const { pace } = target;
      if (pace === null) return exchange(target, delivery, done);
      pace.acquire(() => {
        const ended = (result: DeliveryResult): void => {
          pace.release();
          done(result);
        };
        if (target.isStopped) queueMicrotask(() => ended(stopped(target.host)));
        else exchange(target, delivery, ended);
      });
    },
    close: lanes.close,
  };
}

const TOO_MANY_RECEIVERS: DeliveryResult = {
  status: 'retryable',
  source: 'plugin',
  code: 'too_many_receivers',
  reason: 'The node sends to too many receivers at the same time.',
};

function stopped(host: string): DeliveryResult {
  return {
    status: 'permanent',
    source: 'downstream',
    code: 'receiver_gone',
    reason: `Nothing was sent: ${host} answered 410 to an earlier message, that it is gone for good, which stopped this destination. Correct its URL, or pause and resume the pipeline when the receiver is back.`,
  };
}

interface ExchangeParts {
  lanes: Lanes;
  answerRoom: AnswerRoom;
  lane: Lane;
  client: Client;
  target: Target;
  delivery: Delivery;
  done: (result: DeliveryResult) => void;
}

/** One message and the answer to it, with what lies between: a redirect, a new token. A class, because a client calls its methods for thousands of these a second. */
class Exchange implements Dispatcher.DispatchHandler {
  private readonly lanes: Lanes;
  private readonly answerRoom: AnswerRoom;
  private lane: Lane | null;
  private client: Client | null;
  private readonly target: Target;
  private readonly delivery: Delivery;
  private readonly done: (result: DeliveryResult) => void;
  private readonly startedAtUs = Date.now() * 1_000;
  private readonly startedMs = performance.now();
  private timer: NodeJS.Timeout | undefined;
  private controller: Dispatcher.DispatchController | null = null;
  private timedOut = false;
  private settled = false;
  /** Without what the authentication adds. */
  private request: OutgoingRequest | null = null;
  private sent: OutgoingRequest | null = null;
  private redirects = 0;
  private isRenewed = false;
  private status = 0;
  private retryAfter: string | undefined;
  private encoding: string | undefined;
  private location: string | undefined;
  private contentType: string | undefined;
  private answer: AnswerBody;
  private read = 0;
  /** Of an answer that has its room or waits for it. */
  private giveRoom: (() => void) | null = null;

  constructor({ lanes, answerRoom, lane, client, target, delivery, done }: ExchangeParts) {
    this.lanes = lanes;
    this.answerRoom = answerRoom;
    this.lane = lane;
    this.client = client;
    this.target = target;
    this.delivery = delivery;
    this.done = done;
    this.answer = new AnswerBody(target.answerBytesMax);
  }

  start(): void {
    this.timer = setTimeout(onTimeout, this.target.timeoutMs, this);
    const { plan, authentication } = this.target;
    try {
      this.request = makeRequest(plan, this.delivery);
    } catch (error) {
      // Not at once: a thousand messages that fail like this would be a thousand calls deep.
      queueMicrotask(() => this.settle(error));
      return;
    }
    if (plan.compress) {
      compressRequest(this.request).then(
        (request) => {
          this.request = request;
          this.authenticate();
        },
        (error) => this.settle(error),
      );
    } else if (authentication === null) this.dispatch(this.request);
    else this.authenticate();
  }

  /** Sends the request with its authentication; what is sent to another origin has none. */
  private authenticate(): void {
    const base = this.request as OutgoingRequest;
    const { authentication, plan } = this.target;
    const request = { ...base, headers: [...base.headers] };
    if (authentication === null || base.origin !== plan.origin) return this.dispatch(request);
    let applied: void | Promise<void>;
    try {
      applied = authentication.apply(request);
    } catch (error) {
      queueMicrotask(() => this.settle(error));
      return;
    }
    if (applied === undefined) return this.dispatch(request);
    applied.then(
      () => this.dispatch(request),
      (error) => this.settle(error),
    );
  }

  private dispatch(request: OutgoingRequest): void {
    if (this.timedOut) return this.settle(new DeliveryTimeout());
    this.sent = request;
    const { path, method, headers, body } = request;
    const { headersMs: headersTimeout, bodyMs: bodyTimeout } = this.target;
    (this.client as Client).dispatch({ path, method: method as Dispatcher.HttpMethod, headers, body, headersTimeout, bodyTimeout }, this);
  }

  /** Covers connecting, sending and the whole answer. */
  giveUp(): void {
    this.timedOut = true;
    if (this.controller !== null) this.controller.abort(new DeliveryTimeout());
    else this.settleEarly(); // still connecting: there is nothing to abort yet
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.timedOut) controller.abort(new DeliveryTimeout());
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[] | undefined>): void {
    if (status < 200) return; // informational: the answer is yet to come
    this.status = status;
    this.retryAfter = first(headers['retry-after']);
    this.encoding = first(headers['content-encoding']);
    this.location = first(headers.location);
    this.contentType = first(headers['content-type']);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.answer.add(chunk);
    this.read += chunk.length;
    const { answerBytesMax } = this.target;
    if (this.read > Math.max(READ_BYTES_MAX, this.answer.readMax)) controller.abort(new Error('the answer is longer than we read'));
    else if (answerBytesMax > READ_AT_ONCE_BYTES && this.read > READ_AT_ONCE_BYTES && this.giveRoom === null) this.askForRoom(controller);
  }

  /** The receiver waits meanwhile, within the time of the whole request. */
  private askForRoom(controller: Dispatcher.DispatchController): void {
    let isThere = false;
    this.giveRoom = this.answerRoom.ask(this.delivery.customerId, this.target.answerBytesMax, () => {
      isThere = true;
      // Not in here: another request's parser may be at work below us, and undici runs one at a time.
      queueMicrotask(() => controller.resume());
    });
    if (!isThere) controller.pause();
  }

  private leaveRoom(): void {
    this.giveRoom?.();
    this.giveRoom = null;
  }

  onResponseEnd(): void {
    this.end(null);
  }

  /** Not at once: a client that could not connect fails when it gets the next request while it still ends this one. */
  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.controller = null;
    queueMicrotask(() => this.end(error));
  }

  private end(error: Error | null): void {
    this.controller = null;
    if (this.timedOut || this.settled) return this.settle(error);
    try {
      if (this.goesOn()) return;
    } catch (refusal) {
      return this.settle(refusal);
    }
    this.settle(error);
  }

  /** Whether the answer only asks for another request, which is then under way. */
  private goesOn(): boolean {
    const { status, target } = this;
    if (status === 401 && !this.isRenewed && target.authentication?.renew(this.sent as OutgoingRequest) === true) {
      this.isRenewed = true;
      this.forgetAnswer();
      this.authenticate();
      return true;
    }
    if ((status !== 307 && status !== 308) || target.redirects.max === 0) return false;
    this.follow();
    return true;
  }

  private follow(): void {
    const { target } = this;
    const request = this.request as OutgoingRequest;
    const url = this.location === undefined ? null : URL.parse(this.location, `${request.origin}${request.path}`);
    if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.username !== '' || url.password !== '')
      throw this.refused(`The receiver answered ${this.status}, a redirect, without an address that can be followed.`);
    if (++this.redirects > target.redirects.max) throw this.refused(`The receiver redirected more than ${target.redirects.max} times.`);
    if (!target.redirects.origins.has(url.origin))
      throw this.refused(`The receiver redirected to ${url.host.slice(0, 255)}, which is not among the origins to which this destination follows.`);
    if (request.origin.startsWith('https:') && url.protocol === 'http:')
      throw this.refused('The receiver redirected from https to http, which nobody can be trusted with.');
    const isForeign = url.origin !== target.plan.origin;
    this.request = {
      ...request,
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      headers: isForeign ? withoutOwn(request.headers, target) : request.headers,
    };
    this.forgetAnswer();
    if (url.origin === request.origin) return this.authenticate();
    this.releaseLane();
    const lane = this.lanes.find(url.origin, isForeign ? target.foreignWay : target.way);
    if (lane === null) return this.settleWith(TOO_MANY_RECEIVERS);
    lane.acquire((client) => {
      this.lane = lane;
      this.client = client;
      this.authenticate();
    });
  }

  private refused(reason: string): RedirectRefused {
    this.status = 0;
    return new RedirectRefused(reason);
  }

  private forgetAnswer(): void {
    this.status = 0;
    this.retryAfter = this.encoding = this.location = this.contentType = undefined;
    this.answer = new AnswerBody(this.target.answerBytesMax);
    this.read = 0;
    this.leaveRoom();
  }

  private releaseLane(): void {
    const { lane, client } = this;
    this.lane = this.client = null;
    if (lane !== null && client !== null) lane.release(client);
  }

  /** The connection stays ours until the client is done with the request; only the message gets its result now. */
  private settleEarly(): void {
    this.settled = true;
    this.done(this.result(new DeliveryTimeout()));
  }

  private settle(error: unknown): void {
    clearTimeout(this.timer);
    // First: who asks for the next message finds the connection free.
    this.releaseLane();
    if (!this.settled) {
      this.settled = true;
      this.done(this.result(error));
    }
    this.leaveRoom();
  }

  private settleWith(result: DeliveryResult): void {
    clearTimeout(this.timer);
    if (this.settled) return;
    this.settled = true;
    this.done(result);
  }

  private result(error: unknown): DeliveryResult {
    const { target } = this;
    // A status says what the receiver made of the message, even if the rest of its answer never comes.
    const result = this.status > 0 ? this.answered(error) : failureOutcome(error, this.host(), target.timeoutMs);
    result.startedAtUs = this.startedAtUs;
    result.durationUs = Math.round((performance.now() - this.startedMs) * 1_000);
    return result;
  }

  /** Which a redirect may have changed. */
  private host(): string {
    const { request, target } = this;
    return request === null || request.origin === target.plan.origin ? target.host : new URL(request.origin).host;
  }

  private answered(error: unknown): DeliveryResult {
    const { target, status, retryAfter, encoding } = this;
    if (status === 410 && !target.rules.retries(status)) target.isStopped = true;
    const sensitive = target.authentication?.sensitive() ?? [];
    const whole = target.answerBytesMax === 0 ? null : this.wholeAnswer(error, sensitive);
    const body = whole?.kind === 'whole' ? whole.bytes : this.answer.start(encoding, sensitive);
    const isCut = whole !== null && whole.kind !== 'whole';
    const answer = { status, retryAfter, body, contentType: this.contentType, isCut };
    const isNeeded = status >= 200 && status < 300 && !target.answerOptional;
    if (isNeeded && whole?.kind === 'lost') return answerLost(answer, this.host());
    if (isNeeded && whole?.kind === 'unreadable') return answerUnreadable(answer);
    return answerOutcome(answer, Date.now(), target.rules);
  }

  /** `lost`: its end never came. */
  private wholeAnswer(error: unknown, sensitive: readonly string[]): WholeAnswer | { kind: 'lost' } {
    const whole = this.answer.whole(this.encoding, sensitive);
    return error === null || whole.kind === 'too_long' ? whole : { kind: 'lost' };
  }
}

function onTimeout(exchange: Exchange): void {
  exchange.giveUp();
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** What the customer added is for the receiver of the URL. */
function withoutOwn(headers: readonly string[], { ownHeaders }: Target): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!ownHeaders.has((headers[i] as string).toLowerCase())) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept;
}
