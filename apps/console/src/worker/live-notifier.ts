import type { Db } from '@vrsky/db/client';
import { describeError } from '@vrsky/kernel/errors';
import type { Part } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { LIVE_CHANNEL, type LiveNotice } from '../server/live-channel.ts';

export interface LiveNotifier extends Part {
  /** Tells the console's processes, at most five times a second for each tenant and kind. */
  changed(notice: LiveNotice): void;
}

const EVERY_MS = 200;

interface Waiting {
  notice: LiveNotice;
  timer: NodeJS.Timeout | null;
  sentMs: number;
}

export function createLiveNotifier({ db, log }: { db: Db; log: Log }): LiveNotifier {
  const byKey = new Map<string, Waiting>();

  function send(key: string, waiting: Waiting): void {
    waiting.timer = null;
    waiting.sentMs = performance.now();
    // A lost notice costs a page a few seconds of freshness; the page asks again anyway.
    db.pool
      .query('SELECT pg_notify($1, $2)', [LIVE_CHANNEL, JSON.stringify(waiting.notice)])
      .catch((error: unknown) => log.warn({ reason: describeError(error) }, 'a live notice was not sent'));
    setTimeout(() => {
      if (waiting.timer === null) byKey.delete(key);
    }, EVERY_MS).unref();
  }

  return {
    name: 'live notifier',
    changed(notice) {
      const key = `${notice.tenantId ?? ''} ${notice.kind}`;
      const waiting = byKey.get(key) ?? { notice, timer: null, sentMs: Number.NEGATIVE_INFINITY };
      byKey.set(key, waiting);
      if (waiting.timer !== null) {
        // More than one pipeline changed meanwhile: say so by naming none.
        if (waiting.notice.pipelineId !== notice.pipelineId) waiting.notice = { tenantId: notice.tenantId, kind: notice.kind };
        return;
      }
      waiting.notice = notice;
      const waitMs = waiting.sentMs + EVERY_MS - performance.now();
      if (waitMs <= 0) send(key, waiting);
      else waiting.timer = setTimeout(() => send(key, waiting), waitMs);
    },
    async [Symbol.asyncDispose]() {
      for (const { timer } of byKey.values()) if (timer) clearTimeout(timer);
      byKey.clear();
    },
  };
}
