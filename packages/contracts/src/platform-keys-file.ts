import { randomBytes } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';
import { AppError } from '@vrsky/kernel/errors';
import { z } from 'zod';
import { generateSigningKey } from './signed.ts';

const seedSchema = z.string().min(40).max(100);
const keySchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/, '32 bytes as base64url');

/** Every secret of a platform that is not a tenant's: one JSON file, readable by its owner only, never in NATS or Postgres. */
export const platformKeysFileSchema = z.strictObject({
  /** The shape of `PlatformKeys` in @vrsky/bus. */
  nats: z.strictObject({
    operatorSeed: seedSchema,
    systemAccountSeed: seedSchema,
    systemUserSeed: seedSchema,
    controlAccountSeed: seedSchema,
    controlUserSeed: seedSchema,
  }),
  /** Signs bundles, heads, grants and run requests; nodes pin its public half. */
  bundleKey: z.strictObject({ keyId: z.string().min(1).max(100), seed: keySchema, publicKey: keySchema }),
  /** Key-encryption key: tenants' account seeds and proof keys hang on it. */
  kek: keySchema,
  /** Makes the names of the test receiver's bins. */
  receiverKey: keySchema,
  /** Signs browser sessions. */
  authSecret: keySchema,
});
export type PlatformKeysFile = z.infer<typeof platformKeysFileSchema>;

/** Fresh keys for a new platform, around its NATS keys. */
export function createPlatformKeysFile(nats: PlatformKeysFile['nats']): PlatformKeysFile {
  const random = () => randomBytes(32).toString('base64url');
  const { seed, publicKey } = generateSigningKey();
  return { nats, bundleKey: { keyId: `cp_${publicKey.slice(0, 8)}`, seed, publicKey }, kek: random(), receiverKey: random(), authSecret: random() };
}

/** Throws AppError `KEYS_FILE.*` with one sentence; a value of the file is never part of it. */
export function readPlatformKeysFile(path: string): PlatformKeysFile {
  const parsed = platformKeysFileSchema.safeParse(readPrivateJson(path));
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map((issue) => issue.path.join('.') || issue.code).join(', ');
  throw refused('MALFORMED', `the keys file ${path} is not usable; look at: ${fields}`);
}

function readPrivateJson(path: string): unknown {
  let text: string;
  try {
    const { mode } = lstatSync(path);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) throw refused('EXPOSED', `the keys file ${path} can be read by others: chmod 600`);
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw cause instanceof AppError ? cause : refused('UNREADABLE', `the keys file ${path} cannot be read`, cause);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw refused('MALFORMED', `the keys file ${path} is not JSON`); // without the parser's message: it quotes the text
  }
}

function refused(reason: string, message: string, cause?: unknown): AppError {
  return new AppError({ code: `KEYS_FILE.${reason}`, kind: 'precondition', message, ...(cause === undefined ? {} : { cause }) });
}
