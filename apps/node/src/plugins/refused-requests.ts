/** What a source says it refused since it last said so. */
export interface RefusedRequests {
  connectionId: string;
  reasons: Record<string, number>;
}

const REASONS_MAX = 32;
const COUNT_MAX = 1e9;
const REASON = /^[a-z][a-z0-9_]{0,39}$/;

/**
 * Reads the fields of a connector's log record of the shape `{ vrsky_refused: "<connection>", reasons: { <code>: <count> } }`; null for any other
 * record. What is not a code or a count is left out: whoever wrote it may be anybody.
 */
export function findRefusedRequests({ vrsky_refused: connectionId, reasons }: Readonly<Record<string, unknown>>): RefusedRequests | null {
  if (typeof connectionId !== 'string' || typeof reasons !== 'object' || reasons === null) return null;
  const counted = Object.entries(reasons)
    .slice(0, REASONS_MAX)
    .filter((row): row is [string, number] => REASON.test(row[0]) && Number.isInteger(row[1]) && row[1] > 0 && row[1] <= COUNT_MAX);
  return counted.length === 0 ? null : { connectionId, reasons: Object.fromEntries(counted) };
}

/** Of a record of the shape `{ vrsky_unwritten_ids: <count> }`: ids of senders that a source has in memory alone; 0 for any other record. */
export function countUnwrittenIds({ vrsky_unwritten_ids: count }: Readonly<Record<string, unknown>>): number {
  return typeof count === 'number' && Number.isInteger(count) && count > 0 && count <= COUNT_MAX ? count : 0;
}
