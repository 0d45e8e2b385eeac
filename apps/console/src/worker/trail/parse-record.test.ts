import { expect, it } from 'vitest';
import { parseTrailRecord } from './parse-record.ts';

const record = {
  ...{ v: 1, nodeId: 'nod_1', tenantId: 'cus_a', pipelineId: 'pip_1', revision: 1, atMs: 1 },
  messages: [
    {
      id: 'm',
      seq: 1,
      index: 0,
      receivedAtMs: 1,
      storedAtMs: 1,
      bytes: 1,
      contentType: 'text/plain',
      traceId: 't',
      steps: [],
      destinations: [{ id: 'a', state: 'retrying', attempt: 1, peerAnswer: 'a\0b\ud800c' }],
    },
  ],
};
const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

it('a record with text that Postgres cannot store is made storable', () => {
  const parsed = parseTrailRecord(bytes(record), 'cus_a');
  expect('messages' in parsed && parsed.messages[0]?.destinations[0]?.peerAnswer).toBe('a\ufffdb\ufffdc');
});

it("what is not a record, or is another tenant's, is named and not taken", () => {
  expect(parseTrailRecord(bytes('{'), 'cus_a')).toMatchObject({ problem: expect.stringContaining('not JSON') });
  expect(parseTrailRecord(bytes({ ...record, revision: 'x' }), 'cus_a')).toMatchObject({ problem: 'it has the wrong shape: revision invalid_type' });
  expect(parseTrailRecord(bytes(record), 'cus_b')).toMatchObject({ problem: 'it names cus_a and lies in the stream of cus_b' });
});
