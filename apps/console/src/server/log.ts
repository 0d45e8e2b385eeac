import { createLog } from '@vrsky/kernel/log';

/** The console's log. */
export const log = createLog('console');
