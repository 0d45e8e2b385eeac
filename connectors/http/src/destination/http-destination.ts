import type { Delivery, DeliveryResult } from '@vrsky/sdk/connector';
import type { buildConnector, Client, Dispatcher } from 'undici';
import { createLanes, type Lane } from './lanes.ts';
import { answerOutcome, DeliveryTimeout, failureOutcome } from './outcome.ts';
import { requestHeaders, type Target } from './request.ts';

/** Requests out: one per message, with exactly one result each. */
export interface HttpDestination {
  /** Replaces all targets. */
  setTargets(targetByConnectionId: ReadonlyMap<string, Target>): void;
  send(delivery: Delivery, done: (result: DeliveryResult) => void): void;
  close(): Promise<void>;
}

export interface HttpDestinationOptions {
  connect: buildConnector.connector;
  originsMax?: number;
  /** To one origin. */
  connectionsMax?: number;
}

const ORIGINS_MAX = 256;
const CONNECTIONS_MAX = 64;
const ANSWER_BYTES_MAX = 1_024;
/** An answer longer than this is not read to its end: the connection is given up instead. */
const READ_BYTES_MAX = 262_144;
const EMPTY = new Uint8Array(0);

export function createHttpDestination(options: HttpDestinationOptions): HttpDestination {
  const lanes = createLanes({
    connect: options.connect,
    originsMax: options.originsMax ?? ORIGINS_MAX,
    connectionsMax: options.connectionsMax ?? CONNECTIONS_MAX,
  });
  let targets: ReadonlyMap<string, Target> = new Map();
  return {
    setTargets(targetByConnectionId) {
      targets = targetByConnectionId;
    },
    send(delivery, done) {
      const target = targets.get(delivery.connectionId);
      if (target === undefined)
        return done({ status: 'retryable', source: 'plugin', code: 'not_configured', reason: 'This destination is not set up on the node yet.' });
      const lane = lanes.find(target.origin);
      if (lane === null)
        return done({ status: 'retryable', source: 'plugin', code: 'too_many_receivers', reason: 'The node sends to too many receivers at the same time.' });
      lane.acquire((client) => {
        new Exchange(lane, client, target, done).start(delivery);
      });
    },
    close: lanes.close,
  };
}

/** One request and its answer. A class, because a client calls its methods for thousands of these a second. */
class Exchange implements Dispatcher.DispatchHandler {
  private readonly lane: Lane;
  private readonly client: Client;
  private readonly target: Target;
  private readonly done: (result: DeliveryResult) => void;
  private readonly startedAtUs = Date.now() * 1_000;
  private readonly startedMs = performance.now();
  private timer: NodeJS.Timeout | undefined;
  private controller: Dispatcher.DispatchController | null = null;
  private timedOut = false;
  private settled = false;
  private status = 0;
  private retryAfter: string | undefined;
  private answer: Uint8Array = EMPTY;
  private read = 0;

  constructor(lane: Lane, client: Client, target: Target, done: (result: DeliveryResult) => void) {
    this.lane = lane;
    this.client = client;
    this.target = target;
    this.done = done;
  }

  start(delivery: Delivery): void {
    this.timer = setTimeout(onTimeout, this.target.timeoutMs, this);
    const { path, method } = this.target;
    this.client.dispatch({ path, method, headers: requestHeaders(this.target, delivery), body: delivery.payload.length === 0 ? null : delivery.payload }, this);
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
    const retryAfter = headers['retry-after'];
    if (retryAfter !== undefined) this.retryAfter = Array.isArray(retryAfter) ? retryAfter[0] : retryAfter;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.read < ANSWER_BYTES_MAX) {
      const part = chunk.subarray(0, ANSWER_BYTES_MAX - this.read);
      this.answer = this.answer.length === 0 ? part : Buffer.concat([this.answer, part]);
    }
    this.read += chunk.length;
    if (this.read > READ_BYTES_MAX) controller.abort(new Error('the answer is longer than we read'));
  }

  onResponseEnd(): void {
    this.settle(null);
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.settle(error);
  }

  /** The connection stays ours until the client is done with the request; only the message gets its result now. */
  private settleEarly(): void {
    this.settled = true;
    this.done(this.result(new DeliveryTimeout()));
  }

  private settle(error: Error | null): void {
    clearTimeout(this.timer);
    // First: who asks for the next message finds the connection free.
    this.lane.release(this.client);
    if (this.settled) return;
    this.settled = true;
    this.done(this.result(error));
  }

  private result(error: Error | null): DeliveryResult {
    // A status says what the receiver made of the message, even if the rest of its answer never comes.
    const result =
      this.status > 0
        ? answerOutcome({ status: this.status, retryAfter: this.retryAfter, body: this.answer })
        : failureOutcome(error, this.target.host, this.target.timeoutMs);
    result.startedAtUs = this.startedAtUs;
    result.durationUs = Math.round((performance.now() - this.startedMs) * 1_000);
    return result;
  }
}

function onTimeout(exchange: Exchange): void {
  exchange.giveUp();
}
