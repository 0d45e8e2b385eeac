import { plainEnv } from './config.ts';
import { eventually } from './eventually.ts';
import { type Child, launch } from './launch.ts';
import type { ProcessRecord } from './process-record.ts';

export interface AppOptions {
  /** A program of ours, run by this same Node. */
  entry: string;
  args?: string[];
  /** Added to a plain environment; nothing of the caller's own comes along. */
  env?: Record<string, string>;
  /** Ready when its output matches, or when a GET of the URL answers 2xx. */
  ready: RegExp | string;
  readyMs?: number;
  cwd?: string;
  nodeArgs?: string[];
  logFile?: string;
  ownGroup?: boolean;
  /** Called as soon as the process exists, before it is ready. */
  onLaunch?: (record: ProcessRecord) => void;
}

/** Starts one of our programs as a real process and waits until it is ready; it dies with us. */
export async function spawnApp(options: AppOptions): Promise<Child & AsyncDisposable> {
  const { readyMs = 30_000 } = options;
  const child = await launch({
    command: process.execPath,
    args: [...(options.nodeArgs ?? []), options.entry, ...(options.args ?? [])],
    env: { ...plainEnv(), ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.logFile === undefined ? {} : { logFile: options.logFile }),
    ownGroup: options.ownGroup ?? true,
  });
  options.onLaunch?.(child.record);
  try {
    await eventually(() => child.exit() !== null || isReady(child, options.ready), { timeoutMs: readyMs, what: `${options.entry} to be ready` });
  } catch (cause) {
    await child.kill();
    throw new Error(`${options.entry} was not ready after ${readyMs} ms:\n${child.output().slice(-4_000)}`, { cause });
  }
  const exit = child.exit();
  if (exit !== null) throw new Error(`${options.entry} ended with ${exit.signal ?? `code ${exit.code}`} before it was ready:\n${child.output().slice(-4_000)}`);
  return Object.assign(child, { [Symbol.asyncDispose]: async () => void (await child.stop()) });
}

async function isReady(child: Child, ready: RegExp | string): Promise<boolean> {
  if (ready instanceof RegExp) return ready.test(child.output());
  // A refused connection rejects, which is one more "not yet" for the caller.
  const response = await fetch(ready, { signal: AbortSignal.timeout(5_000), redirect: 'manual' });
  await response.body?.cancel();
  return response.ok;
}
