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
  /** Listens from now on; again is harmless. */
  start(): void;
  /** Resolves when the connection is given back. */
  close(): Promise<void>;
}

export interface ChangeFeedOptions {
  db: Db;
  log: Log;
  /** `tenantId` null: it concerns every tenant. */
  onChange(tenantId: string | null, change: LiveChange): void;
  /** Notices may have been missed. */
  onGap(): void;
}

/** Postgres LISTEN on one connection, connected anew whenever it breaks. */
export function createChangeFeed(options: ChangeFeedOptions): ChangeFeed {
  const stop = new AbortController();
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    const retry = backoff({ initialMs: 200, maxMs: 5_000 });
    while (!stop.signal.aborted) {
      try {
        await listen(stop.signal, () => {
          options.onGap();
          retry.reset();
        });
      } catch (error) {
        options.log.warn({ reason: describeError(error) }, 'live updates: lost the database, trying again');
        await sleep(retry.nextMs(), stop.signal);
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
      running ??= run();
    },
    async close() {
      stop.abort();
      await running;
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
