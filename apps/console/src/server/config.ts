import { type PlatformKeysFile, readPlatformKeysFile } from '@vrsky/contracts/platform-keys-file';
import { ConfigError, createEnvReader, type Env, type EnvReader } from '@vrsky/kernel/config';
import { describeError } from '@vrsky/kernel/errors';
import { singleton } from './singleton.ts';

/** What both processes of the control plane know about the platform around them. */
export interface PlatformConfig {
  natsUrl: string;
  /** Where senders post: `<ingestUrl>/in/<path>`. */
  ingestUrl: string;
  /** The test receiver: `<receiverUrl>/<bin>`. */
  receiverUrl: string;
  consoleUrl: string;
}

export interface ConsoleConfig extends PlatformConfig {
  port: number;
  /** Where the control worker serves its metrics, which the console shows with its own. */
  workerUrl: string;
}

export interface WorkerConfig extends PlatformConfig {
  /** Where /metrics, /live and /ready answer. */
  host: string;
  port: number;
  logLevel: string;
}

export interface DatabaseSecret {
  /** Carries the role's password. */
  databaseUrl: string;
}

export type ConsoleSecrets = DatabaseSecret & { keys: PlatformKeysFile };

/** The console, as role vrsky_app. Throws ConfigError naming every variable that is wrong. */
export function readConsoleConfig(env: Env): { config: ConsoleConfig; secrets: ConsoleSecrets } {
  const reader = createEnvReader(env);
  const port = reader.integer('PORT', { min: 1, max: 65_535, fallback: 4800 });
  const workerPort = reader.integer('VRSKY_WORKER_PORT', { min: 1, max: 65_535, fallback: 4804 });
  const workerUrl = withoutSlash(reader.text('VRSKY_WORKER_URL', `http://127.0.0.1:${workerPort}`));
  return finish(reader, { ...platformConfig(reader), port, workerUrl }, reader.text('DATABASE_URL'));
}

/** The control worker, as role vrsky_platform. */
export function readWorkerConfig(env: Env): { config: WorkerConfig; secrets: ConsoleSecrets } {
  const reader = createEnvReader(env);
  const port = reader.integer('VRSKY_WORKER_PORT', { min: 1, max: 65_535, fallback: 4804 });
  const own = { host: reader.text('VRSKY_WORKER_HOST', '127.0.0.1'), port, logLevel: reader.text('LOG_LEVEL', 'info') };
  return finish(reader, { ...platformConfig(reader), ...own }, reader.text('VRSKY_PLATFORM_DATABASE_URL'));
}

/** Operator commands (migrate, seed, join token), as role vrsky_owner. */
export function readOperatorConfig(env: Env): { config: PlatformConfig & { seedFile: string | undefined }; secrets: ConsoleSecrets } {
  const reader = createEnvReader(env);
  return finish(reader, { ...platformConfig(reader), seedFile: reader.optional('VRSKY_SEED_FILE') }, reader.text('DATABASE_OWNER_URL'));
}

/** For a command that needs the database and nothing else. */
export function readOwnerDatabaseUrl(env: Env): string {
  const reader = createEnvReader(env);
  const url = reader.text('DATABASE_OWNER_URL');
  reader.check();
  return url;
}

function platformConfig(reader: EnvReader): PlatformConfig {
  return {
    natsUrl: reader.text('NATS_URL', 'nats://127.0.0.1:4805'),
    ingestUrl: withoutSlash(reader.text('VRSKY_INGEST_URL', 'http://127.0.0.1:4801')),
    receiverUrl: withoutSlash(reader.text('VRSKY_RECEIVER_URL', 'http://127.0.0.1:4802')),
    consoleUrl: withoutSlash(reader.text('VRSKY_CONSOLE_URL', 'http://127.0.0.1:4800')),
  };
}

function finish<T>(reader: EnvReader, config: T, databaseUrl: string): { config: T; secrets: ConsoleSecrets } {
  const keysFile = reader.text('VRSKY_KEYS_FILE');
  reader.check();
  return { config, secrets: { databaseUrl, keys: readKeys(keysFile) } };
}

function readKeys(path: string): PlatformKeysFile {
  try {
    return readPlatformKeysFile(path);
  } catch (error) {
    throw new ConfigError([`VRSKY_KEYS_FILE: ${describeError(error)}`]);
  }
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}

/** The console's own configuration, read from the environment once. */
export function getConsoleConfig(): ReturnType<typeof readConsoleConfig> {
  return singleton('config', () => readConsoleConfig(process.env));
}
