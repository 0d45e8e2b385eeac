import { createDb } from '@vrsky/db/client';
import { migrate } from '@vrsky/db/migrate';
import { databaseRoles } from '@vrsky/db/prepare-database';
import { seed } from '../features/tenancy/server/seed.ts';
import { keptSeedCredentials } from '../features/tenancy/server/seed-file.ts';
import { readOperatorConfig } from '../server/config.ts';
import { createPlatform } from '../server/platform.ts';
import { runCommand } from './command.ts';

/** `node seed-main.ts`: migrates and seeds the database behind DATABASE_OWNER_URL and prints what dev.json needs as one JSON line. */
await runCommand(async () => {
  const { config, secrets } = readOperatorConfig(process.env);
  await migrate(secrets.databaseUrl);
  await using db = createDb({ url: secrets.databaseUrl, name: 'vrsky seed', max: 4, actAs: databaseRoles.platform });
  const credentials = keptSeedCredentials(config.seedFile);
  return JSON.stringify(await seed({ db, platform: createPlatform(config, secrets.keys) }, credentials));
});
