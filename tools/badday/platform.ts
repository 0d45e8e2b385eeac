import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type BusAdmin, createBusAdmin, type TenantAccount } from '@vrsky/bus/admin';
import { type PlatformKeysFile, readPlatformKeysFile } from '@vrsky/contracts/platform-keys-file';
import { createDb } from '@vrsky/db/client';
import { childrenOf } from '@vrsky/testkit/process-record';
import { scratchDir } from '@vrsky/testkit/scratch';
import { getTenantAccount } from '../../apps/console/src/features/tenancy/server/tenant-account.ts';
import { createPlatform } from '../../apps/console/src/server/platform.ts';
import { portsFrom } from '../up/config.ts';
import { findFreeBase } from '../up/free-ports.ts';
import { type Stack, startStack } from '../up/stack.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { createTenant, type Tenant } from './tenant.ts';

/** A whole VRSky of its own for one test file, and the receiver that its pipelines send to. */
export interface Platform extends AsyncDisposable {
  readonly stack: Stack;
  readonly receiver: Receiver;
  readonly acme: Tenant;
  readonly globex: Tenant;
  /** Every secret of the platform, for tests that act as whoever stole them, or look where no API looks. */
  readonly keys: PlatformKeysFile;
  /** All rights on NATS. */
  readonly bus: BusAdmin;
  account(tenant: Tenant): Promise<TenantAccount>;
  /** The node's connector process for this role as it is now, or null while there is none. */
  connectorPid(role: ConnectorRole): number | null;
  /** The last words of our programs, for a test that failed. */
  logs(): string;
}

export type ConnectorRole = 'source' | 'destination';

/** Long, because the first one on a machine builds the console. */
export const START_MS = 400_000;

export async function startPlatform(options: { env?: Record<string, string>; egressAllow?: string[] } = {}): Promise<Platform> {
  await using undo = new AsyncDisposableStack();
  const receiver = undo.use(await startReceiver());
  const dir = scratchDir('badday');
  const stack = undo.use(
    await startStack({
      dir,
      ports: portsFrom(await findFreeBase()),
      fresh: true,
      egressAllow: [`127.0.0.1:${receiver.port}`, ...(options.egressAllow ?? [])],
      ...(options.env === undefined ? {} : { env: options.env }),
    }),
  );
  const { dev, parts } = stack;
  const keys = readPlatformKeysFile(path.join(dir, 'platform-keys.json'));
  const bus = createBusAdmin({ url: dev.nats, keys: keys.nats, name: 'test' });
  undo.defer(() => bus.close());
  const started = undo.move();
  return {
    stack,
    receiver,
    acme: createTenant(dev.console, { ...dev.tenant, user: dev.user }, dev.apiKey),
    globex: createTenant(
      dev.console,
      { slug: dev.otherTenant.slug, customerId: dev.otherTenant.customerId, user: dev.otherTenant.user },
      dev.otherTenant.apiKey,
    ),
    keys,
    bus,
    async account({ customerId }) {
      await using db = createDb({ url: dev.postgres, name: 'test', max: 1 });
      const addresses = { natsUrl: dev.nats, ingestUrl: dev.ingest, receiverUrl: '', consoleUrl: dev.console };
      return await getTenantAccount({ db, platform: createPlatform(addresses, keys), tenantId: customerId });
    },
    connectorPid(role) {
      const node = parts.node.pid();
      const children = node === null ? [] : childrenOf(node);
      return children.find(({ pid }) => environmentOf(pid).includes(`VRSKY_HTTP_ROLES=${role}`))?.pid ?? null;
    },
    logs: () => (['worker', 'console', 'node'] as const).map((name) => `--- ${name}\n${parts[name].output().slice(-6_000)}`).join('\n'),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return []; // it has ended since
  }
}
