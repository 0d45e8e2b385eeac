import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { backoff } from '@vrsky/kernel/backoff';
import { parseAckSubject } from './ack-subject.ts';
import { unavailable } from './bus-error.ts';
import { isUp, newInbox, onConnectionChange } from './connect.ts';

/** A pack in the hand of its worker; it comes again when it is neither acknowledged nor kept alive with `working`. */
export interface StoredPack {
  readonly subject: string;
  readonly seq: number;
  /** 1 at the first delivery. */
  readonly deliveryCount: number;
  readonly storedAtMs: number;
  /** Empty when there is none. */
  header(name: string): string;
  readonly data: Uint8Array;
  /** Done for good. While NATS is away the answer is kept and sent when it is back. */
  ack(): void;
  /** Again, after `delayMs`. */
  nak(delayMs?: number): void;
  /** Starts the server's waiting time anew. */
  working(): void;
}

export interface PackConsumer {
  /** Stops pulling; packs on the way go back to the server, packs in hand stay with the caller, who may still settle them. */
  stop(): Promise<void>;
  /** Resolves after `stop`; rejects when the connection was closed under it. */
  readonly done: Promise<void>;
}

export interface ConsumeOptions {
  stream: string;
  consumer: string;
  /**
   * Packs asked for and in hand together never exceed this: settle one to get another. Entries on the retry lane that are not
   * due yet go back to the server by themselves and take no place. As a function it is asked before each pull, for a caller whose
   * packs are of very different sizes.
   */
  maxPacks: number | (() => number);
  onPack(pack: StoredPack): void;
  /** A trouble the consumer will get over by itself; it goes on. */
  onError(error: unknown): void;
}

const EXPIRES_MS = 30_000;
const HEARTBEAT_MS = 5_000;
/** Two heartbeats and a bit: the server has forgotten our request, or is gone without a word. */
const SILENCE_MS = 12_000;
const RETRY = { initialMs: 100, maxMs: 5_000 };

/**
 * Pulls packs as long as there is room for them. A pull lives in the server's memory only, so it is repeated after every reconnect,
 * and when the server has been silent for too long.
 */
export function consumePacks(nc: NatsConnection, options: ConsumeOptions): PackConsumer {
  const maxPacks = typeof options.maxPacks === 'number' ? () => options.maxPacks as number : options.maxPacks;
  const inbox = newInbox(nc);
  const pullSubject = `$JS.API.CONSUMER.MSG.NEXT.${options.stream}.${options.consumer}`;
  const retry = backoff(RETRY);
  const unsent: [reply: string, answer: string][] = [];
  const done = Promise.withResolvers<void>();
  let state: 'pulling' | 'stopped' = 'pulling';
  /** Asked for and not yet here. */
  let asked = 0;
  let inHand = 0;
  /** Answers to pulls of an earlier round say nothing about the current ones. */
  let round = 0;
  let heardMs = performance.now();
  let retryTimer: NodeJS.Timeout | undefined;

  const pull = (): void => {
    const most = maxPacks();
    const room = most - asked - inHand;
    // While a good part is still to come, a pull for every settled pack would be mere traffic.
    if (state === 'stopped' || retryTimer !== undefined || !isUp(nc) || room <= 0 || (asked > 0 && room < most / 4)) return;
    if (asked === 0) heardMs = performance.now();
    asked += room;
    nc.publish(pullSubject, JSON.stringify({ batch: room, expires: EXPIRES_MS * 1_000_000, idle_heartbeat: HEARTBEAT_MS * 1_000_000 }), {
      reply: `${inbox}.${round}`,
    });
  };
  const startRound = (): void => {
    round++;
    asked = 0;
    pull();
  };
  const retryLater = (error: unknown): void => {
    if (state === 'stopped' || retryTimer !== undefined) return;
    options.onError(error);
    round++;
    asked = 0;
    retryTimer = setTimeout(() => {
      retryTimer = undefined;
      pull();
    }, retry.nextMs());
  };
  const answer = (reply: string, text: string): void => {
    if (nc.isClosed()) return; // the server will deliver the pack again
    if (isUp(nc)) nc.publish(reply, text);
    else unsent.push([reply, text]);
  };
  const settle = (reply: string, text: string): void => {
    answer(reply, text);
    inHand--;
    pull();
    forgetWhenOver();
  };
  const onStatus = (message: Msg): void => {
    if (message.subject !== `${inbox}.${round}`) return;
    const code = message.headers?.code ?? 0;
    if (code === 100) return; // heartbeat
    if (code === 408 || code === 404) {
      // The pull has run out; what it still had open says the header.
      asked = Math.max(0, asked - Number(message.headers?.get('Nats-Pending-Messages') || asked));
      return pull();
    }
    retryLater(
      unavailable(
        `pull from ${options.stream}/${options.consumer}: ${code === 503 ? 'there is no such consumer, or JetStream is not up' : `${message.headers?.description ?? ''} (${code})`}`,
      ),
    );
  };

  const subscription = nc.subscribe(`${inbox}.*`, {
    callback: (error, message) => {
      if (error) return done.reject(unavailable(`consume ${options.stream}/${options.consumer}`, error));
      heardMs = performance.now();
      if (!message.reply) return onStatus(message);
      if (state === 'stopped') return answer(message.reply, '-NAK');
      retry.reset();
      if (asked > 0) asked--;
      const earlyMs = notDueForMs(message);
      if (earlyMs > 0) {
        answer(message.reply, nakText(earlyMs));
        return pull();
      }
      inHand++;
      options.onPack(toPack(message, { settle, answer }));
      pull();
    },
  });
  const forget = onConnectionChange(nc, {
    up: () => {
      for (const [reply, text] of unsent.splice(0)) nc.publish(reply, text);
      startRound();
      forgetWhenOver();
    },
    closed: () => done.reject(unavailable(`consume ${options.stream}/${options.consumer}: the connection to NATS was closed`)),
  });
  const watchdog = setInterval(() => {
    if (isUp(nc) && asked > 0 && performance.now() - heardMs > SILENCE_MS)
      retryLater(unavailable(`pull from ${options.stream}/${options.consumer}: the server has been silent for ${SILENCE_MS} ms`));
  }, HEARTBEAT_MS);
  const end = (): void => {
    clearInterval(watchdog);
    clearTimeout(retryTimer);
  };
  /** Packs may still be in hand after `stop`, and their answers have to outlive a reconnect. */
  function forgetWhenOver(): void {
    if (state === 'stopped' && inHand === 0 && unsent.length === 0) forget();
  }
  done.promise.catch(end);
  pull();

  return {
    done: done.promise,
    async stop() {
      if (state === 'stopped') return;
      state = 'stopped';
      end();
      // Draining, not unsubscribing: what is on the way arrives and is handed back, instead of waiting for its ack_wait.
      if (!nc.isClosed() && isUp(nc)) await subscription.drain();
      else subscription.unsubscribe();
      done.resolve();
      forgetWhenOver();
    },
  };
}

/** How long an entry on the retry lane still has to wait. */
function notDueForMs(message: Msg): number {
  const notBefore = message.headers?.get(packHeaders.notBefore);
  return notBefore ? Number(notBefore) - Date.now() : 0;
}

function nakText(delayMs: number): string {
  return delayMs > 0 ? `-NAK {"delay": ${Math.round(delayMs * 1_000_000)}}` : '-NAK';
}

interface Answers {
  /** The pack is out of hand. */
  settle(reply: string, text: string): void;
  answer(reply: string, text: string): void;
}

function toPack(message: Msg, { settle, answer }: Answers): StoredPack {
  const reply = message.reply ?? '';
  const { deliveryCount, seq, storedAtMs } = parseAckSubject(reply);
  let isSettled = false;
  const once = (text: string): void => {
    if (isSettled) return;
    isSettled = true;
    settle(reply, text);
  };
  return {
    subject: message.subject,
    seq,
    deliveryCount,
    storedAtMs,
    data: message.data,
    header: (name) => message.headers?.get(name) ?? '',
    ack: () => once('+ACK'),
    nak: (delayMs = 0) => once(nakText(delayMs)),
    working: () => {
      if (!isSettled) answer(reply, '+WPI');
    },
  };
}
