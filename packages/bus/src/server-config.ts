import { mkdir, statfs } from 'node:fs/promises';
import path from 'node:path';
import { controlAccountJwt, operatorJwt, systemAccountJwt } from './account-jwt.ts';
import { nkeyFromSeed } from './nkey.ts';
import type { PlatformKeys } from './platform-keys.ts';

export interface NatsServerOptions {
  keys: PlatformKeys;
  port: number;
  /** Holds the store and the accounts; the server's state. */
  dir: string;
  /** What all streams together may take. Left out: 64 GiB, at most three quarters of the volume. */
  maxFileBytes?: number;
}

const FILE_BYTES_DEFAULT = 64 * 1_073_741_824;
/** Of the volume; JetStream answers "storage exceeded" properly, but a volume that is really full it does not survive. */
const VOLUME_SHARE = 0.75;

/**
 * The configuration of one nats-server: operator mode with the accounts SYS and CONTROL known from the start, all others pushed
 * by the control plane; JetStream with an fsync before every answer.
 */
export async function natsServerConfig(options: NatsServerOptions): Promise<string> {
  const { keys, port, dir } = options;
  const accounts = path.join(dir, 'accounts');
  await mkdir(accounts, { recursive: true, mode: 0o700 });
  const maxFile = options.maxFileBytes ?? (await defaultFileBytes(dir));
  const system = nkeyFromSeed('account', keys.systemAccountSeed).publicKey;
  const control = nkeyFromSeed('account', keys.controlAccountSeed).publicKey;
  return `server_name: vrsky
listen: "127.0.0.1:${port}"
max_payload: 8MB
operator: ${await operatorJwt(keys)}
system_account: ${system}
resolver {
  type: full
  dir: ${JSON.stringify(accounts)}
  allow_delete: true
  interval: "2m"
  limit: 1000000
}
resolver_preload {
  ${system}: ${await systemAccountJwt(keys)}
  ${control}: ${await controlAccountJwt(keys)}
}
jetstream {
  store_dir: ${JSON.stringify(path.join(dir, 'jetstream'))}
  sync_interval: always
  max_mem: 256MB
  max_file: ${maxFile}
}
`;
}

async function defaultFileBytes(dir: string): Promise<number> {
  const volume = await statfs(dir);
  return Math.min(FILE_BYTES_DEFAULT, Math.floor(volume.blocks * volume.bsize * VOLUME_SHARE));
}
