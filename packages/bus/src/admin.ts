import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { JetStreamApiError, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { inboxPrefix, streamNames } from '@vrsky/contracts/subjects';
import { AppError } from '@vrsky/kernel/errors';
import { findAccountClaims, tenantAccountClaims, tenantAccountJwt, userJwt } from './account-jwt.ts';
import { jetStreamCodes, toBusError, unavailable } from './bus-error.ts';
import { ask, connectBus } from './connect.ts';
import { isPublicNkey, type Nkey, nkeyFromSeed } from './nkey.ts';
import { controlPermissions, type NodeIdentity, tenantPermissions } from './node-permissions.ts';
import { createUserKey, type PlatformKeys } from './platform-keys.ts';
import { ensureConsumer, ensureStream, findConsumer } from './read-back.ts';
import { relieveIngest } from './relieve.ts';
import { controlStreams, orderedConsumer, pipelineConsumer, retryConsumer, type TenantStorage, tenantStreams, trailConsumer } from './stream-configs.ts';
import { isToken } from './token.ts';

export interface TenantAccount {
  tenantId: string;
  accountSeed: string;
  /** What the plan grants; the bounds of limits.ts when left out. */
  storage?: TenantStorage;
}

/** The control plane's hand on NATS. Connects when first used and reconnects; every method may be called again. */
export interface BusAdmin {
  /** Buckets for configuration and status. Refuses a server that is too old or acknowledges before it has written. */
  ensureControl(): Promise<void>;
  /** The tenant's account, streams and trail consumer, each read back. */
  ensureTenant(tenant: TenantAccount): Promise<void>;
  /**
   * The pipeline's consumers on INGEST and on RETRY, each read back. With `isStrict` also the one for destinations in strict order; with false, one
   * that is there stays for what it still has, and gives it out at once; left out, it is left alone.
   */
  ensurePipelineConsumer(tenant: TenantAccount, pipelineId: string, isStrict?: boolean): Promise<void>;
  removePipelineConsumer(tenant: TenantAccount, pipelineId: string): Promise<void>;
  /** Makes entries that wait for their next attempt come at once, to whoever consumes them next: for a pipeline that nodes no longer run. */
  releaseRetries(tenant: TenantAccount, pipelineId: string): Promise<void>;
  /**
   * Call it every few seconds for tenants with traffic: when INGEST is nearly full, frees the older half of what every pipeline has
   * acknowledged, so that history never keeps new messages out. Resolves with the number of packs freed.
   */
  relieveIngest(tenant: TenantAccount): Promise<number>;
  /** All rights in CONTROL. */
  control(): Promise<NatsConnection>;
  /** The control plane's own user in the tenant's account, with all rights there; one connection a tenant, kept. */
  tenant(tenant: TenantAccount): Promise<NatsConnection>;
  close(): Promise<void>;
}

export interface BusAdminOptions {
  url: string;
  keys: PlatformKeys;
  /** Of the process, for the server's lists. */
  name: string;
  log?: (line: string) => void;
}

const REQUEST_TIMEOUT_MS = 5_000;

export function createBusAdmin(options: BusAdminOptions): BusAdmin {
  const { keys, url } = options;
  const inbox = inboxPrefix(`cp_${randomBytes(9).toString('hex')}`);
  const user = createUserKey();
  const links = new Map<string, Promise<NatsConnection>>();

  const open = async (name: string, account: Nkey, seed: string): Promise<NatsConnection> => {
    const jwt = await userJwt(account, { name, publicKey: nkeyFromSeed('user', seed).publicKey });
    return connectBus({
      url,
      name: `${options.name} ${name}`,
      inbox,
      credentials: () => ({ jwt, seed }),
      ...(options.log === undefined ? {} : { log: options.log }),
    });
  };
  const link = async (name: string, account: Nkey, seed: string): Promise<NatsConnection> => {
    const known = links.get(account.publicKey);
    if (known !== undefined && !(await known).isClosed()) return known;
    // Of callers that come at once, the first opens: a second connection would be nobody's to close.
    const other = links.get(account.publicKey);
    if (other !== undefined && other !== known) return other;
    const opened = open(name, account, seed);
    links.set(account.publicKey, opened);
    // A failed try is not kept: the next caller tries anew.
    opened.catch(() => links.delete(account.publicKey));
    return opened;
  };

  const system = () => link('SYS', nkeyFromSeed('account', keys.systemAccountSeed), keys.systemUserSeed);
  const control = () => link('CONTROL', nkeyFromSeed('account', keys.controlAccountSeed), keys.controlUserSeed);
  const tenant = (t: TenantAccount) => link(t.tenantId, nkeyFromSeed('account', t.accountSeed), user.seed);

  return {
    control,
    tenant,
    async ensureControl() {
      const sys = await system();
      requireVersion(sys.info?.version);
      await requireSyncAlways(sys);
      const jsm = await manager(await control());
      for (const stream of controlStreams(keys)) await ensureStream(jsm, stream);
    },
    async ensureTenant(t) {
      const account = nkeyFromSeed('account', t.accountSeed);
      await ensureAccount(await system(), keys, account, t);
      const jsm = await manager(await tenant(t));
      for (const stream of tenantStreams(t.storage)) await ensureStream(jsm, stream);
      await ensureConsumer(jsm, streamNames.trail, trailConsumer());
    },
    async ensurePipelineConsumer(t, pipelineId, isStrict) {
      requireToken('pipeline id', pipelineId);
      const jsm = await manager(await tenant(t));
      const ordered = orderedConsumer(pipelineId, isStrict === true);
      if (isStrict === true || (isStrict === false && (await findConsumer(jsm, streamNames.ingest, ordered.name)) !== null))
        await ensureConsumer(jsm, streamNames.ingest, ordered);
      await ensureConsumer(jsm, streamNames.ingest, pipelineConsumer(pipelineId));
      await ensureConsumer(jsm, streamNames.retry, retryConsumer(pipelineId));
    },
    async removePipelineConsumer(t, pipelineId) {
      requireToken('pipeline id', pipelineId);
      const jsm = await manager(await tenant(t));
      await removeConsumer(jsm, streamNames.ingest, pipelineConsumer(pipelineId).name);
      await removeConsumer(jsm, streamNames.ingest, orderedConsumer(pipelineId, false).name);
      await removeConsumer(jsm, streamNames.retry, retryConsumer(pipelineId).name);
    },
    async releaseRetries(t, pipelineId) {
      requireToken('pipeline id', pipelineId);
      const jsm = await manager(await tenant(t));
      // They wait in the consumer's memory, not in the stream: a new consumer gets everything that is not acknowledged.
      await removeConsumer(jsm, streamNames.retry, retryConsumer(pipelineId).name);
      await ensureConsumer(jsm, streamNames.retry, retryConsumer(pipelineId));
    },
    async relieveIngest(t) {
      return relieveIngest(await manager(await tenant(t)));
    },
    async close() {
      const open = await Promise.allSettled(links.values());
      links.clear();
      await Promise.all(open.map((result) => (result.status === 'fulfilled' ? result.value.close() : undefined)));
    },
  };
}

/** Lets a node into CONTROL: it reads its pool's and its own configuration, and writes its own status. */
export async function issueControlJwt(keys: PlatformKeys, node: NodeIdentity): Promise<string> {
  requireIdentity(node);
  return userJwt(nkeyFromSeed('account', keys.controlAccountSeed), { name: node.nodeId, publicKey: node.publicKey }, controlPermissions(node));
}

/** Lets a node into a tenant's account: it stores and works off messages, and manages nothing. */
export async function issueTenantJwt(accountSeed: string, node: NodeIdentity): Promise<string> {
  requireIdentity(node);
  return userJwt(nkeyFromSeed('account', accountSeed), { name: node.nodeId, publicKey: node.publicKey }, tenantPermissions(node));
}

/** Permissions are built from these: a dot or a star in one would widen them. */
function requireIdentity({ nodeId, pool, publicKey }: NodeIdentity): void {
  requireToken('node id', nodeId);
  requireToken('pool', pool);
  if (!isPublicNkey('user', publicKey))
    throw new AppError({ code: 'BUS.BAD_NAME', kind: 'invalid', message: "the node's key is not the public key of a NATS user" });
}

function requireToken(what: string, value: string): void {
  if (!isToken(value))
    throw new AppError({
      code: 'BUS.BAD_NAME',
      kind: 'invalid',
      message: `${what} ${JSON.stringify(value)} cannot be part of a NATS subject: letters, digits, - and _ only`,
    });
}

function manager(nc: NatsConnection): Promise<JetStreamManager> {
  return jetstreamManager(nc, { checkAPI: false, timeout: REQUEST_TIMEOUT_MS });
}

async function removeConsumer(jsm: JetStreamManager, stream: string, name: string): Promise<void> {
  try {
    await jsm.consumers.delete(stream, name);
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === jetStreamCodes.consumerNotFound) return;
    throw toBusError(`remove consumer ${name} of stream ${stream}`, error);
  }
}

/**
 * Pushes the account when the server has another one or none, and reads it back: the server answers "updated" also for an
 * account whose signature it will never accept, so that the caller's probe connection is part of the proof.
 */
async function ensureAccount(sys: NatsConnection, keys: PlatformKeys, account: Nkey, t: TenantAccount): Promise<void> {
  const claims = tenantAccountClaims(t.storage);
  const lookup = async () => (await ask(sys, `$SYS.REQ.ACCOUNT.${account.publicKey}.CLAIMS.LOOKUP`, '', REQUEST_TIMEOUT_MS)).text;
  if (isDeepStrictEqual(findAccountClaims(keys, await lookup())?.limits, claims.limits)) return;
  const jwt = await tenantAccountJwt(keys, account, t.tenantId, claims);
  const answer = await ask(sys, '$SYS.REQ.CLAIMS.UPDATE', jwt, REQUEST_TIMEOUT_MS);
  if ((await lookup()) !== jwt) {
    throw new AppError({
      code: 'BUS.CONFIG_MISMATCH',
      kind: 'internal',
      message: `the NATS server does not hold the account of ${t.tenantId} that was pushed to it; it answered ${answer.text.slice(0, 300)}`,
    });
  }
}

/** Older ones lose messages of work queues, acknowledge fields they do not know, or cannot sync before they answer. */
const SERVER_LEAST = [2, 12, 5] as const;

function requireVersion(version: string | undefined): void {
  if (version === undefined) throw unavailable('look at the NATS server: it is not connected');
  const have = version.split(/[.-]/).map(Number);
  for (const [i, least] of SERVER_LEAST.entries()) {
    const part = have[i] ?? Number.NaN;
    if (part > least) return;
    if (!(part >= least))
      throw new AppError({
        code: 'BUS.SERVER_TOO_OLD',
        kind: 'internal',
        message: `nats-server ${version} is too old: ${SERVER_LEAST.join('.')} or newer is needed`,
      });
  }
}

/** One server has no second copy: what it acknowledges has to be on the disk. */
async function requireSyncAlways(sys: NatsConnection): Promise<void> {
  const answer = await ask(sys, '$SYS.REQ.SERVER.PING.JSZ', '', REQUEST_TIMEOUT_MS);
  const { data } = JSON.parse(answer.text) as { data?: { config?: { sync_always?: boolean } } };
  if (data?.config?.sync_always !== true) {
    throw new AppError({
      code: 'BUS.NOT_DURABLE',
      kind: 'internal',
      message: 'the NATS server acknowledges messages before they are on the disk: set jetstream.sync_interval to always',
    });
  }
}
