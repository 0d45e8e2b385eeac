import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { newId } from '@vrsky/contracts/ids';

/** A new API key. The token is shown once; what is stored does not lead back to it. */
export interface NewApiKey {
  id: string;
  /** `vrsky_<id>_<secret>` */
  token: string;
  /** First characters of the token, to recognise it by. */
  prefix: string;
  secretHash: Uint8Array<ArrayBuffer>;
}

const PREFIX_LENGTH = 18;

export function createApiKeyToken(): NewApiKey {
  const id = newId('key');
  const secret = randomBytes(32).toString('base64url');
  const token = `vrsky_${id.slice('key_'.length)}_${secret}`;
  return { id, token, prefix: token.slice(0, PREFIX_LENGTH), secretHash: hashApiKeySecret(secret) };
}

/** The two halves of a token, or null when it is none. */
export function parseApiKeyToken(token: string): { id: string; secret: string } | null {
  const parts = /^vrsky_([0-9a-z]{26})_([A-Za-z0-9_-]{43})$/.exec(token);
  return parts ? { id: `key_${parts[1]}`, secret: parts[2] as string } : null;
}

/** A plain hash is enough: 256 random bits cannot be guessed, however fast the guessing is. */
export function hashApiKeySecret(secret: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash('sha256').update(secret).digest());
}

export function isApiKeySecret(secret: string, hash: Uint8Array): boolean {
  const given = hashApiKeySecret(secret);
  return given.length === hash.length && timingSafeEqual(given, hash);
}
