import { createDb, type Db } from '@vrsky/db/client';
import { createLog } from '@vrsky/kernel/log';
import { getConsoleConfig } from './config.ts';
import { singleton } from './singleton.ts';

/** The console's pool, as role vrsky_app. */
export function getDb(): Db {
  return singleton('db', () => {
    const log = createLog('console');
    return createDb({ url: getConsoleConfig().secrets.databaseUrl, name: 'vrsky console', log: (line) => log.warn(line) });
  });
}
