import type { NatsConnection } from '@nats-io/transport-node';
import { inboxPrefix } from '@vrsky/contracts/subjects';
import { type NatsServer, startNats } from '@vrsky/testkit/nats';
import { type BusAdmin, createBusAdmin, issueControlJwt, issueTenantJwt, type TenantAccount } from '../src/admin.ts';
import { connectBus } from '../src/connect.ts';
import { createAccountSeed, createPlatformKeys, createUserKey, type PlatformKeys } from '../src/platform-keys.ts';
import { natsServerConfig } from '../src/server-config.ts';

/** A node with its key, as enrolment would make it. */
export interface TestNode {
  nodeId: string;
  pool: string;
  seed: string;
  publicKey: string;
}

export interface TestBus {
  nats: NatsServer;
  keys: PlatformKeys;
  admin: BusAdmin;
  /** A new tenant with small streams. */
  tenant(id: string, storage?: Partial<TenantAccount['storage'] & object>): Promise<TenantAccount>;
  node(nodeId: string, pool: string): TestNode;
  inControl(node: TestNode): Promise<NatsConnection>;
  inTenant(tenant: TenantAccount, node: TestNode): Promise<NatsConnection>;
  /** Ends with the bus. */
  connect(options: Parameters<typeof connectBus>[0]): Promise<NatsConnection>;
  [Symbol.asyncDispose](): Promise<void>;
}

const MIB = 1_048_576;

/** A real server in operator mode with the two buckets, and the control plane's hand on it. */
export async function startBus(): Promise<TestBus> {
  const keys = createPlatformKeys();
  const nats = await startNats({ config: (port, dir) => natsServerConfig({ keys, port, dir, maxFileBytes: 8_192 * MIB }) });
  const admin = createBusAdmin({ url: nats.url, keys, name: 'test' });
  const open: NatsConnection[] = [];
  const connect = async (options: Parameters<typeof connectBus>[0]) => {
    const nc = await connectBus(options);
    open.push(nc);
    return nc;
  };
  await admin.ensureControl();
  return {
    nats,
    keys,
    admin,
    connect,
    async tenant(tenantId, storage) {
      const tenant = {
        tenantId,
        accountSeed: createAccountSeed(),
        storage: { ingestBytes: 32 * MIB, retryBytes: 8 * MIB, dlqBytes: 8 * MIB, trailBytes: 8 * MIB, ...storage },
      };
      await admin.ensureTenant(tenant);
      return tenant;
    },
    node: (nodeId, pool) => ({ nodeId, pool, ...createUserKey() }),
    async inControl(node) {
      const jwt = await issueControlJwt(keys, node);
      return connect({ url: nats.url, name: node.nodeId, inbox: inboxPrefix(node.nodeId), credentials: () => ({ jwt, seed: node.seed }) });
    },
    async inTenant(tenant, node) {
      const jwt = await issueTenantJwt(tenant.accountSeed, node);
      return connect({ url: nats.url, name: node.nodeId, inbox: inboxPrefix(node.nodeId), credentials: () => ({ jwt, seed: node.seed }) });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(open.map((nc) => nc.close()));
      await admin.close();
      await nats.stop();
    },
  };
}
