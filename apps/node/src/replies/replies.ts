import type { Subscription } from '@nats-io/transport-node';
import { limits } from '@vrsky/contracts/limits';
import { REPLY_MESSAGE } from '@vrsky/contracts/message-headers';
import { subjects } from '@vrsky/contracts/subjects';
import type { Part } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { decodeReply, encodeReply } from '@vrsky/proto/reply-codec';
import type { NodeMetrics } from '../metrics.ts';
import type { Tenant } from '../tenant.ts';
import { createReplyBook, type ReplyContent } from './reply-book.ts';

/**
 * The way of results back to the senders who wait for them: from the node that works on a message to the one that took it in, in the tenant's
 * account of NATS. Nothing is stored and nothing waits: a result that does not arrive is one that its sender was not told, and no more.
 */
export interface Replies extends Part {
  /** This node's name in a pack, by which the others find it. */
  readonly address: string;
  /** A sender waits for this message's result. */
  expect(tenantId: string, messageId: string, seq: number, withinMs: number): void;
  stored(messageId: string): void;
  forget(messageId: string): void;
  /** Tells the node at `address` what became of a message. Never throws. */
  send(tenant: Tenant, address: string, messageId: string, content: ReplyContent): void;
  /** Listens in the tenant's account. */
  set(tenant: Tenant): void;
  remove(tenantId: string): void;
  readonly waiting: number;
}

export interface RepliesOptions {
  nodeId: string;
  /** To the connector that handed the message over; false when it is gone. */
  deliver(seq: number, content: ReplyContent): boolean;
  metrics: NodeMetrics;
  log: Log;
}

const EXPIRE_EVERY_MS = 500;
/** It becomes part of a subject. */
const ADDRESS = /^[A-Za-z0-9_-]{1,64}$/;

interface Listening {
  readonly tenant: Tenant;
  subscription: Subscription | null;
  stop(): void;
}

export function createReplies({ nodeId, deliver, metrics, log }: RepliesOptions): Replies {
  const listening = new Map<string, Listening>();
  const book = createReplyBook({
    perTenantMax: limits.repliesPerTenantMax,
    max: limits.repliesPerNodeMax,
    deliver,
    count: (tenantId, result) => metrics.replies.inc({ tenant: metrics.tenantLabel(tenantId), result }),
  });
  const expiry = setInterval(() => book.expire(Date.now()), EXPIRE_EVERY_MS);

  const accept = (tenantId: string, messageId: string, body: Uint8Array): void => {
    try {
      const { seq: _seq, ...content } = decodeReply(body);
      // A copy: a view would keep the whole read of the line alive for as long as a slow sender takes the result.
      book.accept(tenantId, messageId, { ...content, payload: Buffer.from(content.payload) }, Date.now());
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'WireError') throw error;
      log.warn({ tenantId, messageId: messageId.slice(0, 80), err: error }, 'a result that cannot be read came for a sender');
    }
  };

  const listen = (entry: Listening): void => {
    const { tenantId, bus } = entry.tenant;
    const subscribe = async (): Promise<void> => {
      const nc = await bus.connected;
      if (listening.get(tenantId) !== entry || (entry.subscription !== null && !entry.subscription.isClosed())) return;
      entry.subscription = nc.subscribe(subjects.reply(nodeId), {
        callback: (error, message) =>
          error
            ? log.warn({ tenantId, err: error }, 'results of other nodes cannot be received; their senders are answered without them')
            : accept(tenantId, message.headers?.get(REPLY_MESSAGE) ?? '', message.data),
      });
    };
    const tryIt = (): void => {
      subscribe().catch(() => {}); // closed before it was there: nobody waits
    };
    // A grant of an older form has no right to listen; the next one is used from the next connect on.
    const forget = bus.onUp(tryIt);
    entry.stop = () => {
      forget();
      if (entry.subscription !== null && !entry.subscription.isClosed()) entry.subscription.unsubscribe();
    };
    tryIt();
  };

  const end = (tenantId: string): void => {
    listening.get(tenantId)?.stop();
    listening.delete(tenantId);
  };

  return {
    name: 'replies',
    address: nodeId,
    get waiting() {
      return book.waiting;
    },
    expect: (tenantId, messageId, seq, withinMs) => void book.expect({ tenantId, messageId, seq, untilMs: Date.now() + withinMs }),
    stored: (messageId) => book.stored(messageId, Date.now()),
    forget: book.forget,
    send(tenant, address, messageId, content) {
      if (address === nodeId) return book.accept(tenant.tenantId, messageId, content, Date.now());
      if (!ADDRESS.test(address)) return;
      tenant.bus.tell(subjects.reply(address), { [REPLY_MESSAGE]: messageId }, encodeReply({ seq: 0, ...content }));
    },
    set(tenant) {
      if (listening.get(tenant.tenantId)?.tenant === tenant) return;
      end(tenant.tenantId);
      const entry: Listening = { tenant, subscription: null, stop: () => {} };
      listening.set(tenant.tenantId, entry);
      listen(entry);
    },
    remove: end,
    async [Symbol.asyncDispose]() {
      clearInterval(expiry);
      for (const tenantId of [...listening.keys()]) end(tenantId);
    },
  };
}
