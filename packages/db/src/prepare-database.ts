import pg from 'pg';

/** Who connects as whom: README.md says why there are three. */
export const databaseRoles = { owner: 'vrsky_owner', app: 'vrsky_app', platform: 'vrsky_platform' } as const;

export type DatabaseUrls = Record<keyof typeof databaseRoles, string>;

export interface PrepareDatabaseOptions {
  /** As a superuser, or as a role with CREATEDB and CREATEROLE; any database of the server. */
  adminUrl: string;
  database: string;
  passwords: Record<keyof typeof databaseRoles, string>;
}

/** Creates the roles and the database where they are missing, sets the roles' passwords, and returns each role's URL. Does not migrate. */
export async function prepareDatabase(options: PrepareDatabaseOptions): Promise<DatabaseUrls> {
  const admin = new pg.Client({ connectionString: options.adminUrl, connectionTimeoutMillis: 10_000 });
  await admin.connect();
  try {
    await admin.query('SELECT pg_advisory_lock($1)', [PREPARE_LOCK]);
    for (const key of ['owner', 'app', 'platform'] as const) await ensureRole(admin, databaseRoles[key], options.passwords[key]);
    // The owner may hand functions to vrsky_platform and act as it, but does not inherit its view of all tenants.
    await admin.query('GRANT vrsky_platform TO vrsky_owner WITH INHERIT FALSE, SET TRUE');
    await ensureDatabase(admin, options.database);
  } finally {
    await admin.end();
  }
  return databaseUrls(options);
}

/** The roles' URLs on a server that is prepared already. */
export function databaseUrls(options: PrepareDatabaseOptions): DatabaseUrls {
  const urlOf = (key: keyof typeof databaseRoles) => {
    const url = new URL(options.adminUrl);
    url.username = databaseRoles[key];
    url.password = encodeURIComponent(options.passwords[key]);
    url.pathname = `/${encodeURIComponent(options.database)}`;
    return url.href;
  };
  return { owner: urlOf('owner'), app: urlOf('app'), platform: urlOf('platform') };
}

const PREPARE_LOCK = 720_041;

async function ensureRole(admin: pg.Client, name: string, password: string): Promise<void> {
  const { rowCount } = await admin.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [name]);
  const verb = rowCount === 0 ? 'CREATE' : 'ALTER';
  await admin.query(
    `${verb} ROLE ${pg.escapeIdentifier(name)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOINHERIT PASSWORD ${pg.escapeLiteral(password)}`,
  );
}

async function ensureDatabase(admin: pg.Client, name: string): Promise<void> {
  const { rowCount } = await admin.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
  if (rowCount === 0) await admin.query(`CREATE DATABASE ${pg.escapeIdentifier(name)} OWNER ${databaseRoles.owner}`);
  await admin.query(`REVOKE ALL ON DATABASE ${pg.escapeIdentifier(name)} FROM PUBLIC`);
  await admin.query(`GRANT CONNECT ON DATABASE ${pg.escapeIdentifier(name)} TO ${databaseRoles.app}, ${databaseRoles.platform}`);
}
