import { describe, expect, test } from 'vitest';
import { answerOutcome, answerRules, DeliveryTimeout, failureOutcome, parseRetryAfter } from './outcome.ts';

const answer = (status: number, retryAfter?: string) => answerOutcome({ status, retryAfter, body: Buffer.from('b') }, Date.parse('2026-01-01T00:00:00Z'));

describe('an answer', () => {
  test.each([200, 201, 202, 204, 299])('%i is delivered', (status) => {
    expect(answer(status)).toMatchObject({ status: 'ok', source: 'downstream', peerStatus: status, peerAnswer: Buffer.from('b') });
  });

  test.each([500, 502, 503, 504, 599, 408])('%i may pass', (status) => {
    expect(answer(status)).toMatchObject({
      status: 'retryable',
      source: 'downstream',
      code: `http_${status}`,
      reason: expect.stringContaining(`answered ${status}`),
    });
  });

  test.each([301, 302, 307, 308])('%i is a redirect, and those are not followed', (status) => {
    expect(answer(status)).toMatchObject({ status: 'permanent', code: `http_${status}`, reason: expect.stringContaining('Redirects are not followed') });
  });

  test.each([400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 451])('%i never passes', (status) => {
    expect(answer(status)).toMatchObject({ status: 'permanent', code: `http_${status}` });
  });

  test.each([429, 503, 408])('%i with Retry-After says when', (status) => {
    expect(answer(status, '7')).toMatchObject({
      status: 'rate_limited',
      code: `http_${status}`,
      retryAfterMs: 7_000,
      reason: `The receiver answered ${status} and asks to wait 7 s.`,
    });
  });

  test('429 without it is still a limit', () => {
    expect(answer(429)).toMatchObject({ status: 'rate_limited', code: 'http_429' });
  });
});

describe('what a destination says of statuses', () => {
  const rules = answerRules({ retryOn: ['409', '5xx', '404'], retryAfterMaxMs: 5_000 });
  const judged = (status: number, retryAfter?: string) => answerOutcome({ status, retryAfter, body: Buffer.from('') }, 0, rules);

  test('counts, for those that it tries again and those that are final', () => {
    expect([409, 404, 503, 429, 408, 425, 422].map((status) => judged(status).status)).toEqual([
      ...['retryable', 'retryable', 'retryable'],
      ...['permanent', 'permanent', 'permanent', 'permanent'],
    ]);
  });

  test('bounds how long a receiver may ask to wait', () => {
    expect(judged(503, '3000')).toMatchObject({ status: 'rate_limited', retryAfterMs: 5_000 });
  });
});

test('425 may pass', () => {
  expect(answer(425)).toMatchObject({ status: 'retryable', code: 'http_425' });
});

test.each([
  ['5', 5_000],
  [' 5 ', 5_000],
  ['Thu, 01 Jan 2026 00:00:10 GMT', 10_000],
  ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
  ['999999999', 3_600_000],
  ['-5', 0],
  ['soon', 0],
  ['', 0],
  [undefined, 0],
])('Retry-After %j is %i ms', (text, ms) => {
  expect(parseRetryAfter(text, Date.parse('2026-01-01T00:00:00Z'))).toBe(ms);
});

describe('no answer', () => {
  const fail = (code: string) => failureOutcome(Object.assign(new Error('text of a stranger with a secret'), { code }), 'api.example.com', 2_500);

  test.each([
    ['ECONNREFUSED', 'connect_refused'],
    ['UND_ERR_CONNECT_TIMEOUT', 'connect_timeout'],
    ['ENOTFOUND', 'dns_failed'],
    ['ECONNRESET', 'connection_lost'],
    ['UND_ERR_SOCKET', 'connection_lost'],
    ['HPE_INVALID_CONSTANT', 'bad_response'],
    ['CERT_HAS_EXPIRED', 'tls_failed'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls_failed'],
    ['EPROTO', 'tls_failed'],
    ['EMYSTERY', 'network_error'],
  ])('because of %s may pass', (code, short) => {
    const outcome = fail(code);
    expect(outcome).toMatchObject({ status: 'retryable', source: 'downstream', code: short, reason: expect.stringContaining('api.example.com') });
    expect(outcome.reason).not.toContain('secret');
  });

  test('in time says which time', () => {
    expect(failureOutcome(new DeliveryTimeout(), 'a.test', 2_500).reason).toBe('a.test did not answer within 2.5 s.');
  });

  test('because the address is inside never passes', () => {
    expect(fail('EGRESS_FORBIDDEN')).toMatchObject({ status: 'permanent', code: 'egress_forbidden' });
  });

  test('from any of several addresses has the reason of the first', () => {
    expect(failureOutcome(new AggregateError([Object.assign(new Error(), { code: 'ECONNREFUSED' })]), 'a.test', 1)).toMatchObject({ code: 'connect_refused' });
    expect(failureOutcome(new Error('x', { cause: Object.assign(new Error(), { code: 'ENOTFOUND' }) }), 'a.test', 1)).toMatchObject({ code: 'dns_failed' });
  });
});
