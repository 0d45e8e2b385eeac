import { packHeaders } from '@vrsky/contracts/message-headers';
import { describe, expect, test } from 'vitest';
import { findOrigin, findPackProblem, formatOrigin, headerText, packHeadersOf } from './pack-headers.ts';

const stamp = { customerId: 'cus_a', proofKey: Buffer.alloc(32, 7) };
const entries = ['msg_1', 'msg_2'].map((messageId) => ({ customerId: 'cus_a', pipelineId: 'pip_1', messageId }));
const headers = packHeadersOf(stamp, { msgId: 'msg_1', pipelineId: 'pip_1', revision: 3, connectionId: 'pip_1/in', messageIds: ['msg_1', 'msg_2'] });
const read =
  (over: Record<string, string> = {}) =>
  (name: string) =>
    ({ ...headers, ...over })[name] ?? '';

describe('a pack is delivered only as what the platform stamped', () => {
  test('its own headers and entries pass', () => {
    expect(findPackProblem(stamp, 'pip_1', { header: read(), entries })).toBeNull();
  });

  test.each([
    ['another tenant in the header', read({ [packHeaders.customerId]: 'cus_b' }), entries],
    ['another pipeline in the header', read({ [packHeaders.pipeline]: 'pip_2' }), entries],
    ['another tenant in an entry', read(), [entries[0], { ...entries[1], customerId: 'cus_b' }]],
    ['another pipeline in an entry', read(), [entries[0], { ...entries[1], pipelineId: 'pip_2' }]],
    ['an entry too many', read(), [...entries, entries[0]]],
    ['an entry too few', read(), [entries[0]]],
    ['another message', read(), [entries[0], { ...entries[1], messageId: 'msg_3' }]],
    ['no proof', read({ [packHeaders.proof]: '' }), entries],
    ['nothing inside', read(), []],
  ])('%s is refused', (_name, header, changed) => {
    expect(findPackProblem(stamp, 'pip_1', { header, entries: changed as typeof entries })).toMatch(/\.$/);
  });

  test("another tenant's key makes no proof", () => {
    const forged = packHeadersOf(
      { ...stamp, proofKey: Buffer.alloc(32, 8) },
      { msgId: 'x', pipelineId: 'pip_1', revision: 1, connectionId: '', messageIds: ['msg_1', 'msg_2'] },
    );
    expect(findPackProblem(stamp, 'pip_1', { header: (name) => forged[name] ?? '', entries })).toMatch(/proof/);
  });
});

test('a reason in a header is one line of bounded length', () => {
  expect(headerText('one\r\ntwo\tthree')).toBe('one two three');
  expect(headerText('x'.repeat(9_000))).toHaveLength(500);
});

test('an origin survives its header, and nothing else reads as one', () => {
  expect(findOrigin(formatOrigin({ seq: 12, index: 3 }))).toEqual({ seq: 12, index: 3 });
  for (const text of ['', '1', '1.', '.1', '-1.2', '1.2.3', 'a.b']) expect(findOrigin(text)).toBeNull();
});
