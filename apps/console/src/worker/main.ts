import { ConfigError, EXIT_CONFIG } from '@vrsky/kernel/config';
import { runUntil } from '@vrsky/kernel/lifecycle';
import { createLog } from '@vrsky/kernel/log';
import { readWorkerConfig } from '../server/config.ts';
import { buildWorker } from './app.ts';

/** Below the grace period of whoever stops us. */
const DRAIN_MS = 8_000;

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());

try {
  const options = readWorkerConfig(process.env);
  const log = createLog('worker', options.config.logLevel);
  const build = async (use: Parameters<Parameters<typeof runUntil>[1]>[0]): Promise<void> => {
    const { port } = await buildWorker(use, { ...options, log });
    log.info({ port }, 'answering /live, /ready and /metrics');
  };
  await runUntil(stop.signal, build, { drainMs: DRAIN_MS, log: (line) => log.info(line) });
} catch (error) {
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  else createLog('worker').fatal({ err: error }, 'the worker ended');
  process.exitCode = error instanceof ConfigError ? EXIT_CONFIG : 1;
}
