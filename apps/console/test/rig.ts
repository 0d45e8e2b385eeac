import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type BusAdmin, createBusAdmin, type TenantAccount } from '@vrsky/bus/admin';
import { createPlatformKeys } from '@vrsky/bus/platform-keys';
import { natsServerConfig } from '@vrsky/bus/server-config';
import { createPlatformKeysFile } from '@vrsky/contracts/platform-keys-file';
import { createDb, type Db } from '@vrsky/db/client';
import { createScratchDatabase } from '@vrsky/db/scratch-database';
import { findSessionUser } from '@vrsky/db/sign-in';
import { startNats } from '@vrsky/testkit/nats';
import { freePort } from '@vrsky/testkit/ports';
import { startPostgres } from '@vrsky/testkit/postgres';
import { scratchDir } from '@vrsky/testkit/scratch';
import { encode } from 'next-auth/jwt';
import { createApiKey } from '../src/features/tenancy/server/create-api-key.ts';
import { getTenantAccount } from '../src/features/tenancy/server/tenant-account.ts';
import { ensureMembership, ensureTenant, ensureUser } from '../src/features/tenancy/server/tenants.ts';
import type { Role } from '../src/features/tenancy/types.ts';
import { getBus } from '../src/server/bus.ts';
import type { TenantContext } from '../src/server/context.ts';
import { getDb } from '../src/server/db.ts';
import { closeLive } from '../src/server/live.ts';
import { log } from '../src/server/log.ts';
import { hashPassword } from '../src/server/passwords.ts';
import { getPlatform } from '../src/server/platform.ts';

export const PASSWORD = 'a long enough password';

export interface TestTenant {
  slug: string;
  /** Of its owner; services take it. */
  context: TenantContext;
  email: string;
  cookie: string;
  apiKey: string;
  account: TenantAccount;
}

/** The console's surroundings for one test file: a database and a NATS of its own, two tenants, and the environment that says so. */
export interface Rig extends AsyncDisposable {
  /** As the control worker: sees every tenant. */
  platformDb: Db;
  /** As the console. */
  db: Db;
  /** As a superuser: for breaking things. */
  adminDb: Db;
  bus: BusAdmin;
  /** Where NATS stores what it holds. */
  natsDir: string;
  acme: TestTenant;
  globex: TestTenant;
  /** Signs in one more member of a tenant and gives back the cookie. */
  addMember(tenant: TestTenant, role: Role): Promise<string>;
}

export async function startRig(options: { receiverUrl?: string; ingestUrl?: string } = {}): Promise<Rig> {
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(await startPostgres());
  const nats = createPlatformKeys();
  const server = stack.use(await startNats({ config: (port, dir) => natsServerConfig({ keys: nats, port, dir }) }));
  const urls = await createScratchDatabase(postgres.url);
  const keys = createPlatformKeysFile(nats);
  const keysFile = path.join(scratchDir('console'), 'keys.json');
  writeFileSync(keysFile, JSON.stringify(keys), { mode: 0o600 });
  // Ports on which nobody listens: the tests start no worker, and only some a receiver.
  const nobody = `http://127.0.0.1:${await freePort()}`;
  Object.assign(process.env, {
    DATABASE_URL: urls.app,
    NATS_URL: server.url,
    VRSKY_KEYS_FILE: keysFile,
    VRSKY_CONSOLE_URL: 'http://127.0.0.1:4800',
    VRSKY_RECEIVER_URL: options.receiverUrl ?? nobody,
    VRSKY_INGEST_URL: options.ingestUrl ?? nobody,
    VRSKY_WORKER_URL: nobody,
  });
  log.level = 'silent';
  // What the console opened for itself while it was tested.
  stack.defer(async () => {
    await closeLive();
    await getBus(getPlatform()).close();
    await getDb()[Symbol.asyncDispose]();
  });
  const platformDb = stack.use(createDb({ url: urls.platform, name: 'test platform', max: 4 }));
  const db = stack.use(createDb({ url: urls.app, name: 'test console', max: 4 }));
  const adminDb = stack.use(createDb({ url: postgres.url, name: 'test admin', max: 1 }));
  const bus = createBusAdmin({ url: server.url, keys: nats, name: 'test' });
  stack.defer(() => bus.close());
  await bus.ensureControl();

  const cookieOf = async (userId: string): Promise<string> => {
    const user = await findSessionUser(db, userId);
    const token = { sub: userId, userId, sessionsFromMs: user?.sessionsFrom.getTime() };
    return `next-auth.session-token=${await encode({ token, secret: keys.authSecret })}`;
  };
  const passwordHash = await hashPassword(PASSWORD);
  const makeTenant = async (slug: string, email: string): Promise<TestTenant> => {
    const platform = { db: platformDb, platform: getPlatform() };
    const { tenantId } = await ensureTenant(platform, { slug, name: slug });
    const { userId } = await ensureUser(platformDb, { email, name: email, passwordHash });
    await ensureMembership(platformDb, { tenantId, userId, role: 'owner' });
    const context: TenantContext = { db, platform: getPlatform(), tenantId, actor: { kind: 'user', id: userId, name: email }, role: 'owner' };
    const account = await getTenantAccount(context);
    await bus.ensureTenant(account);
    const { secret } = await createApiKey(context, { name: 'test' });
    return { slug, context, email, cookie: await cookieOf(userId), apiKey: secret, account };
  };
  const acme = await makeTenant('acme', 'ada@acme.test');
  const globex = await makeTenant('globex', 'grace@globex.test');

  const owned = stack.move();
  return {
    platformDb,
    db,
    adminDb,
    bus,
    natsDir: server.dir,
    acme,
    globex,
    async addMember(tenant, role) {
      const { userId } = await ensureUser(platformDb, { email: `${role}@${tenant.slug}.test`, name: role, passwordHash });
      await ensureMembership(platformDb, { tenantId: tenant.context.tenantId, userId, role });
      return cookieOf(userId);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
