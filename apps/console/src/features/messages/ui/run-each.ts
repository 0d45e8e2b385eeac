export interface RunReport<T> {
  done: number;
  failed: { item: T; error: unknown }[];
  stopped: boolean;
}

/** Runs `work` for each item, at most `atOnce` at a time, telling how far it is; stops taking new ones when `stop` aborts. */
export async function runEach<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<unknown>,
  stop: AbortSignal,
  onProgress: (report: RunReport<T>) => void,
): Promise<RunReport<T>> {
  const report: RunReport<T> = { done: 0, failed: [], stopped: false };
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length && !stop.aborted) {
      const item = items[next++] as T;
      try {
        await work(item);
        report.done++;
      } catch (error) {
        report.failed.push({ item, error });
      }
      onProgress({ ...report, failed: [...report.failed] });
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  report.stopped = next < items.length;
  return report;
}
