import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { SecretValue } from '@vrsky/contracts/secret-value';
import { expect, test } from 'vitest';
import { sealEnvelope } from '../../../server/envelope.ts';
import { openTenantKey, type VersionPlace } from './tenant-key.ts';

const kek = { id: 'kek_1', key: randomBytes(32) };
const row = (tenantId: string, id = 'dek_1', bytes = randomBytes(32)) => ({
  tenantId,
  id,
  kekId: kek.id,
  sealed: sealEnvelope(kek.key, ['vrsky/tenant-key/1', tenantId, id, kek.id], bytes),
});
const place: VersionPlace = { secretId: 'sec_1', name: 'api-token', number: 1 };
const VALUE = 'ein-geheimnis';
const text = (value: SecretValue) => value.use((bytes) => bytes.toString('utf8'));

test('a sealed value opens in its own row', () => {
  using key = openTenantKey(kek, row('cus_a'));
  const sealed = key.seal(place, SecretValue.fromText(VALUE));
  expect(Buffer.from(sealed).includes(VALUE)).toBe(false);
  expect(text(key.open(place, sealed))).toBe(VALUE);
  expect(Buffer.from(key.seal(place, SecretValue.fromText(VALUE)))).not.toEqual(Buffer.from(sealed));
});

test.each([
  ['another secret', { secretId: 'sec_2' }],
  ['another name', { name: 'api-tokem' }],
  ['another version', { number: 2 }],
  // Without lengths before the fields, these two would be bound to the same bytes.
  ['fields with a shifted border', { secretId: 'sec_1a', name: 'pi-token' }],
])('a ciphertext that was copied to %s does not open', (_what, other) => {
  using key = openTenantKey(kek, row('cus_a'));
  const sealed = key.seal(place, SecretValue.fromText(VALUE));
  expect(() => key.open({ ...place, ...other }, sealed)).toThrow(expect.objectContaining({ code: 'ENVELOPE.REFUSED' }));
});

test('a ciphertext and a key that were copied to another tenant do not open, even when both have the same key', () => {
  const bytes = randomBytes(32);
  using ours = openTenantKey(kek, row('cus_a', 'dek_1', bytes));
  using theirs = openTenantKey(kek, row('cus_b', 'dek_1', bytes));
  const sealed = ours.seal(place, SecretValue.fromText(VALUE));
  expect(() => theirs.open(place, sealed)).toThrow(expect.objectContaining({ code: 'ENVELOPE.REFUSED' }));
  expect(() => openTenantKey(kek, { ...row('cus_a'), tenantId: 'cus_b' })).toThrow(expect.objectContaining({ code: 'ENVELOPE.REFUSED' }));
  expect(() => openTenantKey(kek, { ...row('cus_a'), id: 'dek_2' })).toThrow(expect.objectContaining({ code: 'ENVELOPE.REFUSED' }));
});

test('no byte of a ciphertext can be changed, and none cut off', () => {
  using key = openTenantKey(kek, row('cus_a'));
  const sealed = key.seal(place, SecretValue.fromText(VALUE));
  for (const at of sealed.keys()) {
    const changed = Uint8Array.from(sealed);
    changed[at] = (changed[at] as number) ^ 1;
    expect(() => key.open(place, changed)).toThrow(expect.objectContaining({ code: 'ENVELOPE.REFUSED' }));
  }
  for (const length of [0, 5, 27, sealed.length - 1])
    expect(() => key.open(place, sealed.subarray(0, length))).toThrow(expect.objectContaining({ code: 'ENVELOPE.REFUSED' }));
});

test('a key that is sealed under another key-encryption key is said to be missing', () => {
  expect(() => openTenantKey({ id: 'kek_2', key: randomBytes(32) }, row('cus_a'))).toThrow(expect.objectContaining({ code: 'TENANT.KEY_MISSING' }));
});

test('fingerprints tell equal values of one tenant, and say nothing across tenants', () => {
  using ours = openTenantKey(kek, row('cus_a'));
  using theirs = openTenantKey(kek, row('cus_b'));
  const value = SecretValue.fromText(VALUE);
  expect(ours.fingerprint(value)).toMatch(/^[0-9a-f]{8}$/);
  expect(ours.fingerprint(SecretValue.fromText(VALUE))).toBe(ours.fingerprint(value));
  expect(ours.fingerprint(SecretValue.fromText('another'))).not.toBe(ours.fingerprint(value));
  expect(theirs.fingerprint(value)).not.toBe(ours.fingerprint(value));
});

test('a value in hand shows nothing, and is gone when disposed of', () => {
  const value = SecretValue.fromText(VALUE);
  expect([String(value), JSON.stringify({ value }), inspect({ value }), `${value}`].join()).not.toContain(VALUE);
  let seen: Buffer = Buffer.alloc(0);
  value.use((bytes) => {
    seen = bytes;
  });
  expect(seen.buffer.byteLength).toBe(VALUE.length); // not in the pool that others share
  value[Symbol.dispose]();
  expect([...seen]).toEqual(new Array(VALUE.length).fill(0));
});
