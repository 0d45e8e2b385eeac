import { expect, test } from 'vitest';
import { generateSigningKey, openEnvelope, signEnvelope, signingKeyFromSeed } from './signed.ts';

const pair = generateSigningKey();
const key = signingKeyFromSeed('cp-1', pair.seed);
const trusted = [{ keyId: 'cp-1', publicKey: pair.publicKey }];
const payload = '{"generation":7}';

test('the exact signed text comes back', () => {
  expect(openEnvelope('bundle', JSON.stringify(signEnvelope('bundle', payload, key)), trusted)).toBe(payload);
});

test('a document changed after signing is refused', () => {
  const envelope = { ...signEnvelope('bundle', payload, key), payload: '{"generation":8}' };
  expect(() => openEnvelope('bundle', JSON.stringify(envelope), trusted)).toThrow(/changed after signing/);
});

test('a document signed for one purpose does not pass for another, even relabelled', () => {
  const envelope = signEnvelope('run', payload, key);
  expect(() => openEnvelope('bundle', JSON.stringify(envelope), trusted)).toThrow(/signed as run/);
  expect(() => openEnvelope('bundle', JSON.stringify({ ...envelope, purpose: 'bundle' }), trusted)).toThrow(/changed after signing/);
});

test('a key that is not pinned is refused, also under the name of one that is', () => {
  const stranger = signingKeyFromSeed('cp-1', generateSigningKey().seed);
  expect(() => openEnvelope('bundle', JSON.stringify(signEnvelope('bundle', payload, stranger)), trusted)).toThrow(/changed after signing/);
  expect(() => openEnvelope('bundle', JSON.stringify(signEnvelope('bundle', payload, { ...key, keyId: 'cp-2' })), trusted)).toThrow(/not among/);
});

test.each([
  ['not json', 'not JSON'],
  ['{}', 'wrong shape'],
  [JSON.stringify({ ...signEnvelope('bundle', payload, key), extra: 1 }), 'wrong shape'],
])('%s is refused with what is wrong', (text, problem) => {
  expect(() => openEnvelope('bundle', text, trusted)).toThrow(problem);
});
