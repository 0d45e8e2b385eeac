import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { AppError } from '@vrsky/kernel/errors';
import { sleep } from '@vrsky/kernel/lifecycle';
import type { Identity } from './certificate.ts';
import { HANDSHAKE_BYTES_MAX, type Handshake, type MagicCookie, parseHandshake, pluginEnv, refused } from './handshake.ts';
import { createPluginLogReader, type PluginLogRecord } from './plugin-log.ts';
import { killTree } from './process-tree.ts';

export interface LaunchOptions {
  command: string;
  args?: readonly string[];
  cookie: MagicCookie;
  versions: readonly number[];
  /** The host's certificate: the plugin lets nobody in who does not hold its key. */
  identity: Identity;
  /** The plugin's whole environment, beside what the protocol and every program needs. Ours is never passed on. */
  env?: Readonly<Record<string, string>>;
  /** go-plugin's own default is 60 s. */
  startTimeoutMs?: number;
  onLog(record: PluginLogRecord): void;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

type PluginProcess = ChildProcessByStdio<null, Readable, Readable>;

/** A plugin process that has said hello. */
export interface LaunchedPlugin {
  readonly pid: number;
  readonly handshake: Handshake;
  readonly handshakeMs: number;
  /** Resolves when the process is gone; never rejects. */
  readonly exited: Promise<Exit>;
  /** The last of what it wrote on stderr. A stranger's text: for the operator's log only. */
  stderrTail(): string;
  /** SIGKILL to its whole process group, which also ends a stopped one; waits for the end and removes its sockets. */
  kill(): Promise<Exit>;
}

const START_TIMEOUT_MS = 60_000;
/** Leaves 27 bytes of `sun_path` for the name of the socket. */
const SOCKET_DIR_BYTES_MAX = 80;
const STDERR_TAIL_BYTES = 2_000;
/** How far apart the end of a process and the end of its output may reach us. A child of it may hold the output open for ever. */
const EXIT_NEWS_MS = 250;

/**
 * Starts a plugin and waits for its handshake. Whatever ends before that is a failure, status 0 included: a Go plugin that cannot
 * create its socket exits so. Throws AppError `PLUGIN.START`, `PLUGIN.EXITED`, `PLUGIN.TIMEOUT`, `PLUGIN.HANDSHAKE`, `PLUGIN.VERSION`.
 */
export async function launchPlugin(options: LaunchOptions): Promise<LaunchedPlugin> {
  const startedMs = performance.now();
  const socketDir = await makeSocketDir();
  const [command, ...args] = [...(await parentDeathPrefix()), options.command, ...(options.args ?? [])] as [string, ...string[]];
  // Its own process group: a Ctrl-C in the terminal is for the host, which then ends its plugins in order.
  const child = await start(
    () => spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: pluginEnvironment(options, socketDir) }),
    socketDir,
  );
  const stderr = readStderr(child, options);
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const kill = async (): Promise<Exit> => {
    if (child.pid !== undefined) await killTree(child.pid, `${pluginEnv.socketDir}=${socketDir}`);
    const exit = await exited;
    await Promise.race([closed, sleep(EXIT_NEWS_MS)]); // all that it wrote is read
    child.stdout.destroy();
    child.stderr.destroy();
    await rm(socketDir, { recursive: true, force: true });
    return exit;
  };
  try {
    const line = await firstLine(child, { exited, closed, stderrTail: stderr }, options);
    const handshake = parseHandshake(line, { versions: options.versions, socketDir });
    return { pid: child.pid as number, handshake, handshakeMs: performance.now() - startedMs, exited, stderrTail: stderr, kill };
  } catch (error) {
    await kill();
    throw error;
  }
}

/** Node refuses some arguments, such as one with a zero byte, by a throw. */
async function start<T>(spawnIt: () => T, socketDir: string): Promise<T> {
  try {
    return spawnIt();
  } catch (cause) {
    await rm(socketDir, { recursive: true, force: true });
    throw new AppError({
      code: 'PLUGIN.START',
      kind: 'unavailable',
      source: 'plugin',
      message: 'the system does not start the plugin',
      publicMessage: startFailureWords('PLUGIN.START', 0),
      cause,
    });
  }
}

function pluginEnvironment(options: LaunchOptions, socketDir: string): Record<string, string> {
  return {
    // First the folder of the Node that runs us: a plugin that is a Node script must not meet an older one.
    PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    HOME: '/nonexistent',
    ...options.env,
    // Plugins built before go-plugin 1.5 look at TMPDIR.
    TMPDIR: socketDir,
    [options.cookie.key]: options.cookie.value,
    [pluginEnv.protocolVersions]: options.versions.join(','),
    [pluginEnv.minPort]: '10000',
    [pluginEnv.maxPort]: '25000',
    [pluginEnv.clientCert]: options.identity.certPem,
    [pluginEnv.socketDir]: socketDir,
  };
}

/** Readable by us alone; in /tmp when the temporary directory's own path is too long for a socket in it. */
async function makeSocketDir(): Promise<string> {
  const name = 'vrsky-p-';
  const base = Buffer.byteLength(join(tmpdir(), name)) + 6 <= SOCKET_DIR_BYTES_MAX ? tmpdir() : '/tmp';
  return await mkdtemp(join(base, name));
}

/** Reads stderr for ever, since a full pipe would stop the plugin; answers its last characters. */
function readStderr(child: PluginProcess, options: LaunchOptions): () => string {
  const reader = createPluginLogReader(options.onLog);
  let tail = Buffer.alloc(0);
  child.stderr.on('data', (chunk: Buffer) => {
    // A copy of little: a plugin may write 100 MB a second, and most of that is never looked at.
    tail = Buffer.concat([tail.subarray(Math.max(0, tail.length + chunk.length - STDERR_TAIL_BYTES)), chunk.subarray(-STDERR_TAIL_BYTES)]);
    reader.push(chunk);
  });
  child.stderr.on('end', reader.end);
  return () => tail.toString('utf8');
}

/** The first line of stdout; what comes after it is drained for ever, too. */
function firstLine(
  child: PluginProcess,
  life: { exited: Promise<Exit>; closed: Promise<void>; stderrTail: () => string },
  options: LaunchOptions,
): Promise<string> {
  const { stdout } = child;
  const { exited, closed, stderrTail } = life;
  const timeoutMs = options.startTimeoutMs ?? START_TIMEOUT_MS;

  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail('PLUGIN.TIMEOUT', `no handshake within ${timeoutMs} ms`), timeoutMs);
    const fail = (code: string, message: string, cause?: unknown): void => {
      clearTimeout(timer);
      reject(
        new AppError({
          code,
          kind: 'unavailable',
          source: 'plugin',
          message: `${options.command}: ${message}`,
          publicMessage: startFailureWords(code, timeoutMs),
          details: { stderr: stderrTail() },
          cause,
        }),
      );
    };
    const closedWithoutLine = (): void => {
      clearTimeout(timer);
      reject(refused('it closed its output without one'));
    };
    let head = Buffer.alloc(0);
    let found = false;
    const rest = createPluginLogReader((record) => options.onLog({ ...record, module: 'stdout' }));
    stdout.on('data', (chunk: Buffer) => {
      if (found) {
        rest.push(chunk);
        return;
      }
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf(10);
      if (end < 0 && head.length <= HANDSHAKE_BYTES_MAX) return;
      found = true;
      clearTimeout(timer);
      if (end < 0 || end > HANDSHAKE_BYTES_MAX) {
        reject(refused(`its first line has more than ${HANDSHAKE_BYTES_MAX} bytes`));
        return;
      }
      resolve(head.toString('utf8', 0, end));
      rest.push(head.subarray(end + 1));
    });
    stdout.on('end', () => {
      rest.end();
      // One that has ended is said to have ended, which the system tells us a moment later.
      if (!found) void Promise.race([exited, sleep(EXIT_NEWS_MS)]).then((exit) => exit ?? closedWithoutLine());
    });
    child.once('error', (cause) => fail('PLUGIN.START', 'the system does not start it', cause));
    void exited.then(async ({ code, signal }) => {
      await Promise.race([closed, sleep(EXIT_NEWS_MS)]); // its last words are still on their way to us
      fail('PLUGIN.EXITED', `it ended before its handshake (${signal ?? `status ${code}`})`);
    });
  });
}

/** For the customer. */
function startFailureWords(code: string, timeoutMs: number): string {
  const what: Record<string, string> = {
    'PLUGIN.START': 'The system cannot start this connector’s program: it is missing, or it is no program for this machine.',
    'PLUGIN.EXITED': 'The connector ended before it was ready.',
    'PLUGIN.TIMEOUT': `The connector was not ready within ${timeoutMs / 1_000} s.`,
  };
  return `${what[code]} It is tried again; if this stays, tell the platform’s operator.`;
}

/**
 * Words before a command that let the kernel kill it when we die. Held by the thread that starts the plugin: only start plugins
 * from the main thread. Empty where the system has no such program; plugins made with our SDK then watch their parent themselves.
 */
export function parentDeathPrefix(): Promise<string[]> {
  prefix ??= detectParentDeathPrefix();
  return prefix;
}
let prefix: Promise<string[]> | undefined;

async function detectParentDeathPrefix(): Promise<string[]> {
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));
  if (process.platform !== 'linux' || setpriv === undefined) return [];
  const words = [setpriv, '--pdeathsig', 'KILL', '--no-new-privs', '--'];
  const usable = await new Promise<boolean>((resolve) => execFile(setpriv, [...words.slice(1), '/bin/true'], (error) => resolve(error === null)));
  return usable ? words : [];
}
