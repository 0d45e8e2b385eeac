import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { AppError } from '@vrsky/kernel/errors';
import { z } from 'zod';

/** What a signature is for. It is part of the signed bytes, so that one document never passes as another. */
export type SignedPurpose = 'bundle' | 'head' | 'grant' | 'run' | 'connector' | 'secrets';

/** A document and its Ed25519 signature. `payload` is the exact text that was signed: verify first, parse afterwards. */
export const signedEnvelopeSchema = z.strictObject({
  v: z.literal(1),
  purpose: z.enum(['bundle', 'head', 'grant', 'run', 'connector', 'secrets']),
  keyId: z.string().min(1).max(100),
  payload: z.string(),
  signature: z.string().min(1).max(200),
});
export type SignedEnvelope = z.infer<typeof signedEnvelopeSchema>;

export interface SigningKey {
  keyId: string;
  privateKey: KeyObject;
}

/** A public key as it travels: raw 32 bytes in base64url. */
export interface TrustedKey {
  keyId: string;
  publicKey: string;
}

const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

function signedBytes(purpose: SignedPurpose, payload: string): Buffer {
  return Buffer.from(`vrsky:${purpose}:1\n${payload}`, 'utf8');
}

export function generateSigningKey(): { seed: string; publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    seed: privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32).toString('base64url'),
    publicKey: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64url'),
  };
}

export function signingKeyFromSeed(keyId: string, seed: string): SigningKey {
  const der = Buffer.concat([pkcs8Prefix, Buffer.from(seed, 'base64url')]);
  return { keyId, privateKey: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }) };
}

export function signEnvelope(purpose: SignedPurpose, payload: string, key: SigningKey): SignedEnvelope {
  const signature = sign(null, signedBytes(purpose, payload), key.privateKey).toString('base64url');
  return { v: 1, purpose, keyId: key.keyId, payload, signature };
}

/** Verifies an envelope's text against the pinned keys and returns the signed payload text. Throws AppError `SIGNATURE.*`. */
export function openEnvelope(purpose: SignedPurpose, text: string, trusted: readonly TrustedKey[]): string {
  const envelope = parseEnvelope(text);
  if (envelope.purpose !== purpose) {
    throw new AppError({ code: 'SIGNATURE.WRONG_PURPOSE', kind: 'invalid', message: `a document signed as ${envelope.purpose} was presented as ${purpose}` });
  }
  const key = trusted.find((item) => item.keyId === envelope.keyId);
  if (!key) {
    throw new AppError({
      code: 'SIGNATURE.UNKNOWN_KEY',
      kind: 'invalid',
      message: `signed with key ${envelope.keyId}, which is not among the ${trusted.length} pinned keys`,
    });
  }
  const publicKey = createPublicKey({ key: Buffer.concat([spkiPrefix, Buffer.from(key.publicKey, 'base64url')]), format: 'der', type: 'spki' });
  if (!verify(null, signedBytes(purpose, envelope.payload), publicKey, Buffer.from(envelope.signature, 'base64url'))) {
    throw new AppError({
      code: 'SIGNATURE.INVALID',
      kind: 'invalid',
      message: `the signature of key ${envelope.keyId} does not match the document: it was changed after signing`,
    });
  }
  return envelope.payload;
}

function parseEnvelope(text: string): SignedEnvelope {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError({ code: 'SIGNATURE.MALFORMED', kind: 'invalid', message: 'the signed document is not JSON', cause });
  }
  const parsed = signedEnvelopeSchema.safeParse(value);
  if (!parsed.success)
    throw new AppError({ code: 'SIGNATURE.MALFORMED', kind: 'invalid', message: `the signed document has the wrong shape: ${z.prettifyError(parsed.error)}` });
  return parsed.data;
}
