import { expect, it } from 'vitest';
import type { MethodCalls } from '../calls-types.ts';
import { inOrder, isTroubled, methodName, methodSentence, valuesPerMinute } from './calls-words.ts';

const connector = '/vrsky.connector.v1.Connector';
const call = (method: string, more: Partial<MethodCalls> = {}): MethodCalls => ({
  ...{ method, stream: false, calls: 3, refused: 0, results: { OK: 3 }, requestBytes: 1, responseBytes: 1, sent: 0, received: 0 },
  ...{ meanUs: 2_000, maxUs: 2_100, perMinute: [] },
  ...more,
});
/** As on the page, with ordinary blanks. */
const sentence = (made: MethodCalls) => methodSentence(made).replaceAll('\u00a0', ' ');

it('a method is told in a sentence: what was done, how often, how it ended, how long it took', () => {
  expect(sentence(call(`${connector}/Configure`))).toBe('Applied your settings 3 times, all OK, 2.1 ms');
  expect(sentence(call(`${connector}/Describe`, { calls: 1, results: { OK: 1 }, meanUs: 900, maxUs: 900 }))).toBe(
    'Asked what it is and can be set to once, OK, 900 µs',
  );
  expect(sentence(call(`${connector}/Validate`, { calls: 4, results: { UNAVAILABLE: 1, OK: 3 }, maxUs: 40_000 }))).toBe(
    'Had it check settings 4 times, 3 OK, 1 not reached (UNAVAILABLE), 2 ms on average, 40 ms at most',
  );
});

it('a stream is told by its messages; how long it was open is not how long it took', () => {
  const stream = { stream: true, calls: 1, meanUs: null, maxUs: null };
  expect(sentence(call(`${connector}/Send`, { ...stream, results: {}, sent: 1_234 }))).toBe(
    'Handed it 1,234 messages, opened the line for outgoing messages once, still open',
  );
  expect(sentence(call(`${connector}/Receive`, { ...stream, calls: 0, results: { CANCELLED: 1 }, received: 1, meanUs: 9e9, maxUs: 9e9 }))).toBe(
    'Took 1 message from it, 1 line ended',
  );
});

it('a refused call says that nothing was sent, and needs a look; so does a failed one, but no closed line', () => {
  const refused = call('/evil/Call', { calls: 0, refused: 2, results: {}, meanUs: null, maxUs: null });
  expect(sentence(refused)).toBe('2 calls refused: not allowed, and never sent');
  expect(methodName(refused.method)).toBe('Call');
  expect(isTroubled(refused)).toBe(true);
  expect(isTroubled(call(`${connector}/Drain`, { results: { INTERNAL: 1 } }))).toBe(true);
  expect(isTroubled(call(`${connector}/Send`, { stream: true, results: { CANCELLED: 1 } }))).toBe(false);
  expect(inOrder([call(`${connector}/Drain`), call(`${connector}/Describe`), refused]).map(({ method }) => method)).toEqual([
    '/evil/Call',
    `${connector}/Describe`,
    `${connector}/Drain`,
  ]);
});

it('minutes without a row are zero, and a row outside of the time is left out', () => {
  const minute = (at: string, calls: number) => ({ at, calls, refused: 0, sent: 0, received: 0 });
  const points = [minute('2026-01-01T00:01:00.000Z', 3), minute('2026-01-01T00:03:00.000Z', 1), minute('2026-01-01T01:00:00.000Z', 9)];
  expect(valuesPerMinute(points, '2026-01-01T00:00:00.000Z', '2026-01-01T00:04:00.000Z', ({ calls }) => calls)).toEqual([0, 3, 0, 1]);
});
