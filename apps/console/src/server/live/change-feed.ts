import type { Db } from '@vrsky/db/client';
import { backoff } from '@vrsky/kernel/backoff';
import { describeError } from '@vrsky/kernel/errors';
import { sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { z } from 'zod';
import { LIVE_CHANNEL } from '../live-channel.ts';
import { type LiveChange, liveKinds } from './live-change.ts';

/** A connection that died without a word is noticed by this. */
const PROBE_EVERY_MS = 15_000;

const noticeSchema = z.object({ tenantId: z.string().nullish(), kind: z.enum(liveKinds), pipelineId: z.string().nullish() });

export interface ChangeFeed {
  start(): void;
  stop(): void;
  /** Stops, and resolves when the connection is given back. */
  stopped(): Promise<void>;
}

export interface ChangeFeedOptions {
  db: Db;
  log: Log;
  /** `tenantId` null: it concerns every tenant. */
  onChange(tenantId: string | null, change: LiveChange): void;
  /** Notices may have been missed. */
  onGap(): void;
}

/** Postgres LISTEN on one connection, connected anew for as long as somebody wants to know. */
export function createChangeFeed(options: ChangeFeedOptions): ChangeFeed {
  let running: { stop: AbortController; done: Promise<void> } | undefined;

  async function run(stop: AbortSignal): Promise<void> {
    const retry = backoff({ initialMs: 200, maxMs: 5_000 });
    let isFirst = true;
    while (!stop.aborted) {
      try {
        await listen(stop, () => {
          if (!isFirst) options.onGap();
          isFirst = false;
          retry.reset();
        });
      } catch (error) {
        options.log.warn({ reason: describeError(error) }, 'live updates: lost the database, trying again');
        isFirst = false;
        await sleep(retry.nextMs(), stop);
      }
    }
  }

  async function listen(stop: AbortSignal, onReady: () => void): Promise<void> {
    const client = await options.db.pool.connect();
    const broken = Promise.withResolvers<never>();
    broken.promise.catch(() => undefined); // seen through the race below; between two probes nobody awaits it
    client.on('error', broken.reject);
    client.on('end', () => broken.reject(new Error('the connection ended')));
    client.on('notification', ({ payload }) => hear(payload ?? ''));
    try {
      await client.query(`LISTEN ${LIVE_CHANNEL}`);
      onReady();
      while (!stop.aborted) {
        await Promise.race([sleep(PROBE_EVERY_MS, stop), broken.promise]);
        if (!stop.aborted) await Promise.race([client.query('SELECT 1'), broken.promise, late()]);
      }
    } finally {
      client.release(true); // never back into the pool: it still listens
    }
  }

  function hear(payload: string): void {
    const notice = parseNotice(payload);
    if (!notice) return options.log.warn({ payload: payload.slice(0, 200) }, 'live updates: a notice nobody understands');
    const { kind, pipelineId } = notice;
    options.onChange(notice.tenantId ?? null, pipelineId ? { kind, pipelineId } : { kind });
  }

  return {
    start() {
      if (running && !running.stop.signal.aborted) return;
      const stop = new AbortController();
      const before = running?.done;
      running = { stop, done: (before ?? Promise.resolve()).then(() => run(stop.signal)) };
    },
    stop() {
      running?.stop.abort();
    },
    async stopped() {
      running?.stop.abort();
      await running?.done;
    },
  };
}

async function late(): Promise<never> {
  await sleep(5_000);
  throw new Error('the database did not answer a probe');
}

function parseNotice(payload: string): z.infer<typeof noticeSchema> | null {
  try {
    return noticeSchema.parse(JSON.parse(payload));
  } catch {
    return null; // the caller logs it: a notice is only a hint, and the sender is our own worker
  }
}
