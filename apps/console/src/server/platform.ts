import { createHash } from 'node:crypto';
import type { PlatformKeysFile } from '@vrsky/contracts/platform-keys-file';
import { type SigningKey, signingKeyFromSeed, type TrustedKey } from '@vrsky/contracts/signed';
import { getConsoleConfig, type PlatformConfig } from './config.ts';
import { singleton } from './singleton.ts';

/** The key under which tenants' keys are sealed, and the name it has in the rows that it sealed. */
export interface KeyEncryptionKey {
  id: string;
  key: Buffer;
}

/** What services need of the platform: addresses, and keys to sign and seal with. */
export interface Platform {
  config: PlatformConfig;
  nats: PlatformKeysFile['nats'];
  bundleKey: SigningKey;
  /** What nodes pin. */
  trustedKeys: TrustedKey[];
  kek: KeyEncryptionKey;
  receiverKey: string;
}

export function createPlatform(config: PlatformConfig, keys: PlatformKeysFile): Platform {
  const kek = Buffer.from(keys.kek, 'base64url');
  return {
    config,
    nats: keys.nats,
    bundleKey: signingKeyFromSeed(keys.bundleKey.keyId, keys.bundleKey.seed),
    trustedKeys: [{ keyId: keys.bundleKey.keyId, publicKey: keys.bundleKey.publicKey }],
    kek: { id: `kek_${createHash('sha256').update('vrsky/kek-id/1').update(kek).digest('hex').slice(0, 12)}`, key: kek },
    receiverKey: keys.receiverKey,
  };
}

/** The console's platform. */
export function getPlatform(): Platform {
  return singleton('platform', () => {
    const { config, secrets } = getConsoleConfig();
    return createPlatform(config, secrets.keys);
  });
}
