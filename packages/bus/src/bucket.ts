import { randomBytes } from 'node:crypto';
import { type Msg, type NatsConnection, headers as newHeaders } from '@nats-io/transport-node';
import { backoff } from '@vrsky/kernel/backoff';
import { AppError } from '@vrsky/kernel/errors';
import { aborted, sleep } from '@vrsky/kernel/lifecycle';
import { parseAckSubject } from './ack-subject.ts';
import { refusedByJetStream, toBusError, unavailable } from './bus-error.ts';
import { ask, isUp, newInbox, onConnectionChange } from './connect.ts';
import { getLastStored } from './stored.ts';
import { bucketStream, bucketSubject } from './stream-configs.ts';

export interface BucketEntry {
  key: string;
  /** null: the key was deleted. */
  value: string | null;
  revision: number;
}

export interface WatchOptions {
  /** Called each time all values that existed when the watch (re)started have been handed over. */
  onCurrent?(): void;
  /** A trouble the watch will get over by itself. */
  onError?(error: unknown): void;
}

/** A key-value bucket: a stream that keeps the last message of every subject. */
export interface Bucket {
  get(key: string): Promise<{ value: string; revision: number } | null>;
  /** Resolves with the new revision. With `expectedRevision` (0: not there yet) it throws `BUS.CONFLICT` when another one is there. */
  put(key: string, value: string, options?: { expectedRevision?: number }): Promise<number>;
  delete(key: string): Promise<void>;
  /**
   * Hands over every key under `filter` (`pool.a.>`), now and whenever it changes, until `stop` aborts. Starts anew by itself after
   * a reconnect, a server restart, a gap, and when the bucket was deleted and made again; the current values then come once
   * more, so `onEntry` must bear repeats. It is a hint of change, not a proof of none: whoever must not miss one polls as well.
   */
  watch(filter: string, onEntry: (entry: BucketEntry) => void, stop: AbortSignal, options?: WatchOptions): Promise<void>;
}

const TIMEOUT_MS = 5_000;
const HEARTBEAT_MS = 2_000;
/** A watch that heard nothing for this long has lost its consumer, or its bucket. */
const SILENCE_MS = 5_500;
/** The server removes the consumer of a watch that is gone after this long. */
const FORGET_MS = 30_000;
const RETRY = { initialMs: 100, maxMs: 5_000 };
const OPERATION = 'KV-Operation';

/** `writeSubject`: where a key is written, when that is not where it is read. */
export function createBucket(nc: NatsConnection, name: string, writeSubject = (key: string) => bucketSubject(name, key)): Bucket {
  const stream = bucketStream(name);
  const write = async (key: string, value: string, headers: Record<string, string>): Promise<number> => {
    const doing = `write ${key} to bucket ${name}`;
    if (!isUp(nc)) throw unavailable(`${doing}: NATS is not connected`);
    const sent = newHeaders();
    for (const [header, text] of Object.entries(headers)) sent.set(header, text);
    const answer = await nc.request(writeSubject(key), value, { timeout: TIMEOUT_MS, headers: sent }).catch((error: unknown) => {
      // Without the client's text and without the cause: both name the subject, which may be secret.
      const { code, kind } = toBusError(doing, error);
      throw new AppError({ code, kind, message: `${doing}: ${kind === 'forbidden' ? 'not allowed' : 'no answer from the NATS server'}`, retryAfterMs: 1_000 });
    });
    const { seq, error } = answer.json<{ seq?: number; error?: { err_code: number; description: string } }>();
    if (error) throw refusedByJetStream(doing, error.err_code, error.description);
    return seq ?? 0;
  };
  return {
    async get(key) {
      const stored = await getLastStored(nc, stream, bucketSubject(name, key));
      if (stored === null || stored.headers[OPERATION] !== undefined) return null;
      return { value: Buffer.from(stored.data).toString('utf8'), revision: stored.seq };
    },
    put: (key, value, { expectedRevision } = {}) =>
      write(key, value, expectedRevision === undefined ? {} : { 'Nats-Expected-Last-Subject-Sequence': String(expectedRevision) }),
    async delete(key) {
      await write(key, '', { [OPERATION]: 'DEL' });
    },
    async watch(filter, onEntry, stop, options = {}) {
      const retry = backoff(RETRY);
      while (!stop.aborted) {
        try {
          await watchOnce(nc, name, filter, onEntry, stop, () => {
            retry.reset();
            options.onCurrent?.();
          });
        } catch (error) {
          if (stop.aborted) return;
          options.onError?.(error);
        }
        await sleep(retry.nextMs(), stop);
      }
    },
  };
}

/** One consumer's life: resolves when `stop` aborts, rejects when it may have missed something. */
async function watchOnce(
  nc: NatsConnection,
  name: string,
  filter: string,
  onEntry: (entry: BucketEntry) => void,
  stop: AbortSignal,
  onCurrent: () => void,
): Promise<void> {
  const what = `watch ${filter} in bucket ${name}`;
  const lost = Promise.withResolvers<never>();
  const lose = (why: string): void => lost.reject(unavailable(`${what}: ${why}`));
  // Rejected while the request below is still under way, nobody else has it in hand yet.
  lost.promise.catch(() => {});
  const keyAt = bucketSubject(name, '').length;
  let heardMs = performance.now();
  let seen = 0;
  let isCurrent = false;
  const nowCurrent = (): void => {
    if (isCurrent) return;
    isCurrent = true;
    onCurrent();
  };

  const onMessage = (message: Msg): void => {
    heardMs = performance.now();
    if (message.headers?.code === 100) return onStatus(message);
    const delivery = parseAckSubject(message.reply ?? '');
    if (delivery.consumerSeq !== seen + 1) return lose('a message was lost on the way');
    seen++;
    const isDeleted = message.headers?.has(OPERATION) ?? false;
    onEntry({ key: message.subject.slice(keyAt), value: isDeleted ? null : message.string(), revision: delivery.seq });
    if (delivery.pending === 0) nowCurrent();
  };
  const onStatus = (message: Msg): void => {
    // Flow control: the server goes on sending once we say that we have read this far.
    const asks = message.reply || message.headers?.get('Nats-Consumer-Stalled');
    if (asks) nc.publish(asks);
    const sent = message.headers?.get('Nats-Last-Consumer');
    if (sent && Number(sent) > seen) lose('a message was lost on the way');
  };

  const inbox = newInbox(nc);
  const subscription = nc.subscribe(inbox, { callback: (error, message) => (error ? lose(error.message) : onMessage(message)) });
  const forget = onConnectionChange(nc, { down: () => lose('the connection to NATS broke'), closed: () => lose('the connection to NATS was closed') });
  const watchdog = setInterval(() => {
    if (performance.now() - heardMs > SILENCE_MS) lose('the server has been silent: its consumer or the bucket is gone');
  }, HEARTBEAT_MS / 4);
  try {
    const pending = await createWatcher(nc, name, filter, inbox);
    if (pending === 0 && seen === 0) nowCurrent();
    await Promise.race([aborted(stop), lost.promise]);
  } finally {
    clearInterval(watchdog);
    forget();
    if (!nc.isClosed()) subscription.unsubscribe();
  }
}

/** Asks for an ephemeral consumer whose filter is in the request's subject, where the server checks it against our permissions. */
async function createWatcher(nc: NatsConnection, bucket: string, filter: string, inbox: string): Promise<number> {
  const stream = bucketStream(bucket);
  const name = `w_${randomBytes(9).toString('hex')}`;
  const subject = bucketSubject(bucket, filter);
  const config = {
    name,
    deliver_subject: inbox,
    filter_subject: subject,
    deliver_policy: 'last_per_subject',
    ack_policy: 'none',
    max_deliver: 1,
    replay_policy: 'instant',
    flow_control: true,
    idle_heartbeat: HEARTBEAT_MS * 1_000_000,
    inactive_threshold: FORGET_MS * 1_000_000,
    mem_storage: true,
    num_replicas: 1,
  };
  const answer = await ask(
    nc,
    `$JS.API.CONSUMER.CREATE.${stream}.${name}.${subject}`,
    JSON.stringify({ stream_name: stream, config, action: 'create' }),
    TIMEOUT_MS,
  );
  const {
    num_pending,
    error,
    config: made,
  } = JSON.parse(answer.text) as { num_pending?: number; error?: { err_code: number; description: string }; config?: { filter_subject?: string } };
  if (error) throw refusedByJetStream(`watch ${filter} in bucket ${bucket}`, error.err_code, error.description);
  if (made?.filter_subject !== subject)
    throw unavailable(`watch ${filter} in bucket ${bucket}: the server made a consumer for ${made?.filter_subject ?? 'everything'}`);
  return num_pending ?? 0;
}
