import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { constants } from 'node:os';
import { dirname, resolve as toAbsolute } from 'node:path';
import type { Readable } from 'node:stream';
import { AppError, describeError } from '@vrsky/kernel/errors';
import { sleep } from '@vrsky/kernel/lifecycle';
import type { Identity } from './certificate.ts';
import { HANDSHAKE_BYTES_MAX, type Handshake, type MagicCookie, parseHandshake, pluginEnv, refused } from './handshake.ts';
import { createPluginLogReader, type PluginLogRecord } from './plugin-log.ts';
import { killGroup, killMarked, killTree } from './process-tree.ts';
import { type Confinement, confine, type Sandbox } from './sandbox/confine.ts';
import { feed, pluginStdio } from './sandbox/descriptors.ts';
import type { SandboxLayer } from './sandbox/layers.ts';
import { processTree } from './sandbox/processes.ts';
import { makeSocketDir } from './socket-dir.ts';

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
  /** Left out, the plugin runs as the node's own user, with nothing between them but what `parentDeathPrefix` gives. */
  sandbox?: Sandbox;
  onLog(record: PluginLogRecord): void;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Why, in words for a person, where a limit of its sandbox is known to be the reason. */
  reason?: string;
}

type PluginProcess = ChildProcess & { stdout: Readable; stderr: Readable };

/** A plugin process that has said hello. */
export interface LaunchedPlugin {
  /** Of the process that we started; in a sandbox with namespaces it is bubblewrap, and the plugin is below it. */
  readonly pid: number;
  /** What stands between the plugin and its node. */
  readonly layers: readonly SandboxLayer[];
  readonly handshake: Handshake;
  readonly handshakeMs: number;
  /** Resolves when the process is gone; never rejects. */
  readonly exited: Promise<Exit>;
  /** The last of what it wrote on stderr. A stranger's text: for the operator's log only. */
  stderrTail(): string;
  /** Every process of it at this moment, those that belong to its sandbox included: what it uses is the sum over them. Linux only. */
  pids(): number[];
  /** Makes the data folder of its sandbox its own, where it was started as the successor of a process that used it. */
  takeDataDir(): Promise<void>;
  /** SIGKILL to all its processes, which also ends stopped ones; waits for the end and removes its sockets and what its sandbox needed. */
  kill(): Promise<Exit>;
}

const START_TIMEOUT_MS = 60_000;
/** Each of these layers knows every process of its plugin; without any we look for them among all. */
const ENCLOSING: readonly SandboxLayer[] = ['cgroup', 'uid', 'namespaces'];
const STDERR_TAIL_BYTES = 2_000;
/** How far apart the end of a process and the end of its output may reach us. A child of it may hold the output open for ever. */
const EXIT_NEWS_MS = 250;

/**
 * Starts a plugin and waits for its handshake. Whatever ends before that is a failure, status 0 included: a Go plugin that cannot
 * create its socket exits so. Throws AppError `PLUGIN.START`, `PLUGIN.EXITED`, `PLUGIN.TIMEOUT`, `PLUGIN.HANDSHAKE`, `PLUGIN.VERSION`,
 * `PLUGIN.SANDBOX`.
 */
export async function launchPlugin(options: LaunchOptions): Promise<LaunchedPlugin> {
  const startedMs = performance.now();
  const socketDir = await makeSocketDir();
  const removeSockets = (): Promise<void> => rm(socketDir, { recursive: true, force: true, maxRetries: 3 });
  const start = await prepare(options, socketDir).catch(async (error) => {
    await removeSockets();
    throw error;
  });
  const { confinement } = start;
  const [command, ...args] = start.words as [string, ...string[]];
  // Its own process group: a Ctrl-C in the terminal is for the host, which then ends its plugins in order.
  const undo = async (): Promise<void> => {
    await removeSockets();
    await confinement?.release();
  };
  const child = await spawnOr(undo, () =>
    spawn(command, args, {
      stdio: pluginStdio(start.descriptor3),
      detached: true,
      env: pluginEnvironment(options, socketDir, confinement?.plan.env),
      ...(confinement === null ? {} : { cwd: '/' }),
    }),
  );
  feed(child.stdio[3], start.descriptor3);
  const stderr = readStderr(child, options);
  let killed = false;
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      const exit = start.layers.includes('namespaces') ? throughBwrap(code, signal) : { code, signal };
      const reason = killed ? undefined : confinement?.reasonOf(exit);
      resolve(reason === undefined ? exit : { ...exit, reason });
    });
    child.once('error', () => resolve({ code: null, signal: null }));
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const isEnclosed = ENCLOSING.some((layer) => start.layers.includes(layer));
  // However it ended, nothing of it is left on the machine. Without a sandbox its children live on until `kill`.
  const released = exited
    .then(async () => {
      if (confinement !== null && child.pid !== undefined) killGroup(child.pid);
      await confinement?.endAll();
      await removeSockets();
      await confinement?.release();
    })
    .catch((error) => options.onLog({ level: 'warn', message: `something of the plugin is left behind: ${describeError(error)}`, module: 'host', fields: {} }));
  const end = async (): Promise<Exit> => {
    killed = true;
    const isOver = child.exitCode !== null || child.signalCode !== null;
    if (child.pid !== undefined && isOver) killGroup(child.pid);
    if (child.pid !== undefined && !isOver) killTree(child.pid);
    const exit = await exited;
    await released;
    if (!isEnclosed) await killMarked(`${pluginEnv.socketDir}=${socketDir}`);
    await Promise.race([closed, sleep(EXIT_NEWS_MS)]); // all that it wrote is read
    child.stdout.destroy();
    child.stderr.destroy();
    return exit;
  };
  // Once: later its number may be another's.
  let ending: Promise<Exit> | undefined;
  const kill = (): Promise<Exit> => {
    ending ??= end();
    return ending;
  };
  try {
    const line = await firstLine(child, { exited, closed, stderrTail: stderr }, options);
    const handshake = parseHandshake(line, { versions: options.versions, socketDir });
    const pid = child.pid as number;
    const pids = (): number[] => [...new Set([...processTree(pid), ...(confinement?.pids() ?? [])])];
    const takeDataDir = async (): Promise<void> => confinement?.takeDataDir();
    return { pid, layers: start.layers, handshake, handshakeMs: performance.now() - startedMs, exited, stderrTail: stderr, pids, takeDataDir, kill };
  } catch (error) {
    await kill();
    throw error;
  }
}

/** Node refuses some arguments, such as one with a zero byte, by a throw. */
async function spawnOr(undo: () => Promise<void>, spawnIt: () => ChildProcess): Promise<PluginProcess> {
  try {
    return spawnIt() as PluginProcess;
  } catch (cause) {
    await undo();
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

interface Start {
  words: string[];
  descriptor3: Buffer | null;
  layers: readonly SandboxLayer[];
  confinement: Confinement | null;
}

async function prepare({ command, args = [], sandbox }: LaunchOptions, socketDir: string): Promise<Start> {
  if (sandbox === undefined) {
    const prefix = await parentDeathPrefix();
    const layers: SandboxLayer[] = prefix.length === 0 ? ['environment'] : ['environment', 'parent-death', 'no-new-privs'];
    return { words: [...prefix, command, ...args], descriptor3: null, layers, confinement: null };
  }
  const executable = toAbsolute(command);
  const confinement = await confine(sandbox, { executable, scratchDir: socketDir });
  const { prefix, descriptor3, layers } = confinement.plan;
  return { words: [...prefix, executable, ...args], descriptor3, layers, confinement };
}

/** bubblewrap ends with 128 and the number when a signal ended the plugin. */
function throughBwrap(code: number | null, signal: NodeJS.Signals | null): Exit {
  const name = Object.entries(constants.signals).find(([, number]) => number + 128 === code)?.[0];
  return name === undefined ? { code, signal } : { code: null, signal: name as NodeJS.Signals };
}

function pluginEnvironment(options: LaunchOptions, socketDir: string, sandboxEnv?: Record<string, string>): Record<string, string> {
  return {
    // First the folder of the Node that runs us: a plugin that is a Node script must not meet an older one.
    PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    HOME: '/nonexistent',
    ...sandboxEnv,
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
    const fail = (code: string, message: string, more: { cause?: unknown; reason?: string } = {}): void => {
      clearTimeout(timer);
      reject(
        new AppError({
          code,
          kind: 'unavailable',
          source: 'plugin',
          message: `${options.command}: ${message}`,
          publicMessage: startFailureWords(code, timeoutMs, more.reason),
          details: { stderr: stderrTail() },
          cause: more.cause,
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
    child.once('error', (cause) => fail('PLUGIN.START', 'the system does not start it', { cause }));
    void exited.then(async ({ code, signal, reason }) => {
      await Promise.race([closed, sleep(EXIT_NEWS_MS)]); // its last words are still on their way to us
      fail('PLUGIN.EXITED', `it ended before its handshake (${signal ?? `status ${code}`})`, { reason });
    });
  });
}

/** For the customer. */
function startFailureWords(code: string, timeoutMs: number, reason = ''): string {
  const what: Record<string, string> = {
    'PLUGIN.START': 'The system cannot start this connector’s program: it is missing, or it is no program for this machine.',
    'PLUGIN.EXITED': 'The connector ended before it was ready.',
    'PLUGIN.TIMEOUT': `The connector was not ready within ${timeoutMs / 1_000} s.`,
  };
  return `${what[code]} ${reason === '' ? '' : `${reason} `}It is tried again; if this stays, tell the platform’s operator.`;
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
