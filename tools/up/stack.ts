import { existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { natsServerConfig } from '@vrsky/bus/server-config';
import { type DevFile, devFileSchema } from '@vrsky/contracts/dev-file';
import { migrate } from '@vrsky/db/migrate';
import { databaseUrls, prepareDatabase } from '@vrsky/db/prepare-database';
import { isAppError } from '@vrsky/kernel/errors';
import { startNats } from '@vrsky/testkit/nats';
import { startPostgres } from '@vrsky/testkit/postgres';
import { buildConsole } from '../build.ts';
import { expectFreeSpace, Sentence } from '../sentence.ts';
import type { Ports } from './config.ts';
import { createAddresses, createEnvironments, entries } from './environments.ts';
import { expectFreePorts } from './free-ports.ts';
import { openLedger } from './ledger.ts';
import { issueJoinToken, type Seeded, seedTenants } from './operator.ts';
import { appPart, logFile, type StackPart, serverPart } from './part.ts';
import { keptSecrets } from './secrets.ts';
import { waitUntilApplied } from './wait-until-applied.ts';

/** In the order of their start. */
export const partNames = ['postgres', 'nats', 'receiver', 'worker', 'console', 'node'] as const;
export type PartName = (typeof partNames)[number];

export interface Stack {
  /** What is also in `<dir>/dev.json`. */
  readonly dev: DevFile;
  readonly parts: Record<PartName, StackPart>;
  /** Stops everything, in the reverse order of the start. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface StackOptions {
  /** Everything the stack keeps; two stacks need two folders and two rows of ports. */
  dir: string;
  ports: Ports;
  /** Begins with an empty folder instead of what an earlier stack kept there. */
  fresh?: boolean;
  /** Runs one step of the start and reports it; the work answers with what to say. */
  step?: (name: string, work: () => Promise<string>) => Promise<void>;
  /** Added to the environment of our own programs: OTEL_* and the like. */
  env?: Record<string, string>;
  /** Further `host:port` that pipelines may send to although they are private. */
  egressAllow?: string[];
  /** Gives up between two steps. */
  stop?: AbortSignal;
}

/**
 * Starts a whole VRSky: servers, control plane, test receiver and one node; seeded, with the demo pipeline running. First it ends
 * what a killed keeper of this folder left behind. When it throws, what it had started is stopped again.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dir, ports } = options;
  const at = createAddresses(ports);
  const devFile = path.join(dir, 'dev.json');
  const step = async (name: string, work: () => Promise<string>): Promise<void> => {
    options.stop?.throwIfAborted();
    await (options.step ?? quietly)(name, work);
  };

  const ledger = await openLedger(dir, at.console);
  await using undo = new AsyncDisposableStack();
  undo.defer(() => ledger.close());
  rmSync(devFile, { force: true });
  expectFreeSpace(dir, SPACE_BYTES);
  if (options.fresh === true) for (const kept of KEPT) rmSync(path.join(dir, kept), { recursive: true, force: true });
  await expectFreePorts(ports);

  const secrets = keptSecrets(dir);
  let superuserUrl = '';
  const database = () => ({ adminUrl: superuserUrl, database: 'vrsky', passwords: secrets.passwords });
  const env = createEnvironments({
    dir,
    ports,
    secrets,
    databaseUrls: () => databaseUrls(database()),
    extra: options.env ?? {},
    egressAllow: options.egressAllow ?? [],
  });
  const app = (
    name: PartName,
    ready: string,
    entry: string,
    makeEnv: () => Record<string, string> | Promise<Record<string, string>>,
    args: string[] = [],
  ): StackPart => appPart(name, ledger, async () => ({ entry, args, ready, env: await makeEnv(), readyMs: READY_MS, logFile: logFile(dir, name) }));

  const parts: Record<PartName, StackPart> = {
    postgres: serverPart('postgres', ledger, async () => {
      const server = await startPostgres({ dir: path.join(dir, 'postgres'), port: ports.postgres, logFile: logFile(dir, 'postgres') });
      superuserUrl = server.url;
      return server;
    }),
    nats: serverPart('nats', ledger, () =>
      startNats({
        dir: path.join(dir, 'nats'),
        port: ports.nats,
        logFile: logFile(dir, 'nats'),
        config: (port, natsDir) => natsServerConfig({ keys: secrets.keys.nats, port, dir: natsDir }),
      }),
    ),
    receiver: app('receiver', `${at.receiver}/ready`, entries.receiver, env.receiver),
    worker: app('worker', `${at.worker}/ready`, entries.worker, env.worker),
    console: app('console', `${at.console}/api/health/ready`, entries.console, env.console, [
      'start',
      entries.consoleDir,
      '-H',
      '127.0.0.1',
      '-p',
      String(ports.console),
    ]),
    node: app('node', `${at.nodeOps}/ready`, entries.node, async () => {
      // A token is for one enrolment; later starts use what the node has kept.
      const isEnrolled = existsSync(path.join(dir, 'node', 'enrolment.json'));
      return isEnrolled ? env.node() : { ...env.node(), VRSKY_JOIN_TOKEN: await issueJoinToken(env.operator()) };
    }),
  };
  const start = (name: PartName, says: string): Promise<void> =>
    step(name, async () => {
      undo.defer(() => parts[name].stop());
      await parts[name].start();
      return says;
    });

  let seeded: Seeded | undefined;
  await step('console build', () => buildConsole(options.stop));
  await start('postgres', `127.0.0.1:${ports.postgres}`);
  await start('nats', at.nats);
  await step('database', async () => {
    const urls = await prepareDatabase(database());
    const applied = await migrateOrSay(urls.owner, dir);
    seeded = await seedTenants(env.operator(), path.join(dir, 'seed.json'));
    return `${applied.length === 0 ? 'migrations unchanged' : `${applied.length} migrations`}, tenants ${seeded.tenant.slug} and ${seeded.otherTenant.slug}`;
  });
  if (seeded === undefined) throw new Error('bug: nothing was seeded');
  const dev = devFileSchema.parse({
    console: at.console,
    ingest: at.ingest,
    metrics: { console: `${at.console}/metrics`, node: `${at.nodeOps}/metrics` },
    nats: at.nats,
    postgres: databaseUrls(database()).app,
    ownReceiver: at.ownReceiver,
    ...seeded,
  });
  await start('receiver', at.receiver);
  await start('worker', `${at.worker}/metrics`);
  await start('console', at.console);
  await start('node', at.ingest);
  await step('demo pipeline', () => waitUntilApplied(dev, options.stop));

  writeFileSync(devFile, `${JSON.stringify(dev, null, 2)}\n`, { mode: 0o600 });
  undo.defer(() => rmSync(devFile, { force: true }));
  undo.defer(() => ledger.stopping());
  const running = undo.move();
  const stop = (): Promise<void> => running.disposeAsync();
  return { dev, parts, stop, [Symbol.asyncDispose]: stop };
}

/** A database of another version of this repository is nothing a newcomer can mend, and nothing they need to keep. */
async function migrateOrSay(ownerUrl: string, dir: string): Promise<string[]> {
  try {
    return await migrate(ownerUrl);
  } catch (error) {
    if (!isAppError(error) || error.kind !== 'precondition') throw error;
    throw new Sentence(`${error.message}. To begin anew with empty databases: rm -rf ${dir}`);
  }
}

/** For `step` when nobody wants to hear. */
async function quietly(_name: string, work: () => Promise<string>): Promise<void> {
  await work();
}

/** What outlives a stack, in its folder. */
const KEPT = ['postgres', 'nats', 'node', 'platform-keys.json', 'database-passwords.json', 'seed.json'];

/** An empty database, the message store's first files, and some room to work. */
const SPACE_BYTES = 256 * 1_048_576;

const READY_MS = 60_000;
