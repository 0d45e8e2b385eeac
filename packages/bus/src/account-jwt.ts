import { type Account, encodeAccount, encodeOperator, encodeUser, type Permissions } from '@nats-io/jwt';
import type { KeyPair } from '@nats-io/nkeys';
import { limits } from '@vrsky/contracts/limits';
import { isSignedBy, type Nkey, nkeyFromSeed } from './nkey.ts';
import type { PlatformKeys } from './platform-keys.ts';
import { controlStreams, RETRIES_PENDING_MAX, type TenantStorage, tenantStreams } from './stream-configs.ts';

/** The root of trust that the server is configured with. */
export async function operatorJwt(keys: PlatformKeys): Promise<string> {
  const system = nkeyFromSeed('account', keys.systemAccountSeed);
  return encodeOperator('vrsky', keyPair(operator(keys)), { system_account: system.publicKey });
}

export async function systemAccountJwt(keys: PlatformKeys): Promise<string> {
  const account = nkeyFromSeed('account', keys.systemAccountSeed);
  return encodeAccount('SYS', keyPair(account), { limits: { ...noJetStream, ...unlimited } }, { signer: keyPair(operator(keys)) });
}

export async function controlAccountJwt(keys: PlatformKeys): Promise<string> {
  const account = nkeyFromSeed('account', keys.controlAccountSeed);
  const streams = controlStreams(keys);
  const jetStream = { ...storageOf(streams.map((stream) => stream.max_bytes)), streams: streams.length, consumer: -1, max_ack_pending: -1 };
  return encodeAccount('CONTROL', keyPair(account), { limits: { ...unlimited, ...isolated, ...jetStream } }, { signer: keyPair(operator(keys)) });
}

/** Connections of one tenant: nodes of its pool, the console's processes. */
const TENANT_CONNECTIONS_MAX = 1_000;
/** Beside the pipelines' consumers: the trail's. */
const OTHER_CONSUMERS_MAX = 16;

/** A tenant's account: its own storage and names, nothing in, nothing out. */
export function tenantAccountClaims(storage?: TenantStorage): Partial<Account> {
  const streams = tenantStreams(storage);
  return {
    limits: {
      ...unlimited,
      ...isolated,
      conn: TENANT_CONNECTIONS_MAX,
      ...storageOf(streams.map((stream) => stream.max_bytes)),
      streams: streams.length,
      consumer: 2 * limits.pipelinesPerTenantMax + OTHER_CONSUMERS_MAX,
      max_ack_pending: RETRIES_PENDING_MAX,
    },
  };
}

export async function tenantAccountJwt(keys: PlatformKeys, account: Nkey, name: string, claims: Partial<Account>): Promise<string> {
  return encodeAccount(name, keyPair(account), claims, { signer: keyPair(operator(keys)) });
}

/** The claims of an account JWT that this platform's operator signed; null for anything else. */
export function findAccountClaims(keys: PlatformKeys, jwt: string): Partial<Account> | null {
  const [header, body, signature, ...rest] = jwt.split('.');
  if (!header || !body || !signature || rest.length > 0) return null;
  if (!isSignedBy('operator', operator(keys).publicKey, Buffer.from(`${header}.${body}`), Buffer.from(signature, 'base64url'))) return null;
  const { nats } = JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as { nats: Partial<Account> };
  return nats;
}

/** A user in the account of `account`; without `permissions` it may do everything there. */
export async function userJwt(account: Nkey, user: { name: string; publicKey: string }, permissions: Permissions = {}): Promise<string> {
  return encodeUser(user.name, user.publicKey, keyPair(account), permissions);
}

const unlimited = { conn: -1, subs: -1, data: -1, payload: -1, imports: -1, exports: -1, leaf: -1, wildcards: true };
const isolated = { imports: 0, exports: 0, leaf: 0, disallow_bearer: true };
const noJetStream = { mem_storage: 0, disk_storage: 0, streams: 0, consumer: 0 };

function storageOf(streamBytes: number[]) {
  return {
    mem_storage: 0,
    mem_max_stream_bytes: 0,
    disk_storage: streamBytes.reduce((sum, bytes) => sum + bytes, 0),
    disk_max_stream_bytes: Math.max(...streamBytes),
    max_bytes_required: true,
  };
}

function operator(keys: PlatformKeys): Nkey {
  return nkeyFromSeed('operator', keys.operatorSeed);
}

/** The shape that `@nats-io/jwt` signs with. */
function keyPair(key: Nkey): KeyPair {
  const refuse = (): never => {
    throw new Error('bug: this key only signs');
  };
  return {
    getPublicKey: () => key.publicKey,
    // Asked for to see that the key can sign; its bytes are not used.
    getPrivateKey: () => new Uint8Array(64),
    getSeed: refuse,
    sign: (input) => key.sign(input),
    verify: refuse,
    seal: refuse,
    open: refuse,
    clear: () => {},
  };
}
