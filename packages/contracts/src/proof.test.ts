import { expect, test } from 'vitest';
import { isPackProof, packProof } from './proof.ts';
import { findReceiverTenant, receiverBin } from './receiver.ts';

const key = Buffer.alloc(32, 7);

test('a proof holds for its tenant, pipeline and messages in order, and for nothing else', () => {
  const proof = packProof(key, 'cus_a', 'pip_1', ['msg_1', 'msg_2']);
  expect(isPackProof(proof, key, 'cus_a', 'pip_1', ['msg_1', 'msg_2'])).toBe(true);
  expect(isPackProof(proof, key, 'cus_b', 'pip_1', ['msg_1', 'msg_2'])).toBe(false);
  expect(isPackProof(proof, key, 'cus_a', 'pip_2', ['msg_1', 'msg_2'])).toBe(false);
  expect(isPackProof(proof, key, 'cus_a', 'pip_1', ['msg_2', 'msg_1'])).toBe(false);
  expect(isPackProof(proof, key, 'cus_a', 'pip_1', ['msg_1'])).toBe(false);
  expect(isPackProof(proof, Buffer.alloc(32, 8), 'cus_a', 'pip_1', ['msg_1', 'msg_2'])).toBe(false);
  expect(isPackProof('', key, 'cus_a', 'pip_1', ['msg_1', 'msg_2'])).toBe(false);
});

test('a bin is known by its tag; a made-up or moved one is not', () => {
  const bin = receiverBin('key', 'cus_a');
  expect(findReceiverTenant('key', bin)).toBe('cus_a');
  expect(findReceiverTenant('key', bin.replace('cus_a', 'cus_b'))).toBeNull();
  expect(findReceiverTenant('key', 'cus_a.')).toBeNull();
  expect(findReceiverTenant('other', bin)).toBeNull();
});
