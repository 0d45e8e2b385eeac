import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@vrsky/kernel/errors';
import pg from 'pg';

export interface MigrateOptions {
  /** Where `<name>/migration.sql` are; ours when left out. */
  dir?: string;
  log?: (line: string) => void;
}

interface Migration {
  name: string;
  sql: string;
  checksum: string;
}

/**
 * Applies the SQL migrations that are missing, in order, as the owner's role, and returns the names it applied. Each is one
 * transaction together with its record, so a failed one leaves nothing behind. Started several times at once, one run applies and
 * the others wait and find nothing to do. The records are Prisma's own (`_prisma_migrations`), so its tools agree on what is applied.
 */
export async function migrate(ownerUrl: string, options: MigrateOptions = {}): Promise<string[]> {
  const migrations = await readMigrations(options.dir ?? MIGRATIONS_DIR);
  const client = new pg.Client({ connectionString: ownerUrl, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [PRISMA_MIGRATE_LOCK]);
    await client.query(RECORDS_TABLE);
    const pending = await selectPending(client, migrations);
    for (const migration of pending) {
      await apply(client, migration);
      options.log?.(`applied ${migration.name}`);
    }
    return pending.map((migration) => migration.name);
  } finally {
    await client.end();
  }
}

const MIGRATIONS_DIR = join(import.meta.dirname, '..', 'prisma', 'migrations');
const PRISMA_MIGRATE_LOCK = 72_707_369;
const RECORDS_TABLE = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL, finished_at timestamptz, migration_name varchar(255) NOT NULL, logs text,
  rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0)`;

async function readMigrations(dir: string): Promise<Migration[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => {
      const sql = await readFile(join(dir, name, 'migration.sql'), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

async function selectPending(client: pg.Client, migrations: Migration[]): Promise<Migration[]> {
  const { rows } = await client.query<{ migration_name: string; checksum: string; finished_at: Date | null }>(
    'SELECT migration_name, checksum, finished_at FROM _prisma_migrations WHERE rolled_back_at IS NULL',
  );
  const known = new Map(rows.map((row) => [row.migration_name, row]));
  for (const row of rows) {
    if (!migrations.some((migration) => migration.name === row.migration_name))
      throw refused(`the database has migration ${row.migration_name}, which this version does not know: it is newer than this program`);
  }
  return migrations.filter((migration) => {
    const row = known.get(migration.name);
    if (!row) return true;
    if (!row.finished_at) throw refused(`migration ${migration.name} is recorded as unfinished: resolve it first`);
    if (row.checksum !== migration.checksum) throw refused(`migration ${migration.name} was edited after it was applied: write a new one instead`);
    return false;
  });
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await client.query('INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count) VALUES ($1, $2, $3, now(), 1)', [
      randomUUID(),
      migration.checksum,
      migration.name,
    ]);
    await client.query('COMMIT');
  } catch (cause) {
    await client.query('ROLLBACK');
    throw refused(`migration ${migration.name} failed and left nothing behind`, cause);
  }
}

function refused(message: string, cause?: unknown): AppError {
  return new AppError({ code: 'DB.MIGRATION_REFUSED', kind: 'precondition', message, ...(cause === undefined ? {} : { cause }) });
}
