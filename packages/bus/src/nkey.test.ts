import { fromPublic, fromSeed } from '@nats-io/nkeys';
import { expect, test } from 'vitest';
import { createNkey, isPublicNkey, isSignedBy, type NkeyKind, nkeyFromSeed } from './nkey.ts';

const kinds: NkeyKind[] = ['operator', 'account', 'user'];

test.each(kinds)('the official library reads our %s key, and takes its signature', (kind) => {
  const key = createNkey(kind);
  expect(fromSeed(Buffer.from(key.seed)).getPublicKey()).toBe(key.publicKey);
  const data = Buffer.from('a nonce');
  expect(fromPublic(key.publicKey).verify(data, key.sign(data))).toBe(true);
  expect(fromPublic(key.publicKey).verify(Buffer.from('another'), key.sign(data))).toBe(false);
  expect(isSignedBy(kind, key.publicKey, data, fromSeed(Buffer.from(key.seed)).sign(data))).toBe(true);
  expect(isSignedBy(kind, key.publicKey, Buffer.from('another'), key.sign(data))).toBe(false);
  expect(isSignedBy(kind, createNkey(kind).publicKey, data, key.sign(data))).toBe(false);
});

test.each(kinds)('a %s key is the same after it was stored', (kind) => {
  const key = createNkey(kind);
  expect(nkeyFromSeed(kind, key.seed).publicKey).toBe(key.publicKey);
});

test('a key known from the official documentation has the public key that it names there', () => {
  expect(nkeyFromSeed('user', 'SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY').publicKey).toBe(
    'UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4',
  );
});

test('a seed of another kind, a changed one and a public key are refused without being repeated', () => {
  const { seed, publicKey } = createNkey('user');
  const changed = seed.slice(0, 20) + (seed[20] === 'A' ? 'B' : 'A') + seed.slice(21);
  for (const wrong of [createNkey('account').seed, changed, publicKey, '', 'not a seed']) {
    const refused = () => nkeyFromSeed('user', wrong);
    expect(refused).toThrow(/not the seed of a NATS user key/);
    if (wrong !== '') expect(refused).not.toThrow(wrong);
  }
});

test('a public key is known by kind and checksum', () => {
  const { seed, publicKey } = createNkey('user');
  expect(isPublicNkey('user', publicKey)).toBe(true);
  expect(isPublicNkey('account', publicKey)).toBe(false);
  expect(isPublicNkey('user', seed)).toBe(false);
  expect(isPublicNkey('user', `${publicKey.slice(0, -1)}${publicKey.endsWith('A') ? 'B' : 'A'}`)).toBe(false);
});
