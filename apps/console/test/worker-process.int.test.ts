import { execFile } from 'node:child_process';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { createBusAdmin } from '@vrsky/bus/admin';
import { createConfigBucket } from '@vrsky/bus/config-bucket';
import { createPlatformKeys } from '@vrsky/bus/platform-keys';
import { natsServerConfig } from '@vrsky/bus/server-config';
import { createPlatformKeysFile } from '@vrsky/contracts/platform-keys-file';
import { findReceiverTenant } from '@vrsky/contracts/receiver';
import { configKeys } from '@vrsky/contracts/subjects';
import { createDb, type Db } from '@vrsky/db/client';
import { type DatabaseUrls, prepareDatabase } from '@vrsky/db/prepare-database';
import { findApiKey, findSignInUser, listMemberships } from '@vrsky/db/sign-in';
import { type AppOptions, spawnApp } from '@vrsky/testkit/app';
import { eventually } from '@vrsky/testkit/eventually';
import { type NatsServer, startNats } from '@vrsky/testkit/nats';
import { freePort } from '@vrsky/testkit/ports';
import { type PostgresServer, startPostgres } from '@vrsky/testkit/postgres';
import { scratchDir } from '@vrsky/testkit/scratch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SeedResult } from '../src/features/tenancy/server/seed.ts';
import { isApiKeySecret, parseApiKeyToken } from '../src/server/api-key-token.ts';
import { isPassword } from '../src/server/passwords.ts';

const entry = (name: string) => path.join(import.meta.dirname, '../src/worker', name);
const run = promisify(execFile);

const natsKeys = createPlatformKeys();
const keys = createPlatformKeysFile(natsKeys);
const dir = scratchDir('worker');
const keysFile = path.join(dir, 'keys.json');
const seedFile = path.join(dir, 'seed.json');
let postgres: PostgresServer;
let nats: NatsServer;
let urls: DatabaseUrls;
let db: Db;
let env: Record<string, string>;
let port: number;

beforeAll(async () => {
  writeFileSync(keysFile, JSON.stringify(keys), { mode: 0o600 });
  postgres = await startPostgres();
  nats = await startNats({ config: (natsPort, natsDir) => natsServerConfig({ keys: natsKeys, port: natsPort, dir: natsDir }) });
  urls = await prepareDatabase({ adminUrl: postgres.url, database: 'vrsky', passwords: { owner: 'o', app: 'a', platform: 'p' } });
  db = createDb({ url: urls.platform, name: 'test', log: () => {} });
  port = await freePort();
  env = {
    NATS_URL: nats.url,
    VRSKY_KEYS_FILE: keysFile,
    VRSKY_SEED_FILE: seedFile,
    VRSKY_WORKER_PORT: String(port),
    VRSKY_RECEIVER_URL: 'http://127.0.0.1:4802',
  };
});
afterAll(async () => {
  await db[Symbol.asyncDispose]();
  await nats.stop();
  await postgres.stop();
});

const seed = async (more: Record<string, string> = {}): Promise<SeedResult> =>
  JSON.parse(
    (await run(process.execPath, [entry('seed-main.ts')], { env: { ...process.env, ...env, DATABASE_OWNER_URL: urls.owner, ...more } })).stdout,
  ) as SeedResult;
const workerApp = (): AppOptions => ({
  entry: entry('main.ts'),
  env: { ...env, VRSKY_PLATFORM_DATABASE_URL: urls.platform },
  ready: `http://127.0.0.1:${port}/ready`,
});
const isLeading = async () => (await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).includes('vrsky_worker_leading 1');

/** Whether a tenant's bundle lies in NATS, asked anew each time: the server is replaced under us. */
async function bundleIsThere(tenantId: string): Promise<boolean> {
  const bus = createBusAdmin({ url: nats.url, keys: natsKeys, name: 'test' });
  try {
    return (await createConfigBucket(await bus.control()).get(configKeys.bundle('shared', tenantId))) !== null;
  } finally {
    await bus.close();
  }
}

let seeded: SeedResult;

describe('the seed', () => {
  it('makes two tenants that can sign in and call, and a published demo pipeline', async () => {
    seeded = await seed();
    expect(seeded.tenant.slug).toBe('acme');
    expect(seeded.otherTenant.slug).toBe('globex');
    for (const { user, tenant, apiKey } of [seeded, { ...seeded.otherTenant, tenant: seeded.otherTenant }]) {
      const found = await findSignInUser(db, user.email);
      expect(await isPassword(found?.passwordHash ?? null, user.password)).toBe(true);
      expect(await listMemberships(db, found?.id ?? '')).toMatchObject([{ tenantId: tenant.customerId, slug: tenant.slug, role: 'owner' }]);
      const parsed = parseApiKeyToken(apiKey);
      const key = await findApiKey(db, parsed?.id ?? '');
      expect(key?.tenantId).toBe(tenant.customerId);
      expect(isApiKeySecret(parsed?.secret ?? '', key?.secretHash ?? new Uint8Array())).toBe(true);
    }
    expect(findReceiverTenant(keys.receiverKey, seeded.demo.receiverUrl.split('/').at(-1) ?? '')).toBe(seeded.tenant.customerId);
    const demo = await db.prisma.pipeline.findFirstOrThrow({ where: { id: seeded.demo.pipelineId }, include: { published: true } });
    expect(demo.published?.number).toBe(1);
    expect(demo.published?.modules).toHaveLength(2);
    expect(statSync(seedFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(seedFile, 'utf8')).toContain(seeded.apiKey);
  });

  it('run again changes nothing; with the receiver elsewhere, the demo follows it', async () => {
    expect(await seed()).toEqual(seeded);
    expect(await db.prisma.pipeline.count()).toBe(1);
    const moved = await seed({ VRSKY_RECEIVER_URL: 'http://127.0.0.1:5999' });
    expect(moved.demo.receiverUrl).toContain('127.0.0.1:5999');
    const demo = await db.prisma.pipeline.findFirstOrThrow({ where: { id: seeded.demo.pipelineId }, include: { published: true } });
    expect(demo.published?.spec).toContain(moved.demo.receiverUrl);
    seeded = await seed();
    expect(await db.prisma.apiKey.count()).toBe(2);
  });

  it('names what is missing and ends with 78', async () => {
    const failed = await run(process.execPath, [entry('seed-main.ts')], { env: { PATH: process.env.PATH, NODE_ENV: 'test' } }).catch(
      (error: { code: number; stderr: string; stdout: string }) => error,
    );
    expect(failed).toMatchObject({ code: 78, stdout: '' });
    expect(failed.stderr).toContain('DATABASE_OWNER_URL is missing');
    expect(failed.stderr).toContain('VRSKY_KEYS_FILE is missing');
  });

  it('has a sister that prints a fresh join token', async () => {
    const token = async () =>
      (await run(process.execPath, [entry('join-token-main.ts')], { env: { ...process.env, DATABASE_OWNER_URL: urls.owner } })).stdout.trim();
    const [first, second] = [await token(), await token()];
    expect(first).toMatch(/^vrsky_join_[\w-]{43}$/);
    expect(second).not.toBe(first);
    expect(await db.prisma.joinToken.count({ where: { pool: 'shared', usedAt: null } })).toBe(2);
  });
});

describe('the worker process', () => {
  it('ends by itself with 0 when it is asked to', async () => {
    const worker = await spawnApp(workerApp());
    await eventually(() => bundleIsThere(seeded.tenant.customerId), { what: 'the bundle' });
    const exit = await worker.stop({ signal: 'SIGTERM', graceMs: 10_000 });
    expect(exit).toEqual({ code: 0, signal: null });
  });

  it('killed, leaves the lead to the next one', async () => {
    const first = await spawnApp(workerApp());
    await eventually(isLeading);
    await first.kill();
    await using second = await spawnApp(workerApp());
    await eventually(isLeading, { what: 'the second to lead' });
    void second;
  });

  it('starts without NATS and without Postgres, and does its work when they come', async () => {
    await nats.stop();
    rmSync(path.join(nats.dir, 'jetstream'), { recursive: true, force: true });
    await using worker = await spawnApp(workerApp());
    await nats.start();
    await eventually(() => bundleIsThere(seeded.tenant.customerId), { timeoutMs: 20_000, what: 'the bundle' });
    await postgres.kill();
    await eventually(async () => (await fetch(`http://127.0.0.1:${port}/ready`)).status === 503, { what: 'the worker to notice' });
    expect((await fetch(`http://127.0.0.1:${port}/live`)).status).toBe(200);
    await postgres.start();
    await eventually(isLeading, { timeoutMs: 20_000, what: 'the worker to lead again' });
    expect(worker.exit()).toBeNull();
  });

  it('puts everything back when NATS is replaced by an empty one', async () => {
    await using worker = await spawnApp(workerApp());
    await eventually(() => bundleIsThere(seeded.tenant.customerId), { what: 'the bundle' });
    await nats.kill();
    for (const name of ['jetstream', 'accounts', 'jwt', 'resolver']) rmSync(path.join(nats.dir, name), { recursive: true, force: true });
    await nats.start();
    for (const tenantId of [seeded.tenant.customerId, seeded.otherTenant.customerId])
      await eventually(() => bundleIsThere(tenantId), { timeoutMs: 30_000, what: 'the bundle to be back' });
    void worker;
  });
});
