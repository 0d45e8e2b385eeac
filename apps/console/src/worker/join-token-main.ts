import { createDb } from '@vrsky/db/client';
import { databaseRoles } from '@vrsky/db/prepare-database';
import { createJoinToken } from '../features/nodes/server/join-token.ts';
import { SHARED_POOL } from '../features/tenancy/server/tenants.ts';
import { readOwnerDatabaseUrl } from '../server/config.ts';
import { runCommand } from './command.ts';

/** `node join-token-main.ts [pool]`: prints a token that lets one node in, once. */
await runCommand(async () => {
  await using db = createDb({ url: readOwnerDatabaseUrl(process.env), name: 'vrsky join token', max: 1, actAs: databaseRoles.platform });
  const { token } = await createJoinToken(db, { pool: process.argv[2] ?? SHARED_POOL });
  return token;
});
