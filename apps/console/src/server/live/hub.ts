import type { Db } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import type { Log } from '@vrsky/kernel/log';
import { createChangeFeed } from './change-feed.ts';
import { type LiveChange, liveKinds } from './live-change.ts';
import { watchReceiver } from './receiver-watch.ts';
import { createSubscription, type LiveSubscription } from './subscription.ts';

/** Changes of all tenants in, each to those who watch its tenant. It listens from the first watcher on. */
export interface LiveHub {
  subscribe(tenantId: string): LiveSubscription;
  readonly subscribers: number;
  close(): Promise<void>;
}

export interface LiveHubOptions {
  db: Db;
  /** Where the tenant's test receiver streams its arrivals. */
  receiverEventsUrl(tenantId: string): string;
  log: Log;
}

const SUBSCRIBERS_PER_TENANT_MAX = 200;
const SUBSCRIBERS_MAX = 2_000;

interface Channel {
  subscriptions: Set<LiveSubscription>;
  stop: AbortController;
}

export function createLiveHub(options: LiveHubOptions): LiveHub {
  const { db, log } = options;
  const channels = new Map<string, Channel>();
  let subscribers = 0;

  const feed = createChangeFeed({
    db,
    log,
    onChange: (tenantId, change) => (tenantId === null ? tellAll(change) : tell(tenantId, change)),
    // What was said before we listened is lost: everybody asks again for everything.
    onGap: () => {
      for (const kind of liveKinds) tellAll({ kind });
    },
  });

  function tell(tenantId: string, change: LiveChange): void {
    for (const subscription of channels.get(tenantId)?.subscriptions ?? []) subscription.push(change);
  }

  function tellAll(change: LiveChange): void {
    for (const tenantId of channels.keys()) tell(tenantId, change);
  }

  function openChannel(tenantId: string): Channel {
    const stop = new AbortController();
    const channel: Channel = { subscriptions: new Set(), stop };
    channels.set(tenantId, channel);
    void watchReceiver({ url: options.receiverEventsUrl(tenantId), stop: stop.signal, log, onArrival: () => tell(tenantId, { kind: 'receiver' }) });
    feed.start();
    return channel;
  }

  function leave(tenantId: string, subscription: LiveSubscription): void {
    const channel = channels.get(tenantId);
    if (!channel?.subscriptions.delete(subscription)) return;
    subscribers--;
    if (channel.subscriptions.size > 0) return;
    channel.stop.abort();
    channels.delete(tenantId);
  }

  return {
    get subscribers() {
      return subscribers;
    },
    subscribe(tenantId) {
      const watching = channels.get(tenantId)?.subscriptions.size ?? 0;
      if (watching >= SUBSCRIBERS_PER_TENANT_MAX || subscribers >= SUBSCRIBERS_MAX) {
        throw new AppError({
          code: 'LIVE.TOO_MANY',
          kind: 'exhausted',
          message: `${watching} live connections of ${tenantId}, ${subscribers} in all`,
          publicMessage: 'Too many pages are open for live updates. Close some of them.',
          retryAfterMs: 10_000,
        });
      }
      const channel = channels.get(tenantId) ?? openChannel(tenantId);
      const subscription = createSubscription(() => leave(tenantId, subscription));
      channel.subscriptions.add(subscription);
      subscribers++;
      return subscription;
    },
    async close() {
      for (const channel of channels.values()) for (const subscription of [...channel.subscriptions]) subscription.end();
      await feed.close();
    },
  };
}
