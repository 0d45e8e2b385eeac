import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { expect, test } from 'vitest';
import { generateSealKey, lengthPrefixed, seal, unseal } from './seal.ts';

const context = { info: 'vrsky/seal/1', aad: ['nod_1', 'cus_1', 'proof-key'] };
const secret = Buffer.from('a proof key');
const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

const exact = (bytes: Uint8Array) => new Uint8Array(bytes).buffer;

test('a value sealed to a node opens with its key and context', () => {
  const key = generateSealKey();
  expect(unseal(key.privateKey, context, seal(key.publicKey, context, secret)).toString()).toBe('a proof key');
});

test('a sealed value does not open for another node, tenant or use', () => {
  const key = generateSealKey();
  const sealed = seal(key.publicKey, context, secret);
  expect(() => unseal(generateSealKey().privateKey, context, sealed)).toThrow(/does not open/);
  expect(() => unseal(key.privateKey, { ...context, aad: ['nod_1', 'cus_2', 'proof-key'] }, sealed)).toThrow(/does not open/);
  expect(() => unseal(key.privateKey, { ...context, info: 'other' }, sealed)).toThrow(/does not open/);
  expect(() => unseal(key.privateKey, context, { ...sealed, ciphertext: `A${sealed.ciphertext.slice(1)}` })).toThrow(/does not open/);
});

test('a key of small order is refused instead of yielding a known secret', () => {
  expect(() => seal(Buffer.alloc(32).toString('base64url'), context, secret)).toThrow();
});

test('what we seal, an independent implementation of RFC 9180 opens, and the other way round', async () => {
  const pair = await suite.kem.generateKeyPair();
  const publicKey = Buffer.from(await suite.kem.serializePublicKey(pair.publicKey)).toString('base64url');
  const ours = seal(publicKey, context, secret);
  const aad = exact(lengthPrefixed(context.aad));
  const info = exact(Buffer.from(context.info));
  const opened = await suite.open(
    { recipientKey: pair.privateKey, enc: exact(Buffer.from(ours.enc, 'base64url')), info },
    exact(Buffer.from(ours.ciphertext, 'base64url')),
    aad,
  );
  expect(Buffer.from(opened).toString()).toBe('a proof key');

  const key = generateSealKey();
  const theirs = await suite.seal(
    { recipientPublicKey: await suite.kem.deserializePublicKey(exact(Buffer.from(key.publicKey, 'base64url'))), info },
    exact(secret),
    aad,
  );
  const sealed = { enc: Buffer.from(theirs.enc).toString('base64url'), ciphertext: Buffer.from(theirs.ct).toString('base64url') };
  expect(unseal(key.privateKey, context, sealed).toString()).toBe('a proof key');
});
