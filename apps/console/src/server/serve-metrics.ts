import { describeError } from '@vrsky/kernel/errors';
import { getConsoleConfig } from './config.ts';
import { log } from './log.ts';
import { registry, workerUp } from './metrics.ts';

const WAIT_MS = 2_000;

/** Prometheus text of the console, followed by the control worker's: the control plane is one target to scrape. */
export async function serveMetrics(): Promise<Response> {
  const worker = await readWorkerMetrics();
  workerUp.set(worker === null ? 0 : 1);
  const own = await registry.metrics();
  return new Response(worker === null ? own : `${own.trimEnd()}\n${withoutFamilies(worker, familiesOf(own))}`, {
    headers: { 'content-type': registry.contentType, 'cache-control': 'no-store' },
  });
}

async function readWorkerMetrics(): Promise<string | null> {
  try {
    const response = await fetch(`${getConsoleConfig().config.workerUrl}/metrics`, { cache: 'no-store', signal: AbortSignal.timeout(WAIT_MS) });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    return await response.text();
  } catch (error) {
    log.debug({ reason: describeError(error) }, 'the control worker gives no metrics'); // the gauge says it to those who watch
    return null;
  }
}

function familiesOf(text: string): Set<string> {
  return new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1] as string));
}

/** A family may stand in a page once; should both processes have one of the same name, the console's own stays. */
export function withoutFamilies(text: string, taken: ReadonlySet<string>): string {
  const kept: string[] = [];
  let skips = false;
  for (const line of text.split('\n')) {
    const family = /^# (?:HELP|TYPE) (\S+)/.exec(line)?.[1];
    if (family !== undefined) skips = taken.has(family);
    if (!skips) kept.push(line);
  }
  return kept.join('\n');
}
