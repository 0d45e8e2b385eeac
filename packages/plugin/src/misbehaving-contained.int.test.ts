import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Connector } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { plainEnv, repositoryRoot } from '@vrsky/testkit/config';
import { eventually } from '@vrsky/testkit/eventually';
import { buildGoPrograms, goMissing } from '@vrsky/testkit/go';
import { isRunning, type Leftovers, watchLeftovers } from '@vrsky/testkit/leftovers';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPlugin, type PluginHandle } from './client.ts';
import type { Planned } from './fixtures/many.ts';
import { connectorCookie } from './handshake.ts';
import type { PluginLogRecord } from './plugin-log.ts';
import { callUnary } from './rpc.ts';
import type { Sandbox } from './sandbox/confine.ts';
import { needs, report } from './sandbox/inside.test-support.ts';
import type { SandboxLayer } from './sandbox/layers.ts';
import { removeForgottenSocketDirs } from './socket-dir.ts';

// What only the kernel can hold, and what becomes of plugins when their host is killed.

const MIB = 1_048_576;
const CALL_MS = 5_000;
/** Without a cache Go compiles for minutes on a busy machine. */
const BUILD_MS = 600_000;
const program = join(import.meta.dirname, 'misbehaving', 'plugin.ts');
const manyHost = join(import.meta.dirname, 'fixtures', 'many.ts');
const noGo = goMissing();
const enclosing: SandboxLayer[] = ['uid', 'cgroup', 'namespaces'];
const enclosed = needs(...enclosing);
const sandbox: Sandbox = {
  report,
  policy: { network: 'none', memoryBytes: 256 * MIB, processesMax: 64, filesMax: 256, readOnly: [repositoryRoot], minimum: enclosing },
};

let goProgram: string;
let leftovers: Leftovers;
const handles: PluginHandle[] = [];
const hosts: ChildProcess[] = [];
beforeAll(async () => {
  if (noGo === null) goProgram = (await buildGoPrograms(['misbehave'])).misbehave;
}, BUILD_MS);
beforeEach(() => {
  leftovers = watchLeftovers();
});
afterEach(async () => {
  for (const host of hosts.splice(0)) {
    host.kill('SIGKILL');
    if (host.exitCode === null && host.signalCode === null) await once(host, 'exit');
  }
  for (const handle of handles.splice(0)) await handle.kill();
  await removeForgottenSocketDirs(leftovers.dir);
  await leftovers.expectNone();
});

describe('a host that is killed (SIGKILL)', () => {
  test('takes all its plugins with it: healthy, blocked, stopped and deaf ones', async () => {
    const host = await startHost(['healthy', 'healthy', 'blocks-in-describe', 'ignores-shutdown', 'healthy'].map(typescript));
    await expectAllGone(host, [4]);
  });

  test.skipIf(noGo !== null)(`takes all its plugins in Go with it${noGo === null ? '' : ` (skipped: ${noGo})`}`, async () => {
    const host = await startHost(['healthy', 'healthy', 'ignores-shutdown', 'floods-its-log', 'healthy'].map((manner) => go(manner)));
    await expectAllGone(host, [4]);
  });

  test.skipIf(enclosed.skip)(`takes what is in sandboxes with it, also what has escaped${enclosed.why}`, async () => {
    const host = await startHost(['healthy', 'escapes', 'escapes-without-a-trace', 'blocks-in-describe'].map((manner) => ({ ...typescript(manner), sandbox })));
    await expectAllGone(host, [0]);
  });

  test('leaves directories of sockets, which the next host removes; those of living hosts stay', async () => {
    const host = await startHost([typescript('healthy')]);
    const { handle } = await open('healthy');
    const mine = dirname(handle.client.getChannel().getTarget().replace('unix:', ''));
    expect(readdirSync(leftovers.dir)).toHaveLength(2);
    await removeForgottenSocketDirs(leftovers.dir);
    expect(readdirSync(leftovers.dir)).toHaveLength(2);
    host.child.kill('SIGKILL');
    await once(host.child, 'exit');
    await removeForgottenSocketDirs(leftovers.dir);
    expect(readdirSync(leftovers.dir).map((name) => join(leftovers.dir, name))).toEqual([mine]);
  });
});

describe.skipIf(enclosed.skip)(`a plugin in a sandbox${enclosed.why}`, () => {
  test('hogs-memory: is ended by the kernel, with the reason, and its host is none the worse', async () => {
    const before = process.memoryUsage().rss;
    const { handle } = await open('hogs-memory', sandbox);
    const exit = await handle.exited;
    expect(exit).toMatchObject({ signal: 'SIGKILL', reason: 'It used more than the 256 MiB of memory that it has, and the kernel ended it.' });
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * MIB);
  });

  test('is-a-fork-bomb: has no more processes than it may, its host can start others, and all of them end', async () => {
    const { handle } = await open('is-a-fork-bomb', sandbox);
    const pids = await eventually(() => handle.pids().length > 30 && handle.pids());
    expect(handle.pids().length).toBeLessThanOrEqual(64);
    execFileSync('/bin/true');
    await handle.kill();
    expect(pids.filter(isRunning)).toEqual([]);
  });

  test('escapes-without-a-trace: what is in another session, without its environment and parent, ends with it', async () => {
    const { handle } = await open('escapes-without-a-trace', sandbox);
    const pids = await eventually(() => {
      const now = handle.pids();
      return now.some((pid) => commandOf(pid) === '/bin/sleep 1000') && now;
    });
    await handle.kill();
    expect(pids.filter(isRunning)).toEqual([]);
  });
});

describe('a plugin that reads the environment of its host', () => {
  const canary = 'canary-5152';
  test.skipIf(enclosed.skip)(`does not see it from its sandbox${enclosed.why}`, async () => {
    const host = await startHost([{ ...typescript('spies'), sandbox }], { CANARY: canary });
    const { fields } = await spied(host);
    expect(fields.own).toContain('PLUGIN_CLIENT_CERT');
    expect(`${fields.own}${fields.parent}`).not.toContain(canary);
  });

  test('sees it without one: where the user is the same, only a sandbox helps', async () => {
    const host = await startHost([typescript('spies')], { CANARY: canary });
    const { fields } = await spied(host);
    expect(fields.own).not.toContain(canary);
    expect(fields.parent).toContain(canary);
  });
});

interface Host {
  child: ChildProcess;
  /** By plugin. */
  pids: number[][];
  logs: PluginLogRecord[];
}

const typescript = (manner: string): Planned => ({ command: program, env: { MISBEHAVE: manner } });
const go = (manner: string): Planned => ({ command: goProgram, env: { MISBEHAVE: manner } });

/** Starts a host with these plugins in a process of its own, and waits until all are up. */
async function startHost(plugins: Planned[], env: Record<string, string> = {}): Promise<Host> {
  const child = spawn(process.execPath, [manyHost, JSON.stringify(plugins)], { env: { ...plainEnv(), ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  hosts.push(child);
  const logs: (PluginLogRecord & { pids?: number[][] })[] = [];
  createInterface(child.stdout).on('line', (line) => logs.push(JSON.parse(line)));
  const up = await eventually(() => logs.find(({ message }) => message === 'all are up') ?? false, { timeoutMs: 30_000, what: 'all plugins to be up' });
  return { child, pids: up.pids as number[][], logs };
}

/** Stops some plugins, kills their host, and waits until no process of any plugin is left. */
async function expectAllGone(host: Host, stopped: number[]): Promise<void> {
  const pids = host.pids.flat();
  expect(host.pids.every((one) => one.length > 0)).toBe(true);
  expect(pids.filter(isRunning)).toEqual(pids);
  for (const index of stopped) for (const pid of host.pids[index] ?? []) process.kill(pid, 'SIGSTOP');
  host.child.kill('SIGKILL');
  await eventually(() => pids.filter(isRunning).length === 0, { timeoutMs: 5_000, what: 'every plugin to end' });
}

function spied(host: Host): Promise<PluginLogRecord> {
  return eventually(() => host.logs.find(({ message }) => message === 'spied') ?? false);
}

async function open(manner: string, within?: Sandbox): Promise<{ handle: PluginHandle; logs: PluginLogRecord[] }> {
  const logs: PluginLogRecord[] = [];
  const handle = await openPlugin({
    ...typescript(manner),
    cookie: connectorCookie,
    versions: [1],
    onLog: (record) => void logs.push(record),
    ...(within === undefined ? {} : { sandbox: within }),
  });
  handles.push(handle);
  await callUnary(handle.client, Connector.method.describe, {}, CALL_MS).catch(() => undefined); // it may die meanwhile
  return { handle, logs };
}

function commandOf(pid: number): string {
  try {
    return execFileSync('cat', [`/proc/${pid}/cmdline`], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .replaceAll('\0', ' ')
      .trim();
  } catch {
    return ''; // it ended meanwhile
  }
}
