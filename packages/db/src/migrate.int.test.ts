import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PostgresServer, startPostgres } from '@vrsky/testkit/postgres';
import { scratchDir } from '@vrsky/testkit/scratch';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate } from './migrate.ts';
import { type DatabaseUrls, prepareDatabase } from './prepare-database.ts';

let postgres: PostgresServer;
let made = 0;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(async () => {
  await postgres.stop();
});

const prepare = (database = `m${++made}`): Promise<DatabaseUrls> =>
  prepareDatabase({ adminUrl: postgres.url, database, passwords: { owner: 'o', app: 'a', platform: 'p' } });

async function ask<T extends pg.QueryResultRow>(url: string, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function migrationsDir(migrations: Record<string, string>): Promise<string> {
  const dir = scratchDir('migrations');
  for (const [name, sql] of Object.entries(migrations)) {
    await mkdir(join(dir, name));
    await writeFile(join(dir, name, 'migration.sql'), sql);
  }
  return dir;
}

test('runs started at once apply every migration once', async () => {
  const urls = await prepare();
  const runs = await Promise.all([migrate(urls.owner), migrate(urls.owner), migrate(urls.owner)]);
  expect(runs.filter((applied) => applied.length > 0)).toHaveLength(1);
  expect(await ask(urls.owner, 'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL')).toHaveLength(runs.flat().length);
  expect(await migrate(urls.owner)).toEqual([]);
});

test('preparing a database again changes nothing but the passwords', async () => {
  const first = await prepare('again');
  await migrate(first.owner);
  const second = await prepareDatabase({ adminUrl: postgres.url, database: 'again', passwords: { owner: 'o', app: 'new', platform: 'p' } });
  expect(await ask(second.app, 'SELECT epoch FROM platform_state')).toEqual([{ epoch: 1 }]);
  await expect(ask(first.app, 'SELECT 1')).rejects.toThrow(/password/);
});

test('a migration that fails leaves nothing behind and runs again once it is mended', async () => {
  const urls = await prepare();
  const broken = await migrationsDir({ '1_good': 'CREATE TABLE a (n int)', '2_bad': 'CREATE TABLE b (n int); SELECT 1/0' });
  await expect(migrate(urls.owner, { dir: broken })).rejects.toThrow('migration 2_bad failed and left nothing behind');
  expect(await ask(urls.owner, "SELECT to_regclass('a') AS a, to_regclass('b') AS b")).toEqual([{ a: 'a', b: null }]);
  await writeFile(join(broken, '2_bad', 'migration.sql'), 'CREATE TABLE b (n int)');
  expect(await migrate(urls.owner, { dir: broken })).toEqual(['2_bad']);
});

test('a migration that was edited after it ran, and a database from the future, are refused', async () => {
  const urls = await prepare();
  const dir = await migrationsDir({ '1_one': 'CREATE TABLE a (n int)', '2_two': 'CREATE TABLE b (n int)' });
  await migrate(urls.owner, { dir });
  await writeFile(join(dir, '1_one', 'migration.sql'), 'CREATE TABLE a (n bigint)');
  await expect(migrate(urls.owner, { dir })).rejects.toThrow('migration 1_one was edited after it was applied');
  await expect(migrate(urls.owner, { dir: await migrationsDir({ '1_one': 'CREATE TABLE a (n int)' }) })).rejects.toThrow('newer than this program');
});

test('neither the console nor the worker may change the schema', async () => {
  const urls = await prepare();
  await migrate(urls.owner);
  for (const url of [urls.app, urls.platform]) {
    await expect(ask(url, 'CREATE TABLE mine (n int)')).rejects.toThrow(/permission denied/);
    await expect(ask(url, 'ALTER TABLE pipeline DISABLE ROW LEVEL SECURITY')).rejects.toThrow(/must be owner/);
    await expect(ask(url, 'SET ROLE vrsky_owner')).rejects.toThrow(/permission denied/);
  }
  await expect(ask(urls.app, 'SET ROLE vrsky_platform')).rejects.toThrow(/permission denied/);
});
