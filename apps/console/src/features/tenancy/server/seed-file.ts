import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { createApiKeyToken } from '../../../server/api-key-token.ts';

const credentialsSchema = z.strictObject({ password: z.string().min(12), apiKey: z.string().min(40) });

/** The plain credentials of the seeded tenants: made once, kept beside the databases, so that a new database gets the same. */
const seedFileSchema = z.strictObject({ acme: credentialsSchema, globex: credentialsSchema });
export type SeedCredentials = z.infer<typeof seedFileSchema>;

/** Without a path, or when there is no file yet, new ones; written (0600) before anybody relies on them. */
export function keptSeedCredentials(path: string | undefined): SeedCredentials {
  if (path !== undefined && existsSync(path)) return seedFileSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  const made = { acme: newCredentials(), globex: newCredentials() };
  if (path !== undefined) {
    writeFileSync(`${path}.new`, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  return made;
}

function newCredentials(): z.infer<typeof credentialsSchema> {
  return { password: randomBytes(12).toString('base64url'), apiKey: createApiKeyToken().token };
}
