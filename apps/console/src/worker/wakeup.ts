/** Lets a loop sleep until there is something to do. A wake that comes before the wait is not lost. */
export interface Wakeup {
  wake(): void;
  /** Resolves at the next wake, after `atMostMs`, or when the loop is to stop. */
  wait(atMostMs: number): Promise<void>;
}

export function createWakeup(stop: AbortSignal): Wakeup {
  let isDue = false;
  let resume: (() => void) | null = null;
  const wake = (): void => {
    isDue = true;
    resume?.();
  };
  stop.addEventListener('abort', wake, { once: true });
  return {
    wake,
    async wait(atMostMs) {
      if (!isDue && !stop.aborted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, atMostMs);
          resume = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        resume = null;
      }
      isDue = false;
    },
  };
}
