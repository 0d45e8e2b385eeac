import { describe, expect, test } from 'vitest';
import { isTraceparent, readHeaders } from './request-headers.ts';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

test('credentials, the platform’s own headers and those of one connection never pass', () => {
  const names = [
    'Authorization',
    'PROXY-AUTHORIZATION',
    'cookie',
    'X-Api-Key',
    'Customer-ID',
    'customer-id',
    'Idempotency-Key',
    'Vrsky-Attempt',
    'Nats-Msg-Id',
    'Connection',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'Host',
    'Expect',
    'Content-Length',
    'Proxy-Connection',
  ];
  expect(readHeaders(names.flatMap((name) => [name, 'x'])).passed).toEqual([]);
});

test('other headers pass in lower case, in order, repeated ones too', () => {
  expect(readHeaders(['X-GitHub-Event', 'push', 'User-Agent', 'curl', 'x-a', '1', 'X-A', '2']).passed).toEqual([
    ['x-github-event', 'push'],
    ['user-agent', 'curl'],
    ['x-a', '1'],
    ['x-a', '2'],
  ]);
});

test('a header that Connection names is for this connection only, wherever it stands', () => {
  expect(readHeaders(['x-first', '1', 'Connection', 'keep-alive, X-First', 'x-last', '2', 'connection', 'x-LAST', 'x-stays', '3']).passed).toEqual([
    ['x-stays', '3'],
  ]);
});

test('content type and encoding are read apart', () => {
  expect(readHeaders(['Content-Type', 'application/json', 'Content-Length', '12', 'content-encoding', 'GZIP'])).toMatchObject({
    contentType: 'application/json',
    contentLength: 12,
    contentEncoding: 'gzip',
    passed: [],
  });
});

describe('a trace context is taken', () => {
  test('with its state when it is valid', () => {
    expect(readHeaders(['traceparent', traceparent, 'tracestate', 'a=1', 'Tracestate', 'b=2'])).toMatchObject({ traceparent, tracestate: 'a=1,b=2' });
  });

  test('not at all when there are two of them', () => {
    expect(readHeaders(['traceparent', traceparent, 'traceparent', traceparent, 'tracestate', 'a=1'])).toMatchObject({ traceparent: '', tracestate: '' });
  });

  test('without its state when that is longer than everybody must keep', () => {
    expect(readHeaders(['traceparent', traceparent, 'tracestate', `a=${'x'.repeat(600)}`])).toMatchObject({ traceparent, tracestate: '' });
  });

  test.each([
    [traceparent, true],
    [`01-${traceparent.slice(3)}-later`, true],
    ['', false],
    [traceparent.toUpperCase(), false],
    [`${traceparent}-extra`, false],
    [`ff${traceparent.slice(2)}`, false],
    [`00-${'0'.repeat(32)}-b7ad6b7169203331-01`, false],
    [`00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`, false],
    [`${traceparent}\r\nx: y`, false],
  ])('%j: %s', (value, valid) => {
    expect(isTraceparent(value)).toBe(valid);
  });
});
