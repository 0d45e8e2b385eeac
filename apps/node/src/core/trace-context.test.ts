import { newId } from '@vrsky/contracts/ids';
import { describe, expect, test } from 'vitest';
import { findTraceContext, formatTraceparent, isTraceparent, traceContextOfId } from './trace-context.ts';

const sent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('trace context', () => {
  test("a sender's context is kept as it came", () => {
    expect(isTraceparent(sent)).toBe(true);
    expect(findTraceContext(sent)).toEqual({ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', flags: '01' });
  });

  test.each([
    '',
    'nonsense',
    sent.toUpperCase(),
    '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
    'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    `${sent}-more`,
  ])('%j is no context', (text) => {
    expect(findTraceContext(text)).toBeNull();
    expect(isTraceparent(text)).toBe(false);
  });

  test('a message without a context has one made from its id, the same every time and different for every id', () => {
    const ids = Array.from({ length: 500 }, () => newId('msg'));
    const contexts = ids.map((id) => traceContextOfId(id));
    for (const [i, context] of contexts.entries()) {
      expect(findTraceContext(formatTraceparent(context))).toEqual(context);
      expect(traceContextOfId(ids[i] as string)).toEqual(context);
    }
    expect(new Set(contexts.map((context) => context.traceId)).size).toBe(ids.length);
  });

  test('a text that is no id still gives a valid context', () => {
    expect(findTraceContext(formatTraceparent(traceContextOfId('')))).not.toBeNull();
  });
});
