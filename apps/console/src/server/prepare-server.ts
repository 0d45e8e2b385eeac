import { ConfigError, EXIT_CONFIG } from '@vrsky/kernel/config';
import { describeError } from '@vrsky/kernel/errors';
import { compileKept } from '../features/pipelines/server/compile-steps.ts';
import { getConsoleConfig } from './config.ts';
import { log } from './log.ts';

/** Refuses to start with a wrong configuration, and has the compiler ready before the first person opens the editor. */
export async function prepareServer(): Promise<void> {
  try {
    getConsoleConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.fatal(error.message);
    process.exit(EXIT_CONFIG); // the process is Next's, which would go on and answer every request with an error
  }
  void compileKept({ kind: 'filter', source: 'export default () => true;' }).catch((error: unknown) =>
    log.warn({ reason: describeError(error) }, 'the compiler is not ready yet'),
  );
}
