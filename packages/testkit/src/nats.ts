import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findPrograms, plainEnv } from './config.ts';
import { type Child, launch } from './launch.ts';
import { freePort, isPortFree } from './ports.ts';
import { endProcess, type ProcessRecord } from './process-record.ts';
import { scratchDir } from './scratch.ts';

export interface NatsOptions {
  /** Text of the server's configuration; it has to listen on 127.0.0.1:`port` and store below `dir`. */
  config: (port: number, dir: string) => Promise<string>;
  /** Kept between starts; a scratch folder when left out. */
  dir?: string;
  /** A free one when left out; the same one at every `start()`. */
  port?: number;
  logFile?: string;
}

/** One real nats-server. It dies with us, and a second start in the same folder ends a forgotten first one. */
export interface NatsServer {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  /** Of the running process; changes with `start()`. */
  readonly pid: number;
  readonly record: ProcessRecord;
  output(): string;
  /** Orderly stop. */
  stop(): Promise<void>;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
  /** Starts it again on the same port and folder, with a freshly made configuration. */
  start(): Promise<void>;
  /** Resolves when the process now running has ended, however. */
  exited(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The least version that has everything we use (message schedules, direct gets, discard-new limits). */
export const natsServerLeast = '2.12.5';

/**
 * Starts a nats-server and waits until it accepts clients with JetStream up.
 *
 * ```ts
 * await using nats = await startNats({ config: (port, dir) => natsServerConfig({ keys, port, dir }) });
 * ```
 */
export async function startNats(options: NatsOptions): Promise<NatsServer> {
  const program = findNatsServer();
  const dir = options.dir ?? scratchDir('nats');
  const port = options.port ?? (await freePort());
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const recordFile = path.join(dir, 'process.json');
  let child: Child | undefined;
  const running = (): Child => {
    if (child === undefined) throw new Error('nats-server was not started');
    return child;
  };

  const server: NatsServer = {
    url: `nats://127.0.0.1:${port}`,
    port,
    dir,
    get pid() {
      return running().pid;
    },
    get record() {
      return running().record;
    },
    output: () => child?.output() ?? '',
    async start() {
      if (child !== undefined && child.exit() === null) throw new Error('nats-server is running already');
      await endForgotten(recordFile);
      if (!(await isPortFree(port))) throw new Error(`port ${port} for nats-server is in use by another program`);
      const configFile = path.join(dir, 'nats-server.conf');
      writeFileSync(configFile, await options.config(port, dir), { mode: 0o600 });
      // GOGC: four times the heap between collections costs some memory and saves a tenth of the CPU under load.
      const started = await launch({
        command: program,
        args: ['-c', configFile],
        env: { ...plainEnv(), GOGC: '400' },
        cwd: dir,
        ...(options.logFile === undefined ? {} : { logFile: options.logFile }),
        ownGroup: true,
      });
      writeFileSync(recordFile, JSON.stringify(started.record));
      child = started;
      await ready(started);
    },
    async stop() {
      // SIGINT shuts down at once; SIGTERM would be the same, SIGUSR2 would wait for clients to leave.
      await child?.stop({ signal: 'SIGINT' });
    },
    async kill() {
      await child?.kill();
    },
    async exited() {
      await running().exited;
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
  await server.start();
  return server;
}

/** Path of a nats-server that is new enough: on PATH first, then where set-up puts it. */
export function findNatsServer(): string {
  const seen: string[] = [];
  for (const candidate of findPrograms('nats-server')) {
    const version = versionOf(candidate);
    if (version !== null && isAtLeast(version, natsServerLeast)) return candidate;
    seen.push(`${candidate} is ${version ?? 'not a nats-server'}`);
  }
  throw new Error(
    `nats-server ${natsServerLeast} or newer is needed (${seen.length === 0 ? 'none found' : seen.join(', ')}): run \`make bootstrap\`, or put one on PATH`,
  );
}

/** The version that a nats-server binary names, or null when it is something else. */
export function versionOf(program: string): string | null {
  try {
    const text = execFileSync(program, ['--version'], { encoding: 'utf8', timeout: 10_000, stdio: ['ignore', 'pipe', 'ignore'] });
    return /v(\d+\.\d+\.\d+)/.exec(text)?.[1] ?? null;
  } catch {
    return null; // cannot be run here: the caller says so with the path
  }
}

/** Compares dotted numbers of equal length. */
export function isAtLeast(version: string, least: string): boolean {
  const [a, b] = [version, least].map((text) => text.split('.').map(Number)) as [number[], number[]];
  for (let i = 0; i < b.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

async function endForgotten(recordFile: string): Promise<void> {
  if (!existsSync(recordFile)) return;
  const record = JSON.parse(readFileSync(recordFile, 'utf8')) as ProcessRecord;
  await endProcess(record, { signal: 'SIGINT', graceMs: 5_000 });
}

const READY_MS = 30_000;

function ready(child: Child): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      void child.kill();
      reject(new Error(`nats-server was not ready after ${READY_MS} ms:\n${child.output().slice(-2_000)}`));
    }, READY_MS);
    const look = (): void => {
      if (!child.output().includes('Server is ready')) return;
      clearTimeout(timer);
      resolve();
    };
    child.onOutput(look);
    look();
    void child.exited.then(({ code, signal }) => {
      clearTimeout(timer);
      reject(new Error(`nats-server ended with ${signal ?? `code ${code}`} before it was ready:\n${child.output().slice(-2_000)}`));
    });
  });
}
