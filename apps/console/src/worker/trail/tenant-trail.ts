import type { BusAdmin, TenantAccount } from '@vrsky/bus/admin';
import { isUp } from '@vrsky/bus/connect';
import { consumePacks, type StoredPack } from '@vrsky/bus/consumer';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { consumerNames, streamNames } from '@vrsky/contracts/subjects';

/** One tenant's stream TRAIL, and the records of it that are in our hands. */
export interface TenantTrail {
  readonly tenantId: string;
  readonly isUp: boolean;
  readonly waiting: number;
  /** When the first record in hand was stored; null when there is none. */
  readonly oldestMs: number | null;
  /** The next records in order, not more messages than `messagesMax` but at least one record. They stay in hand until `settle`. */
  peek(messagesMax: number): StoredPack[];
  /** Acknowledges the first `count` records. */
  settle(count: number): void;
  /** Keeps records that wait from being delivered a second time. */
  keepAlive(): void;
  /** Gives what is in hand back to the server. */
  close(): Promise<void>;
}

export interface TenantTrailEvents {
  onRecord(): void;
  onTrouble(error: unknown): void;
  /** It reads nothing any more. */
  onEnded(error: unknown): void;
}

const PACKS_MAX = 128;

export async function openTenantTrail(bus: BusAdmin, tenant: TenantAccount, events: TenantTrailEvents): Promise<TenantTrail> {
  const nc = await bus.tenant(tenant);
  const queue: StoredPack[] = [];
  const consumer = consumePacks(nc, {
    stream: streamNames.trail,
    consumer: consumerNames.trail,
    maxPacks: PACKS_MAX,
    onPack: (pack) => {
      queue.push(pack);
      events.onRecord();
    },
    onError: events.onTrouble,
  });
  consumer.done.catch(events.onEnded);
  return {
    tenantId: tenant.tenantId,
    get isUp() {
      return isUp(nc);
    },
    get waiting() {
      return queue.length;
    },
    get oldestMs() {
      return queue[0]?.storedAtMs ?? null;
    },
    peek(messagesMax) {
      let messages = 0;
      const end = queue.findIndex((pack, i) => {
        messages += Number(pack.header(packHeaders.pack)) || 1;
        return i > 0 && messages > messagesMax;
      });
      return end < 0 ? [...queue] : queue.slice(0, end);
    },
    settle(count) {
      for (const pack of queue.splice(0, count)) pack.ack();
    },
    keepAlive() {
      for (const pack of queue) pack.working();
    },
    async close() {
      await consumer.stop();
      for (const pack of queue.splice(0)) pack.nak();
    },
  };
}
