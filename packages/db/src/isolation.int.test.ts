import { type PostgresServer, startPostgres } from '@vrsky/testkit/postgres';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDb, type Db, withTenant } from './client.ts';
import type { DatabaseUrls } from './prepare-database.ts';
import { createScratchDatabase } from './scratch-database.ts';
import { findApiKey, findSessionUser, findSignInUser, listMemberships } from './sign-in.ts';

let postgres: PostgresServer;
let urls: DatabaseUrls;
let app: Db;
let platform: Db;

/** Every table with a tenant, filled for two of them. */
beforeAll(async () => {
  postgres = await startPostgres();
  urls = await createScratchDatabase(postgres.url);
  app = createDb({ url: urls.app, name: 'test app' });
  platform = createDb({ url: urls.platform, name: 'test platform' });
  for (const t of ['a', 'b']) {
    await platform.pool.query(`
      INSERT INTO tenant (id, slug, name, pool, account_seed, account_kek) VALUES ('cus_${t}', 'slug-${t}', 'Tenant ${t}', 'pool-${t}', 'seed', 'kek');
      INSERT INTO app_user (id, email, name, password_hash) VALUES ('usr_${t}', '${t}@example.test', 'User ${t}', 'hash');
      INSERT INTO membership (tenant_id, user_id, role) VALUES ('cus_${t}', 'usr_${t}', 'owner');
      INSERT INTO api_key (tenant_id, id, name, prefix, secret_hash, created_by) VALUES ('cus_${t}', 'key_${t}', 'Key', 'vk', 'hash', 'usr_${t}');
      INSERT INTO pipeline (tenant_id, id, name, inlet_path, draft, draft_hash) VALUES ('cus_${t}', 'pip_${t}', 'Orders', 'in_${t}', '{}', 'h');
      INSERT INTO revision (tenant_id, pipeline_id, number, name, spec, hash, modules, created_by_id, created_by_name) VALUES ('cus_${t}', 'pip_${t}', 1, 'Orders', '{}', 'h', '[]', 'usr_${t}', 'User');
      INSERT INTO bundle (tenant_id, pool, epoch, generation, hash, envelope) VALUES ('cus_${t}', 'pool-${t}', 1, 1, 'h', 'e');
      INSERT INTO outbox (tenant_id, pool) VALUES ('cus_${t}', 'pool-${t}');
      INSERT INTO node (id, name, pool, version, identity_key, seal_key) VALUES ('nod_${t}', 'n', 'pool-${t}', '1', 'U${t}', 's');
      INSERT INTO node_secrets (tenant_id, node_id, basis, envelope) VALUES ('cus_${t}', 'nod_${t}', 'b', 'e');
      INSERT INTO node_report (tenant_id, node_id, at) VALUES ('cus_${t}', 'nod_${t}', now());
      INSERT INTO node_grant (tenant_id, node_id, basis, envelope) VALUES ('cus_${t}', 'nod_${t}', 'b', 'e');
      INSERT INTO message (tenant_id, received_at, id, pipeline_id, revision, stored_at, state, bytes, content_type, trace_id, seq, idx, steps, destinations, attempts)
        VALUES ('cus_${t}', now(), 'msg_${t}', 'pip_${t}', 1, now(), 'delivered', 1, 'text/plain', 't', 1, 0, '[]', '[]', 1);
      INSERT INTO dead_letter (tenant_id, message_id, destination_id, pipeline_id, revision, received_at, at, attempts, code, reason) VALUES ('cus_${t}', 'msg_${t}', 'http', 'pip_${t}', 1, now(), now(), 6, 'c', 'r');
      INSERT INTO message_minute (tenant_id, pipeline_id, minute) VALUES ('cus_${t}', 'pip_${t}', now());
      INSERT INTO trail_position (tenant_id, as_of, behind) VALUES ('cus_${t}', now(), false);
      INSERT INTO connector_minute (tenant_id, minute, node_id, process_id, connector, version, digest, shared, revision, methods)
        VALUES ('cus_${t}', now(), 'nod_${t}', 'p', 'http', '1', 'd', false, 1, '[]');
      INSERT INTO connector_event (tenant_id, minute, node_id, process_id, idx, at, kind, connector, version, digest, reason)
        VALUES ('cus_${t}', now(), 'nod_${t}', 'p', 0, now(), 'started', 'http', '1', 'd', 'r');
      INSERT INTO source_refusal (tenant_id, pipeline_id, minute, source_id, reason, node_id, process_id, count, at)
        VALUES ('cus_${t}', 'pip_${t}', now(), 'source', 'signature_mismatch', 'nod_${t}', 'p', 1, now());`);
    // The worker may not make secrets; the console does.
    await withTenant(app, `cus_${t}`, async (tx) => {
      const owner = { createdById: `usr_${t}`, createdByName: 'User' };
      await tx.tenantKey.create({ data: { tenantId: `cus_${t}`, id: `dek_${t}`, kekId: 'kek', sealed: Buffer.from('s') } });
      await tx.secret.create({ data: { tenantId: `cus_${t}`, id: `sec_${t}`, name: 'api-token' } });
      await tx.secretVersion.create({
        data: { tenantId: `cus_${t}`, secretId: `sec_${t}`, number: 1, keyId: `dek_${t}`, ciphertext: Buffer.from('c'), fingerprint: 'f', ...owner },
      });
    });
  }
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await platform[Symbol.asyncDispose]();
  await postgres.stop();
});

/** Runs hand-written SQL as the console's role, as tenant A, and takes it back. */
async function asTenantA<T extends pg.QueryResultRow>(sql: string): Promise<T[]> {
  const client = await app.pool.connect();
  try {
    await client.query('BEGIN');
    await client.query("SELECT set_config('app.tenant_id', 'cus_a', true)");
    const result = await client.query<T>(sql);
    return result.rows;
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

const readable = [
  'tenant',
  'membership',
  'api_key',
  'pipeline',
  'revision',
  'bundle',
  'outbox',
  'node',
  'node_report',
  'message',
  'dead_letter',
  'message_minute',
  'trail_position',
  'connector_minute',
  'connector_event',
  'source_refusal',
  'tenant_key',
  'secret',
  'secret_version',
];

test.each(readable)('of %s a tenant sees its own rows only, and without a tenant there are none', async (table) => {
  const key = table === 'tenant' ? 'id' : table === 'node' ? "replace(pool, 'pool-', 'cus_')" : 'tenant_id';
  expect(await asTenantA(`SELECT ${key} AS tenant FROM ${table}`)).toEqual([{ tenant: 'cus_a' }]);
  expect((await app.pool.query(`SELECT 1 FROM ${table}`)).rowCount).toBe(0);
});

test('people are visible within their tenant, and their password hashes to nobody', async () => {
  expect(await asTenantA('SELECT id FROM app_user')).toEqual([{ id: 'usr_a' }]);
  await expect(asTenantA('SELECT password_hash FROM app_user')).rejects.toThrow(/permission denied/);
});

test.each(['node_grant', 'node_secrets', 'join_token', 'pool_head'])('the console cannot read %s at all', async (table) => {
  await expect(asTenantA(`SELECT 1 FROM ${table}`)).rejects.toThrow(/permission denied/);
});

test("a row cannot be written into another tenant, and another tenant's row is not there to change", async () => {
  const row = (tenant: string) =>
    `INSERT INTO pipeline (tenant_id, id, name, inlet_path, draft, draft_hash) VALUES ('${tenant}', 'pip_new', 'x', 'in_new', '{}', 'h')`;
  await expect(asTenantA(row('cus_b'))).rejects.toThrow(/row-level security/);
  expect(await asTenantA(`${row('cus_a')} RETURNING id`)).toEqual([{ id: 'pip_new' }]);
  expect(await asTenantA("UPDATE pipeline SET name = 'mine' WHERE id = 'pip_b' RETURNING id")).toEqual([]);
  await expect(asTenantA("UPDATE pipeline SET tenant_id = 'cus_b' WHERE id = 'pip_a'")).rejects.toThrow(
    /row-level security|permission denied|violates foreign key/,
  );
});

test("a foreign key to another tenant's row is refused", async () => {
  const revision =
    "INSERT INTO revision (tenant_id, pipeline_id, number, name, spec, hash, modules, created_by_id, created_by_name) VALUES ('cus_a', 'pip_b', 1, 'x', '{}', 'h', '[]', 'u', 'u')";
  await expect(asTenantA(revision)).rejects.toThrow(/violates foreign key/);
  const message =
    "INSERT INTO message (tenant_id, received_at, id, pipeline_id, revision, stored_at, state, bytes, content_type, trace_id, seq, idx, steps, destinations, attempts) VALUES ('cus_a', now(), 'm', 'pip_b', 1, now(), 'delivered', 1, 't', 't', 1, 0, '[]', '[]', 1)";
  await expect(platform.pool.query(message)).rejects.toThrow(/violates foreign key/);
});

test('a partition cannot be read around its guarded parent', async () => {
  const { rows } = await platform.pool.query<{ name: string }>(
    "SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'parts'::regnamespace AND c.relkind = 'r'",
  );
  expect(rows.length).toBeGreaterThan(3);
  for (const { name } of rows) await expect(asTenantA(`SELECT 1 FROM parts.${name}`)).rejects.toThrow(/permission denied/);
});

test('a revision never changes, whoever tries', async () => {
  await expect(asTenantA("UPDATE revision SET spec = 'x'")).rejects.toThrow(/permission denied/);
  const owner = new pg.Client({ connectionString: urls.owner });
  await owner.connect();
  await owner.query("SELECT set_config('app.tenant_id', 'cus_a', false)");
  await expect(owner.query("UPDATE revision SET spec = 'x'")).rejects.toThrow('a revision never changes');
  await owner.end();
});

test('the owner too sees no row without a tenant', async () => {
  const owner = new pg.Client({ connectionString: urls.owner });
  await owner.connect();
  expect((await owner.query('SELECT 1 FROM pipeline')).rowCount).toBe(0);
  await owner.end();
});

test('a tenant set for one transaction is gone in the next on the same connection', async () => {
  const single = createDb({ url: urls.app, name: 'one connection', max: 1 });
  expect(await withTenant(single, 'cus_a', (tx) => tx.pipeline.count())).toBe(1);
  expect(await single.prisma.pipeline.count()).toBe(0);
  await expect(withTenant(single, 'cus_b', () => Promise.reject(new Error('fails')))).rejects.toThrow('fails');
  expect(await single.prisma.pipeline.count()).toBe(0);
  await single[Symbol.asyncDispose]();
});

test('sixty transactions at once each see their own tenant', async () => {
  const seen = await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      withTenant(app, i % 2 ? 'cus_a' : 'cus_b', async (tx) => (await tx.pipeline.findMany({ select: { id: true } })).map((row) => row.id).join()),
    ),
  );
  expect(seen).toEqual(Array.from({ length: 60 }, (_, i) => (i % 2 ? 'pip_a' : 'pip_b')));
});

test('the questions before a tenant is known answer for one exact key', async () => {
  expect(await findSignInUser(app, 'A@Example.test')).toEqual({ id: 'usr_a', email: 'a@example.test', name: 'User a', passwordHash: 'hash' });
  expect(await findSignInUser(app, '%')).toBeNull();
  expect((await findSessionUser(app, 'usr_a'))?.sessionsFrom).toBeInstanceOf(Date);
  expect(await listMemberships(app, 'usr_a')).toEqual([{ tenantId: 'cus_a', slug: 'slug-a', name: 'Tenant a', role: 'owner' }]);
  const key = await findApiKey(app, 'key_b');
  expect(key).toMatchObject({ tenantId: 'cus_b', id: 'key_b', role: 'developer', revokedAt: null });
  expect(Buffer.from(key?.secretHash ?? []).toString()).toBe('hash');
  expect(await findApiKey(app, 'key_none')).toBeNull();
});
