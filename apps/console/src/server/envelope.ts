import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { lengthPrefixed } from '@vrsky/contracts/seal';
import { AppError } from '@vrsky/kernel/errors';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** By how much a sealed value is longer than what it holds. */
export const ENVELOPE_BYTES = NONCE_BYTES + TAG_BYTES;

/** AES-256-GCM: nonce, ciphertext, tag. Bound to its context: the bytes open nowhere else. */
export function sealEnvelope(key: Buffer, context: readonly string[], plaintext: Uint8Array): Uint8Array<ArrayBuffer> {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(lengthPrefixed(context));
  return new Uint8Array(Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
}

/** Throws AppError `ENVELOPE.REFUSED` when key or context differ from those it was sealed with, or a byte was changed. */
export function openEnvelopeBytes(key: Buffer, context: readonly string[], sealed: Uint8Array): Buffer {
  try {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(lengthPrefixed(context));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const plaintext = Buffer.alloc(Math.max(0, bytes.length - ENVELOPE_BYTES));
    plaintext.set(decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)));
    decipher.final();
    return plaintext;
  } catch (cause) {
    throw new AppError({
      code: 'ENVELOPE.REFUSED',
      kind: 'internal',
      message: `a value sealed as ${context[0]} does not open in the row of ${context.slice(1).join(' ')}`,
      cause,
    });
  }
}
