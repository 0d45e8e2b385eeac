import { newId } from '@vrsky/contracts/ids';
import { describe, expect, test } from 'vitest';
import { findTraceContext, formatTraceparent, traceContextOf, traceContextOfId, traceIdOf } from './trace-context.ts';

const sent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('trace context', () => {
  test("a sender's context is kept as it came", () => {
    expect(formatTraceparent(traceContextOf(sent, 'msg_x'))).toBe(sent);
    expect(traceIdOf(sent, 'msg_x')).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
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
  });

  test('a message without a context has one made from its id, the same every time and different for every id', () => {
    const ids = Array.from({ length: 500 }, () => newId('msg'));
    const contexts = ids.map((id) => traceContextOfId(id));
    for (const [i, context] of contexts.entries()) {
      expect(findTraceContext(formatTraceparent(context))).toEqual(context);
      expect(traceContextOf('', ids[i] as string)).toEqual(context);
      expect(traceIdOf('', ids[i] as string)).toBe(context.traceId);
    }
    expect(new Set(contexts.map((context) => context.traceId)).size).toBe(ids.length);
  });

  test('a text that is no id still gives a valid context', () => {
    expect(findTraceContext(formatTraceparent(traceContextOfId('')))).not.toBeNull();
  });
});
