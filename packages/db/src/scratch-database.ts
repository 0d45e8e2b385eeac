import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { migrate } from './migrate.ts';
import { type DatabaseUrls, prepareDatabase } from './prepare-database.ts';

const passwords = { owner: 'owner', app: 'app', platform: 'platform' };
const templates = new Map<string, Promise<string>>();

/** A migrated database of its own for one test, cloned from a template: tests do not see each other's rows. */
export async function createScratchDatabase(adminUrl: string): Promise<DatabaseUrls> {
  let template = templates.get(adminUrl);
  if (!template) {
    template = createTemplate(adminUrl);
    templates.set(adminUrl, template);
  }
  const database = `t_${randomBytes(6).toString('hex')}`;
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  try {
    await admin.query(`CREATE DATABASE ${database} TEMPLATE ${await template} OWNER vrsky_owner`);
  } finally {
    await admin.end();
  }
  return prepareDatabase({ adminUrl, database, passwords });
}

async function createTemplate(adminUrl: string): Promise<string> {
  const database = `template_${randomBytes(6).toString('hex')}`;
  const urls = await prepareDatabase({ adminUrl, database, passwords });
  await migrate(urls.owner);
  return database;
}
