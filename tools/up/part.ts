import { existsSync, mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { type AppOptions, spawnApp } from '@vrsky/testkit/app';
import type { Child } from '@vrsky/testkit/launch';
import type { NatsServer } from '@vrsky/testkit/nats';
import type { PostgresServer } from '@vrsky/testkit/postgres';
import type { Ledger } from './ledger.ts';

/** One process of the stack, which can be stopped, killed and started again. */
export interface StackPart {
  readonly name: string;
  /** null while it is not running. */
  pid(): number | null;
  start(): Promise<void>;
  /** Orderly stop. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Resolves with how, when the process now running has ended. */
  ended(): Promise<string>;
  output(): string;
}

/** A program of ours as a part. Its options are made anew at each start: a node needs its join token only once. */
export function appPart(name: string, ledger: Ledger, options: () => AppOptions | Promise<AppOptions>): StackPart {
  let child: Child | undefined;
  return {
    name,
    pid: () => (child !== undefined && child.exit() === null ? child.pid : null),
    async start() {
      child = await spawnApp({ ...(await options()), onLaunch: (record) => ledger.started(name, record) });
    },
    async stop() {
      await child?.stop({ graceMs: STOP_MS });
      ledger.ended(name);
    },
    async kill() {
      await child?.kill();
    },
    async ended() {
      const exit = await child?.exited;
      return exit === undefined ? 'not started' : (exit.signal ?? `exit code ${exit.code}`);
    },
    output: () => child?.output() ?? '',
  };
}

/** A server of testkit as a part; `boot` makes and starts it the first time. */
export function serverPart(name: string, ledger: Ledger, boot: () => Promise<NatsServer | PostgresServer>): StackPart {
  let server: NatsServer | PostgresServer | undefined;
  let isRunning = false;
  return {
    name,
    pid: () => (isRunning ? (server?.pid ?? null) : null),
    async start() {
      if (server === undefined) server = await boot();
      else await server.start();
      isRunning = true;
      void server.exited().then(() => {
        isRunning = false;
      });
      ledger.started(name, server.record);
    },
    async stop() {
      await server?.stop();
      ledger.ended(name);
    },
    async kill() {
      await server?.kill();
    },
    async ended() {
      await server?.exited();
      return 'ended';
    },
    output: () => server?.output() ?? '',
  };
}

/** Longer than a node takes to finish what it has in hand. */
const STOP_MS = 25_000;

/** A fresh log for this start; the one before is kept as `.old`. */
export function logFile(dir: string, name: string): string {
  const logs = path.join(dir, 'logs');
  mkdirSync(logs, { recursive: true });
  const file = path.join(logs, `${name}.log`);
  if (existsSync(file)) renameSync(file, path.join(logs, `${name}.old.log`));
  return file;
}
