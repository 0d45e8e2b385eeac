import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { findProcess, type ProcessRecord, sendSignal } from './process-record.ts';

export interface LaunchOptions {
  command: string;
  args: string[];
  env: Record<string, string>;
  cwd?: string;
  /** Sent to it by the kernel when we die without stopping it; `false` when the command sees to it itself. */
  deathSignal?: 'KILL' | 'INT' | 'TERM' | false;
  /** Its output is appended here as well. */
  logFile?: string;
  /** A process group of its own, so that a Ctrl-C in the terminal reaches only us and we decide the order. */
  ownGroup?: boolean;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A child process that ends when we do. */
export interface Child {
  readonly record: ProcessRecord;
  readonly pid: number;
  /** Its last output, stdout and stderr together, at most 256 KiB. */
  output(): string;
  /** Called with each new piece of output. */
  onOutput(listener: (text: string) => void): void;
  signal(signal: NodeJS.Signals): void;
  /** Sends `signal` (SIGTERM), and SIGKILL when it is still there after `graceMs` (10 s). Resolves when it is gone. */
  stop(options?: { signal?: NodeJS.Signals; graceMs?: number }): Promise<Exit>;
  /** SIGKILL. Resolves when it is gone. */
  kill(): Promise<Exit>;
  readonly exited: Promise<Exit>;
  /** null while it runs. */
  exit(): Exit | null;
}

const OUTPUT_MAX = 262_144;

/** Starts a program; resolves when the system has started it and rejects when it cannot. */
export async function launch(options: LaunchOptions): Promise<Child> {
  const { deathSignal = 'KILL' } = options;
  const plain = [options.command, ...options.args];
  const [command, ...args] = (deathSignal === false ? plain : withDeathSignal(deathSignal, plain)) as [string, ...string[]];
  const child = spawn(command, args, {
    env: options.env as NodeJS.ProcessEnv,
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.ownGroup ?? false,
  });
  const log = options.logFile === undefined ? undefined : createWriteStream(options.logFile, { flags: 'a', mode: 0o600 });
  // A full disk must not take down the one who watches the process: the log is a convenience, the output is kept in memory.
  log?.on('error', () => log.destroy());
  let output = '';
  const listeners: ((text: string) => void)[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_MAX);
      if (log !== undefined && !log.destroyed) log.write(text);
      for (const listener of listeners) listener(text);
    });
  }
  let exit: Exit | null = null;
  // `close`, not `exit`: the last words of a process arrive between the two.
  const exited = new Promise<Exit>((resolve) =>
    child.once('close', (code, signal) => {
      exit = { code, signal };
      log?.end();
      resolve(exit);
    }),
  );
  await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  const pid = child.pid as number;
  const record = findProcess(pid) ?? { pid, startedAt: 'ended' };
  const send = (signal: NodeJS.Signals): void => {
    if (child.exitCode === null && child.signalCode === null) sendSignal(pid, signal);
  };
  return {
    record,
    pid,
    output: () => output,
    onOutput: (listener) => void listeners.push(listener),
    signal: send,
    async stop({ signal = 'SIGTERM', graceMs = 10_000 } = {}) {
      send(signal);
      const timer = setTimeout(() => send('SIGKILL'), graceMs);
      const result = await exited;
      clearTimeout(timer);
      return result;
    },
    kill() {
      send('SIGKILL');
      return exited;
    },
    exited,
    exit: () => exit,
  };
}

/** The command that runs `command` so that the kernel ends it when its parent dies; the same command where the system cannot. */
export function withDeathSignal(signal: 'KILL' | 'INT' | 'TERM', command: string[]): string[] {
  hasSetpriv ??= process.platform === 'linux' && spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true'], { stdio: 'ignore' }).status === 0;
  return hasSetpriv ? ['setpriv', '--pdeathsig', signal, '--', ...command] : command;
}
let hasSetpriv: boolean | undefined;
