import type { Reply } from '@vrsky/proto/reply-codec';

/** What became of a message whose sender waits, without the connector's number of it. */
export type ReplyContent = Omit<Reply, 'seq'>;

/** What came of a wait or of a result, for the metrics: told, nothing in time, or nobody waited any more. */
export type ReplyResult = Exclude<ReplyContent['status'], 'unspecified'> | 'timeout' | 'late';

export interface ReplyBookOptions {
  perTenantMax: number;
  max: number;
  /** To the connector that waits; false when it is gone. */
  deliver(seq: number, content: ReplyContent): boolean;
  count(tenantId: string, result: ReplyResult): void;
}

/**
 * Who waits for what a pipeline makes of their message. A result may be there before the server's word that the message is stored: it is kept
 * until then, because the sender hears that first.
 */
export interface ReplyBook {
  /** False when there is no room: this sender is answered without the result. */
  expect(entry: { tenantId: string; messageId: string; seq: number; untilMs: number }): boolean;
  stored(messageId: string, nowMs: number): void;
  /** The message was not stored, so that nothing will come of it. */
  forget(messageId: string): void;
  /** A result, from whoever works for that tenant. */
  accept(tenantId: string, messageId: string, content: ReplyContent, nowMs: number): void;
  /** Gives up those whose time is over. */
  expire(nowMs: number): void;
  readonly waiting: number;
}

interface Entry {
  readonly tenantId: string;
  readonly seq: number;
  readonly untilMs: number;
  isStored: boolean;
  /** The result of a message that is not known to be stored yet. */
  early: ReplyContent | null;
}

export function createReplyBook({ perTenantMax, max, deliver, count }: ReplyBookOptions): ReplyBook {
  const entries = new Map<string, Entry>();
  const perTenant = new Map<string, number>();

  const remove = (messageId: string, { tenantId }: Entry): void => {
    entries.delete(messageId);
    const left = (perTenant.get(tenantId) ?? 1) - 1;
    if (left === 0) perTenant.delete(tenantId);
    else perTenant.set(tenantId, left);
  };
  const tell = (messageId: string, entry: Entry, content: ReplyContent, nowMs: number): void => {
    remove(messageId, entry);
    const isTold = nowMs <= entry.untilMs && deliver(entry.seq, content);
    count(entry.tenantId, isTold && content.status !== 'unspecified' ? content.status : 'late');
  };

  return {
    get waiting() {
      return entries.size;
    },
    expect({ tenantId, messageId, seq, untilMs }) {
      const own = perTenant.get(tenantId) ?? 0;
      if (own >= perTenantMax || entries.size >= max) return false;
      perTenant.set(tenantId, own + 1);
      entries.set(messageId, { tenantId, seq, untilMs, isStored: false, early: null });
      return true;
    },
    stored(messageId, nowMs) {
      const entry = entries.get(messageId);
      if (entry === undefined) return;
      entry.isStored = true;
      if (entry.early !== null) tell(messageId, entry, entry.early, nowMs);
    },
    forget(messageId) {
      const entry = entries.get(messageId);
      if (entry !== undefined) remove(messageId, entry);
    },
    accept(tenantId, messageId, content, nowMs) {
      const entry = entries.get(messageId);
      // Another tenant's message is nobody's here: what comes in one tenant's account is for that tenant's senders alone.
      if (entry === undefined || entry.tenantId !== tenantId) count(tenantId, 'late');
      else if (entry.isStored) tell(messageId, entry, content, nowMs);
      else entry.early ??= content;
    },
    expire(nowMs) {
      for (const [messageId, entry] of entries) {
        if (entry.untilMs > nowMs) continue;
        remove(messageId, entry);
        count(entry.tenantId, 'timeout');
      }
    },
  };
}
