import { describeError } from '@vrsky/kernel/errors';
import { getDb } from './db.ts';
import { log } from './log.ts';

const WAIT_MS = 2_000;

/** Ready means: the database answers. Without NATS or nodes the console still shows everything it knows. */
export async function serveReady(): Promise<Response> {
  const deadline = Promise.withResolvers<never>();
  const timer = setTimeout(() => deadline.reject(new Error(`no answer within ${WAIT_MS} ms`)), WAIT_MS);
  try {
    await Promise.race([getDb().pool.query('SELECT 1'), deadline.promise]);
    return Response.json({ status: 'ok' }, { headers: { 'cache-control': 'no-store' } });
  } catch (error) {
    log.warn({ reason: describeError(error) }, 'not ready: the database does not answer');
    return Response.json(
      { status: 'unavailable', reason: 'The database does not answer.' },
      { status: 503, headers: { 'cache-control': 'no-store', 'retry-after': '2' } },
    );
  } finally {
    clearTimeout(timer);
  }
}
