import { expect, test } from 'vitest';
import { countUnwrittenIds, findRefusedRequests } from './refused-requests.ts';

test('a record of refused requests is read', () => {
  expect(findRefusedRequests({ vrsky_refused: 'pip/src', reasons: { signature_mismatch: 3, timestamp_too_old: 1 } })).toEqual({
    connectionId: 'pip/src',
    reasons: { signature_mismatch: 3, timestamp_too_old: 1 },
  });
});

test.each([
  [{}],
  [{ vrsky_refused: 1, reasons: { a: 1 } }],
  [{ vrsky_refused: 'p', reasons: null }],
  [{ vrsky_refused: 'p', reasons: 'x' }],
  [{ vrsky_refused: 'p', reasons: { 'Call 555-1234 now!': 1, a: -1, b: 1.5, c: '1', d: 1e12 } }],
])('%j is none, or has nothing that may be shown', (fields) => {
  expect(findRefusedRequests(fields)).toBeNull();
});

test('a connector that makes up reasons gets a bounded number of them in', () => {
  const reasons = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`made_up_${i}`, 1]));
  expect(Object.keys(findRefusedRequests({ vrsky_refused: 'p', reasons })?.reasons ?? {})).toHaveLength(32);
});

test('ids that a source could not write are counted, and what is no count is nothing', () => {
  expect(countUnwrittenIds({ vrsky_unwritten_ids: 7 })).toBe(7);
  for (const count of [0, -1, 1.5, '7', 1e12, null, undefined]) expect(countUnwrittenIds({ vrsky_unwritten_ids: count })).toBe(0);
});
