'use client';

import type { StepFiles } from '../types.ts';
import type { LanguageCalls } from './language-worker.ts';
import type { RunCalls } from './run-worker.ts';
import { createWorkerClient, type WorkerClient } from './worker-client.ts';

export interface Workbench {
  language: WorkerClient<LanguageCalls>;
  runner: WorkerClient<RunCalls>;
}

/** A large step may take TypeScript long; that is no reason to end it. */
const LANGUAGE_MS_MAX = 30_000;
/** Instructions end a step within a second; this is for what they do not see. */
const RUN_MS_MAX = 5_000;
/** How long an unused workbench is kept: going to another step and back should not load everything again. */
const KEEP_MS = 60_000;

let workbench: Workbench | undefined;
let users = 0;
let closing: ReturnType<typeof setTimeout> | undefined;

/** The page's two workers, one of each whatever is open. Give it back with `release`. */
export function openWorkbench(files: () => Promise<StepFiles>): { workbench: Workbench; release: () => void } {
  clearTimeout(closing);
  workbench ??= createWorkbench(files);
  users++;
  const release = (): void => {
    users--;
    if (users === 0) closing = setTimeout(close, KEEP_MS);
  };
  return { workbench, release };
}

function close(): void {
  workbench?.language.stop();
  workbench?.runner.stop();
  workbench = undefined;
}

function createWorkbench(files: () => Promise<StepFiles>): Workbench {
  return {
    language: createWorkerClient({
      create: () => new Worker(new URL('./language-worker.ts', import.meta.url), { type: 'module', name: 'language' }),
      startArgs: async () => [absolute((await files()).types.url)],
      callMsMax: LANGUAGE_MS_MAX,
    }),
    runner: createWorkerClient({
      create: () => new Worker(new URL('./run-worker.ts', import.meta.url), { type: 'module', name: 'run' }),
      startArgs: async () => [absolute((await files()).engine.url)],
      callMsMax: RUN_MS_MAX,
    }),
  };
}

/** A worker's own address is not the page's. */
function absolute(url: string): string {
  return new URL(url, window.location.href).href;
}
