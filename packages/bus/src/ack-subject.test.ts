import { expect, test } from 'vitest';
import { parseAckSubject } from './ack-subject.ts';

const delivery = { deliveryCount: 2, seq: 41, consumerSeq: 7, storedAtMs: 1_795_598_081_098, pending: 3 };

test('both forms of the answer subject say the same', () => {
  expect(parseAckSubject('$JS.ACK.INGEST.p_pip_1.2.41.7.1795598081098123456.3')).toEqual(delivery);
  expect(parseAckSubject('$JS.ACK._.ACCHASH.INGEST.p_pip_1.2.41.7.1795598081098123456.3.rnd')).toEqual(delivery);
});

test('a subject that is no answer subject is a bug, not a delivery', () => {
  expect(() => parseAckSubject('_INBOX_x.1')).toThrow(/bug/);
  expect(() => parseAckSubject('')).toThrow(/bug/);
});
