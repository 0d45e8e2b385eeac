import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createPlatformKeys } from '@vrsky/bus/platform-keys';
import { createPlatformKeysFile, type PlatformKeysFile, readPlatformKeysFile } from '@vrsky/contracts/platform-keys-file';

export interface StackSecrets {
  keysFile: string;
  keys: PlatformKeysFile;
  /** Of the database roles. */
  passwords: { owner: string; app: string; platform: string };
}

/** The stack's secrets, made at its first start and kept beside its databases, readable by their owner only. */
export function keptSecrets(dir: string): StackSecrets {
  const keysFile = path.join(dir, 'platform-keys.json');
  if (!existsSync(keysFile)) writePrivate(keysFile, createPlatformKeysFile(createPlatformKeys()));
  const passwordsFile = path.join(dir, 'database-passwords.json');
  if (!existsSync(passwordsFile)) writePrivate(passwordsFile, { owner: newPassword(), app: newPassword(), platform: newPassword() });
  return { keysFile, keys: readPlatformKeysFile(keysFile), passwords: JSON.parse(readFileSync(passwordsFile, 'utf8')) as StackSecrets['passwords'] };
}

const newPassword = (): string => randomBytes(24).toString('base64url');

function writePrivate(file: string, value: unknown): void {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
}
