import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';

/**
 * NATS keys (nkeys) on the Ed25519 of `node:crypto`: the JavaScript library blocks the event loop for some 40 ms a signature,
 * this takes microseconds. A seed is base32 of two prefix bytes, the 32 bytes of the key and a CRC-16; a public key has one
 * prefix byte.
 */
export type NkeyKind = 'operator' | 'account' | 'user';

export interface Nkey {
  readonly kind: NkeyKind;
  readonly publicKey: string;
  readonly seed: string;
  sign(data: Uint8Array): Uint8Array;
}

/** First byte of a public key: shows as `O`, `A` or `U`. */
const prefixes: Record<NkeyKind, number> = { operator: 14 << 3, account: 0, user: 20 << 3 };
const SEED_PREFIX = 18 << 3;
const KEY_BYTES = 32;
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

export function createNkey(kind: NkeyKind): Nkey {
  const { privateKey } = generateKeyPairSync('ed25519');
  const raw = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-KEY_BYTES);
  const prefix = prefixes[kind];
  return build(kind, encode(Buffer.concat([Buffer.from([SEED_PREFIX | (prefix >> 5), (prefix & 31) << 3]), raw])), privateKey);
}

/** Throws when `seed` is not a seed of this kind, without repeating it: it is a secret. */
export function nkeyFromSeed(kind: NkeyKind, seed: string): Nkey {
  const bytes = decode(seed);
  const prefix = prefixes[kind];
  if (bytes?.length !== 2 + KEY_BYTES || bytes[0] !== (SEED_PREFIX | (prefix >> 5)) || bytes[1] !== (prefix & 31) << 3) {
    throw new TypeError(`this is not the seed of a NATS ${kind} key`);
  }
  return build(kind, seed, createPrivateKey({ key: Buffer.concat([PKCS8, bytes.subarray(2)]), format: 'der', type: 'pkcs8' }));
}

/** Is `text` a public key of this kind, checksum included? */
export function isPublicNkey(kind: NkeyKind, text: string): boolean {
  const bytes = decode(text);
  return bytes?.length === 1 + KEY_BYTES && bytes[0] === prefixes[kind];
}

/** Did the holder of this public key sign `data`? */
export function isSignedBy(kind: NkeyKind, publicKey: string, data: Uint8Array, signature: Uint8Array): boolean {
  const bytes = decode(publicKey);
  if (bytes?.length !== 1 + KEY_BYTES || bytes[0] !== prefixes[kind]) return false;
  return verify(null, data, createPublicKey({ key: Buffer.concat([SPKI, bytes.subarray(1)]), format: 'der', type: 'spki' }), signature);
}

function build(kind: NkeyKind, seed: string, privateKey: KeyObject): Nkey {
  const publicKey = encode(Buffer.concat([Buffer.from([prefixes[kind]]), rawPublicKey(privateKey)]));
  return { kind, seed, publicKey, sign: (data) => sign(null, data, privateKey) };
}

function rawPublicKey(privateKey: KeyObject): Buffer {
  const { x } = privateKey.export({ format: 'jwk' });
  return Buffer.from(x ?? '', 'base64url');
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function encode(payload: Buffer): string {
  const crc = crc16(payload);
  const bytes = Buffer.concat([payload, Buffer.from([crc & 255, crc >> 8])]);
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(value >>> (bits - 5)) & 31];
    value &= (1 << bits) - 1;
  }
  return bits > 0 ? text + ALPHABET[(value << (5 - bits)) & 31] : text;
}

/** The bytes without their checksum, or null when it does not hold. */
function decode(text: string): Buffer | null {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const char of text) {
    const digit = ALPHABET.indexOf(char);
    if (digit < 0) return null;
    value = (value << 5) | digit;
    bits += 5;
    if (bits >= 8) {
      bytes.push((value >>> (bits - 8)) & 255);
      bits -= 8;
      value &= (1 << bits) - 1;
    }
  }
  const payload = Buffer.from(bytes.slice(0, -2));
  const [low, high] = bytes.slice(-2);
  return bytes.length > 2 && crc16(payload) === (((high ?? 0) << 8) | (low ?? 0)) ? payload : null;
}

/** CRC-16/XMODEM. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let i = 0; i < 8; i++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}
