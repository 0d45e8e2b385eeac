import { type PostgresServer, startPostgres } from '@vrsky/testkit/postgres';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { schemaDrift } from '../test/schema-drift.ts';
import { createScratchDatabase } from './scratch-database.ts';

let postgres: PostgresServer;
let admin: pg.Client;
let ownerUrl: string;
beforeAll(async () => {
  postgres = await startPostgres();
  ownerUrl = (await createScratchDatabase(postgres.url)).owner;
  const url = new URL(postgres.url);
  url.pathname = new URL(ownerUrl).pathname;
  admin = new pg.Client({ connectionString: url.href });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await postgres.stop();
});

const names = async (sql: string): Promise<string[]> => (await admin.query<{ name: string }>(sql)).rows.map((row) => row.name);

test('schema.prisma and the migrations describe the same tables', async () => {
  expect(await schemaDrift(ownerUrl)).toBe('');
});

test('a difference between schema.prisma and the migrations is seen', async () => {
  await admin.query('ALTER TABLE pipeline ADD COLUMN planted text');
  try {
    expect(await schemaDrift(ownerUrl)).toContain('DROP COLUMN "planted"');
  } finally {
    await admin.query('ALTER TABLE pipeline DROP COLUMN planted');
  }
});

/** Tables of ours that carry a tenant, partitions included. */
const tenantTables = `SELECT c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' WHERE n.nspname IN ('public', 'parts') AND c.relkind IN ('r', 'p')`;

test('every table with a tenant has row-level security, enabled and forced', async () => {
  expect((await names(`SELECT relname AS name FROM (${tenantTables}) t`)).length).toBeGreaterThan(12);
  expect(await names(`SELECT relname AS name FROM (${tenantTables}) t WHERE NOT (relrowsecurity AND relforcerowsecurity)`)).toEqual([]);
});

test('every key of a table with a tenant begins with the tenant', async () => {
  const sql = `SELECT t.relname AS name FROM (${tenantTables}) t JOIN pg_index i ON i.indrelid = t.oid AND i.indisprimary
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0] WHERE a.attname <> 'tenant_id'`;
  expect(await names(sql)).toEqual([]);
});

test('every foreign key between tables with a tenant includes it on both sides', async () => {
  const sql = `SELECT f.conname AS name FROM pg_constraint f JOIN (${tenantTables}) child ON child.oid = f.conrelid JOIN (${tenantTables}) parent ON parent.oid = f.confrelid
    WHERE f.contype = 'f' AND NOT EXISTS (
      SELECT 1 FROM generate_subscripts(f.conkey, 1) i
      JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[i] JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = f.confkey[i]
      WHERE a.attname = 'tenant_id' AND b.attname = 'tenant_id')`;
  expect(await names(sql)).toEqual([]);
});

test('no role of ours can bypass row-level security, and the console inherits nothing', async () => {
  expect(
    await names("SELECT rolname AS name FROM pg_roles WHERE rolname LIKE 'vrsky%' AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)"),
  ).toEqual([]);
  expect(
    await names(
      "SELECT r.rolname AS name FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = 'vrsky_app'::regrole OR m.member = 'vrsky_platform'::regrole",
    ),
  ).toEqual([]);
});

test('partitions are made once a day ahead, and only expired ones are dropped', async () => {
  const partitions = () => names("SELECT relname AS name FROM pg_class WHERE relnamespace = 'parts'::regnamespace AND relkind = 'r' ORDER BY 1");
  const before = await partitions();
  await admin.query('SET ROLE vrsky_platform');
  const { rows } = await admin.query<{ made: number; again: number }>(
    "SELECT ensure_message_partitions('2020-02-28', '2020-03-01') AS made, ensure_message_partitions('2020-02-28', '2020-03-01') AS again",
  );
  expect(rows).toEqual([{ made: 3, again: 0 }]);
  await admin.query("SELECT drop_message_partitions('2020-03-01')");
  await admin.query('RESET ROLE');
  expect(await partitions()).toEqual(['message_20200301', ...before]);
});
