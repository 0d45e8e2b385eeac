import { backoff } from '@vrsky/kernel/backoff';
import { describeError } from '@vrsky/kernel/errors';
import { aborted, type Part, sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import pg from 'pg';

/** Work that only one worker of a platform may do at a time. Ends when its signal aborts; rejects on trouble it cannot get over. */
export type Duty = (stop: AbortSignal) => Promise<void>;

export interface Leader extends Part {
  /** `down`: the database cannot be asked who leads. */
  readonly state: 'starting' | 'leading' | 'standing by' | 'down';
}

const LOCK = 720_042;
const ASK_EVERY_MS = 2_000;
const ANSWER_MS = 5_000;

/**
 * Holds a Postgres advisory lock and does the duties while it does. The lock is the connection's: when that breaks, the server has
 * given the lock away, and the duties stop before they are taken up again. What a paused leader still writes afterwards is
 * older than what its successor wrote, and refused by nodes.
 */
export function createLeader(options: { url: string; duties: Record<string, Duty>; log: Log }): Leader {
  const { url, duties, log } = options;
  const halt = new AbortController();
  let state: Leader['state'] = 'starting';
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    const retry = backoff({ initialMs: 200, maxMs: 5_000 });
    while (!halt.signal.aborted) {
      try {
        await lead(() => retry.reset());
      } catch (error) {
        if (halt.signal.aborted) return;
        log.warn({ reason: describeError(error) }, 'leadership ended');
      }
      if (state !== 'standing by') state = 'down';
      await sleep(retry.nextMs(), halt.signal);
    }
  }

  async function lead(onLed: () => void): Promise<void> {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'vrsky worker leader',
      connectionTimeoutMillis: ANSWER_MS,
      query_timeout: ANSWER_MS,
      keepAlive: true,
    });
    const lost = new AbortController();
    client.on('error', (error) => lost.abort(error));
    client.on('end', () => lost.abort(new Error('the connection ended')));
    try {
      await client.connect();
      const stop = AbortSignal.any([halt.signal, lost.signal]);
      while (!stop.aborted && !(await tryLock(client))) {
        state = 'standing by';
        await sleep(ASK_EVERY_MS, stop);
      }
      if (stop.aborted) throw lost.signal.reason ?? new Error('stopped');
      onLed();
      state = 'leading';
      log.info('leading');
      await Promise.all([doDuties(stop, (error) => lost.abort(error)), watchConnection(client, stop)]);
      if (lost.signal.aborted) throw lost.signal.reason;
    } finally {
      if (state === 'leading') state = 'down';
      await client.end().catch((error: unknown) => log.debug({ reason: describeError(error) }, 'the lock went with its connection'));
    }
  }

  async function doDuties(stop: AbortSignal, onFailed: (error: unknown) => void): Promise<void> {
    await Promise.all(
      Object.entries(duties).map(async ([name, duty]) => {
        try {
          await duty(stop);
        } catch (error) {
          log.error({ duty: name, err: error }, 'a duty failed');
          onFailed(error);
        }
      }),
    );
  }

  return {
    name: 'leader',
    get state() {
      return state;
    },
    async start() {
      running = run();
    },
    async drain(deadline) {
      halt.abort();
      await Promise.race([running, aborted(deadline)]);
    },
    async [Symbol.asyncDispose]() {
      halt.abort();
      await running;
    },
  };
}

async function tryLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ held: boolean }>('SELECT pg_try_advisory_lock($1) AS held', [LOCK]);
  return rows[0]?.held === true;
}

/** A connection that died without a word is noticed by a question that is not answered. */
async function watchConnection(client: pg.Client, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await sleep(ASK_EVERY_MS, stop);
    if (!stop.aborted) await client.query('SELECT 1');
  }
}
