import { createDb, type Db } from '@vrsky/db/client';
import { createLog } from '@vrsky/kernel/log';
import { getConsoleConfig } from './config.ts';

const key = Symbol.for('vrsky.console.db');
const kept = globalThis as { [key]?: Db };

/** The console's pool, as role vrsky_app. Kept on the global object: Next loads a module once for each of its bundles. */
export function getDb(): Db {
  kept[key] ??= openDb();
  return kept[key];
}

function openDb(): Db {
  const log = createLog('console');
  return createDb({ url: getConsoleConfig().secrets.databaseUrl, name: 'vrsky console', log: (line) => log.warn(line) });
}
