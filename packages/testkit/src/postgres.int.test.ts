import pg from 'pg';
import { expect, test } from 'vitest';
import { startPostgres } from './postgres.ts';
import { findProcess } from './process-record.ts';

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  const { rows } = await client.query(sql);
  await client.end();
  return rows;
}

test('what was committed survives a kill and a new start, and a stop leaves no process', async () => {
  await using postgres = await startPostgres();
  await ask(postgres.url, 'create table kept (n int)');
  await ask(postgres.url, 'insert into kept values (1), (2)');
  const firstPid = postgres.pid;
  const busy = new pg.Client({ connectionString: postgres.url });
  busy.on('error', () => {});
  await busy.connect();
  const cutOff = expect(busy.query('select pg_sleep(600)')).rejects.toThrow();
  await postgres.kill();
  await cutOff;
  expect(findProcess(firstPid)).toBeNull();
  await postgres.start();
  expect(await ask(postgres.url, 'select count(*)::int as n from kept')).toEqual([{ n: 2 }]);
  const secondPid = postgres.pid;
  await postgres.stop();
  expect(findProcess(secondPid)).toBeNull();
});

test('nobody without the password gets in', async () => {
  await using postgres = await startPostgres();
  const url = new URL(postgres.url);
  url.password = 'guessed';
  await expect(ask(url.href, 'select 1')).rejects.toThrow(/password/);
});

test('a second start in the same folder ends the forgotten first server', async () => {
  const first = await startPostgres();
  await using second = await startPostgres({ dir: first.dir, port: first.port });
  expect(findProcess(first.pid)).toBeNull();
  expect(await ask(second.url, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('a busy port is named in one sentence', async () => {
  await using first = await startPostgres();
  await expect(startPostgres({ port: first.port })).rejects.toThrow(`port ${first.port} for Postgres is in use by another program`);
});
