import { ConfigError, EXIT_CONFIG } from '@vrsky/kernel/config';
import { describeError } from '@vrsky/kernel/errors';
import { compileKept } from '../features/pipelines/server/compile-steps.ts';
import { stepFiles } from '../features/pipelines/server/step-files.ts';
import { getConsoleConfig } from './config.ts';
import { log } from './log.ts';

/** Refuses to start with a wrong configuration, and has compiler and engine ready before the first person opens the step editor. */
export async function prepareServer(): Promise<void> {
  try {
    getConsoleConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.fatal(error.message);
    process.exit(EXIT_CONFIG); // the process is Next's, which would go on and answer every request with an error
  }
  const warm = [compileKept({ kind: 'filter', language: 'typescript', source: 'export default () => true;' }), stepFiles()];
  void Promise.all(warm).catch((error: unknown) => log.warn({ reason: describeError(error) }, 'the step editor is not ready yet'));
}
