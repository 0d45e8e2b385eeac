/** So many a second on average, and so many at once after a pause. */
export interface TokenBucket {
  /** 0 when one may pass, else after how many milliseconds the next one may. */
  take(nowMs: number): number;
}

/** `nowMs` is of a clock that never goes back. */
export function createTokenBucket({ perSecond, burst }: { perSecond: number; burst: number }): TokenBucket {
  const perMs = perSecond / 1_000;
  let tokens = burst;
  let atMs = Number.NEGATIVE_INFINITY;
  return {
    take(nowMs) {
      if (nowMs > atMs) {
        tokens = Math.min(burst, tokens + (nowMs - Math.max(atMs, nowMs - burst / perMs)) * perMs);
        atMs = nowMs;
      }
      if (tokens < 1) return Math.ceil((1 - tokens) / perMs);
      tokens--;
      return 0;
    },
  };
}
