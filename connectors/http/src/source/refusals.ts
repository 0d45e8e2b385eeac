import type { ConnectorLog } from '@vrsky/sdk/connector';

/**
 * What connections refused, by reason, told to the node as log records of a shape that it knows: `vrsky_refused` is the
 * connection, `reasons` how many of each. The node counts them and shows them to the customer.
 */
export interface Refusals {
  count(connectionId: string, reason: string): void;
  /** One more id of a sender is in memory alone: told as `vrsky_unwritten_ids`, how many. */
  unwritten(): void;
  /** Tells what was counted since it was last told. */
  report(): void;
  close(): void;
}

const REPORT_EVERY_MS = 2_000;
/** Records in one report: those with the most refusals; the others wait for the next. */
const RECORDS_MAX = 50;

export function createRefusals(log: ConnectorLog, everyMs = REPORT_EVERY_MS): Refusals {
  const counts = new Map<string, Map<string, number>>();
  const sumOf = (reasons: ReadonlyMap<string, number>): number => [...reasons.values()].reduce((sum, count) => sum + count, 0);
  let unwritten = 0;
  const report = (): void => {
    if (unwritten > 0) log('info', 'ids of senders are in memory alone', { vrsky_unwritten_ids: unwritten });
    unwritten = 0;
    const most = [...counts].sort(([, a], [, b]) => sumOf(b) - sumOf(a)).slice(0, RECORDS_MAX);
    for (const [connectionId, reasons] of most) {
      counts.delete(connectionId);
      log('info', 'requests were refused', { vrsky_refused: connectionId, reasons: Object.fromEntries(reasons) });
    }
  };
  const timer = setInterval(report, everyMs);
  timer.unref();
  return {
    count(connectionId, reason) {
      const reasons = counts.get(connectionId) ?? new Map<string, number>();
      counts.set(connectionId, reasons);
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    },
    unwritten() {
      unwritten++;
    },
    report,
    close() {
      clearInterval(timer);
      report();
    },
  };
}
