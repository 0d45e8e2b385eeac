'use client';

import { useSyncExternalStore } from 'react';

// One clock for the page: a hundred rows share one timer, and it rests in a hidden tab.
let nowMs = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function tick(): void {
  if (document.hidden) return;
  nowMs = Date.now();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    nowMs = Date.now();
    timer = setInterval(tick, 1_000);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

const read = (): number => nowMs;

/** The current time, renewed each second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, read, read);
}
