import { backoff } from '@vrsky/kernel/backoff';
import { aborted, sleep } from '@vrsky/kernel/lifecycle';
import type { StackPart } from './part.ts';
import type { Stack } from './stack.ts';

/** Starts a part again that ended by itself or was killed, so that one may try the bad day by hand. Resolves when `stop` aborts. */
export async function keepRunning(stack: Stack, stop: AbortSignal): Promise<void> {
  await Promise.all(Object.values(stack.parts).map((part) => keepPart(part, stop)));
}

/** Long enough to see what the others do without it. */
const AGAIN = { initialMs: 4_000, maxMs: 30_000 };
/** After this much time in good health an end is a new one, not a repetition. */
const HEALTHY_MS = 60_000;

async function keepPart(part: StackPart, stop: AbortSignal): Promise<void> {
  const retry = backoff(AGAIN);
  while (!stop.aborted) {
    const upSince = performance.now();
    const how = await Promise.race([part.ended(), aborted(stop)]);
    if (how === undefined || stop.aborted) return;
    if (performance.now() - upSince > HEALTHY_MS) retry.reset();
    await startAgain(part, how, retry.nextMs(), stop);
  }
}

async function startAgain(part: StackPart, how: string, waitMs: number, stop: AbortSignal): Promise<void> {
  console.log(`  ${part.name} ended (${how}); it starts again in ${(waitMs / 1000).toFixed(1)} s`);
  await sleep(waitMs, stop);
  if (stop.aborted) return;
  try {
    await part.start();
    console.log(`  ${part.name} runs again`);
  } catch (error) {
    console.log(`  ${part.name} did not start: ${error instanceof Error ? error.message : String(error)}`);
  }
}
