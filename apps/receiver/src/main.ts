import { ConfigError, EXIT_CONFIG } from '@vrsky/kernel/config';
import { runUntil } from '@vrsky/kernel/lifecycle';
import { createLog } from '@vrsky/kernel/log';
import { readConfig } from './config.ts';
import { createReceiver } from './receiver.ts';

const log = createLog('receiver', process.env.LOG_LEVEL);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

try {
  const { config, secrets } = readConfig(process.env);
  await runUntil(
    stop.signal,
    async (use) => {
      const receiver = await use(createReceiver({ host: config.host, port: config.port, key: secrets.key }));
      log.info({ url: receiver.url() }, 'listening');
    },
    { drainMs: 3_000, log: (line) => log.info(line) },
  );
} catch (error) {
  log.fatal({ err: error }, error instanceof Error ? error.message : String(error));
  process.exitCode = error instanceof ConfigError ? EXIT_CONFIG : 1;
}
