import { ConfigError, EXIT_CONFIG } from '@vrsky/kernel/config';
import { describeError, isAppError } from '@vrsky/kernel/errors';
import { runUntil } from '@vrsky/kernel/lifecycle';
import { createLog } from '@vrsky/kernel/log';
import { readConfig } from './config.ts';
import { checkSurroundings } from './preflight.ts';
import { startTelemetry } from './telemetry.ts';
import { nodeVersion } from './version.ts';

async function main(): Promise<void> {
  const { config, secrets } = readConfig(process.env);
  await checkSurroundings(config);
  const telemetry = await startTelemetry(process.env, 'vrsky-node');
  const log = createLog('node', config.logLevel);
  const stop = new AbortController();
  // Once each: a second signal ends the process at once, as the system would.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log.info({ signal }, 'stopping');
      stop.abort();
    });
  }
  log.info({ config, version: nodeVersion, tracing: telemetry.isTracing }, 'starting');
  const { buildApp } = await import('./app.ts');
  try {
    await runUntil(stop.signal, (use) => buildApp(use, { config, secrets, isTracing: telemetry.isTracing, log, stop: stop.signal }), {
      drainMs: config.drainMs,
      log: (line) => log.info(line),
    });
  } finally {
    await telemetry.shutdown();
  }
  log.info('stopped');
}

main().catch((error: unknown) => {
  const isConfig = error instanceof ConfigError;
  process.stderr.write(isConfig ? `${error.message}\n` : `The node stopped: ${describeError(error)}\n`);
  // Only a fault of ours needs to be looked up in the code.
  if (!isConfig && !isAppError(error) && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exitCode = isConfig ? EXIT_CONFIG : 1;
});
