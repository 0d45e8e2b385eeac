import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { AppError } from '@vrsky/kernel/errors';

/**
 * HPKE base mode, single shot (RFC 9180): DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, AES-256-GCM 0x0002.
 * Base mode does not authenticate the sender; the signature over the document that carries the ciphertext does.
 */
const KEM_SUITE = Buffer.concat([Buffer.from('KEM'), uint(0x20, 2)]);
const HPKE_SUITE = Buffer.concat([Buffer.from('HPKE'), uint(0x20, 2), uint(0x01, 2), uint(0x02, 2)]);
const VERSION = Buffer.from('HPKE-v1');
const EMPTY = Buffer.alloc(0);
const SEAL_SPKI = Buffer.from('302a300506032b656e032100', 'hex');
const SEAL_PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const TAG_BYTES = 16;

export interface Sealed {
  /** The sender's ephemeral public key, base64url. */
  enc: string;
  /** Ciphertext and tag, base64url. */
  ciphertext: string;
}

export interface SealContext {
  /** Fixed words of the use. */
  info: string;
  /** What the value is bound to: opening with other values fails. */
  aad: readonly string[];
}

export function generateSealKey(): { privateKey: string; publicKey: string } {
  const pair = generateKeyPairSync('x25519');
  return {
    privateKey: pair.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32).toString('base64url'),
    publicKey: rawPublic(pair.publicKey).toString('base64url'),
  };
}

/** Seals `plaintext` so that only the holder of the recipient's private key, naming the same context, opens it. */
export function seal(recipientPublicKey: string, context: SealContext, plaintext: Uint8Array): Sealed {
  const recipient = Buffer.from(recipientPublicKey, 'base64url');
  const ephemeral = generateKeyPairSync('x25519');
  const enc = rawPublic(ephemeral.publicKey);
  const shared = sharedSecret(diffieHellman({ privateKey: ephemeral.privateKey, publicKey: publicFromRaw(recipient) }), enc, recipient);
  const { key, nonce } = keySchedule(shared, Buffer.from(context.info));
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(lengthPrefixed(context.aad));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  return { enc: enc.toString('base64url'), ciphertext: ciphertext.toString('base64url') };
}

/** Throws AppError `SEAL.REFUSED` when the key or the context differ from those it was sealed for. */
export function unseal(recipientPrivateKey: string, context: SealContext, sealed: Sealed): Buffer {
  try {
    const privateKey = createPrivateKey({ key: Buffer.concat([SEAL_PKCS8, Buffer.from(recipientPrivateKey, 'base64url')]), format: 'der', type: 'pkcs8' });
    const recipient = rawPublic(createPublicKey(privateKey));
    const enc = Buffer.from(sealed.enc, 'base64url');
    const shared = sharedSecret(diffieHellman({ privateKey, publicKey: publicFromRaw(enc) }), enc, recipient);
    const { key, nonce } = keySchedule(shared, Buffer.from(context.info));
    const bytes = Buffer.from(sealed.ciphertext, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(lengthPrefixed(context.aad));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw new AppError({ code: 'SEAL.REFUSED', kind: 'invalid', message: 'a sealed value does not open with this key and context', cause });
  }
}

/** Each field as a 32-bit length and its UTF-8 bytes, so that no two lists of fields have the same bytes. */
export function lengthPrefixed(fields: readonly string[]): Buffer {
  return Buffer.concat(fields.flatMap((field) => [uint(Buffer.byteLength(field), 4), Buffer.from(field, 'utf8')]));
}

function uint(value: number, bytes: number): Buffer {
  const out = Buffer.alloc(bytes);
  out.writeUIntBE(value, 0, bytes);
  return out;
}

function rawPublic(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(-32);
}

function publicFromRaw(raw: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([SEAL_SPKI, raw]), format: 'der', type: 'spki' });
}

function hmac(key: Buffer, data: Buffer): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

function extract(salt: Buffer, ikm: Buffer): Buffer {
  return hmac(salt.length > 0 ? salt : Buffer.alloc(32), ikm);
}

function expand(prk: Buffer, info: Buffer, length: number): Buffer {
  let block: Buffer = EMPTY;
  let out: Buffer = EMPTY;
  for (let i = 1; out.length < length; i++) {
    block = hmac(prk, Buffer.concat([block, info, Buffer.from([i])]));
    out = Buffer.concat([out, block]);
  }
  return out.subarray(0, length);
}

function labeledExtract(suite: Buffer, salt: Buffer, label: string, ikm: Buffer): Buffer {
  return extract(salt, Buffer.concat([VERSION, suite, Buffer.from(label), ikm]));
}

function labeledExpand(suite: Buffer, prk: Buffer, label: string, info: Buffer, length: number): Buffer {
  return expand(prk, Buffer.concat([uint(length, 2), VERSION, suite, Buffer.from(label), info]), length);
}

function sharedSecret(dh: Buffer, enc: Buffer, recipient: Buffer): Buffer {
  const prk = labeledExtract(KEM_SUITE, EMPTY, 'eae_prk', dh);
  return labeledExpand(KEM_SUITE, prk, 'shared_secret', Buffer.concat([enc, recipient]), 32);
}

function keySchedule(shared: Buffer, info: Buffer): { key: Buffer; nonce: Buffer } {
  const context = Buffer.concat([
    Buffer.from([0]),
    labeledExtract(HPKE_SUITE, EMPTY, 'psk_id_hash', EMPTY),
    labeledExtract(HPKE_SUITE, EMPTY, 'info_hash', info),
  ]);
  const secret = labeledExtract(HPKE_SUITE, shared, 'secret', EMPTY);
  return { key: labeledExpand(HPKE_SUITE, secret, 'key', context, 32), nonce: labeledExpand(HPKE_SUITE, secret, 'base_nonce', context, 12) };
}
