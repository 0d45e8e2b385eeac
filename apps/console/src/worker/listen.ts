import { backoff } from '@vrsky/kernel/backoff';
import { describeError } from '@vrsky/kernel/errors';
import { aborted, sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import pg from 'pg';

/**
 * Calls `onNotice` for every NOTIFY on a channel, and once after each (re)connect, since notices in between are lost. A hint: whoever
 * must not miss a change polls as well. Ends when `stop` aborts.
 */
export async function listen(options: { url: string; channel: string; onNotice: () => void; log: Log }, stop: AbortSignal): Promise<void> {
  const retry = backoff({ initialMs: 200, maxMs: 5_000 });
  while (!stop.aborted) {
    const client = new pg.Client({ connectionString: options.url, application_name: 'vrsky worker listener', connectionTimeoutMillis: 5_000, keepAlive: true });
    const broken = Promise.withResolvers<void>();
    client.on('error', () => broken.resolve());
    client.on('end', () => broken.resolve());
    client.on('notification', options.onNotice);
    try {
      await client.connect();
      await client.query(`LISTEN ${pg.escapeIdentifier(options.channel)}`);
      retry.reset();
      options.onNotice();
      await Promise.race([broken.promise, aborted(stop)]);
    } catch (error) {
      options.log.info({ channel: options.channel, reason: describeError(error) }, 'not listening, trying again');
    }
    await client.end().catch((error: unknown) => options.log.debug({ reason: describeError(error) }, 'the listener was gone already'));
    await sleep(retry.nextMs(), stop);
  }
}
