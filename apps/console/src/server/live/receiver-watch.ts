import { backoff } from '@vrsky/kernel/backoff';
import { describeError } from '@vrsky/kernel/errors';
import { sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';

export interface ReceiverWatchOptions {
  url: string;
  stop: AbortSignal;
  log: Log;
  onArrival(): void;
}

/** Follows the test receiver's stream of arrivals until `stop`. A receiver that is away is looked for ever more slowly. */
export async function watchReceiver({ url, stop, log, onArrival }: ReceiverWatchOptions): Promise<void> {
  const retry = backoff({ initialMs: 500, maxMs: 15_000 });
  let isFirst = true;
  while (!stop.aborted) {
    try {
      const response = await fetch(url, { signal: stop, cache: 'no-store', headers: { accept: 'text/event-stream' } });
      if (!response.ok || !response.body) throw new Error(`the test receiver answered ${response.status}`);
      if (!isFirst) onArrival(); // something may have come while we were away
      isFirst = false;
      retry.reset();
      await follow(response.body, onArrival);
    } catch (error) {
      if (stop.aborted) return;
      log.debug({ reason: describeError(error) }, 'live updates: the test receiver is away');
    }
    await sleep(retry.nextMs(), stop);
  }
}

async function follow(body: ReadableStream<Uint8Array<ArrayBuffer>>, onArrival: () => void): Promise<void> {
  let rest = '';
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (lines.includes('event: arrival')) onArrival();
  }
}
