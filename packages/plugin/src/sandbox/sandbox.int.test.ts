import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Connector } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { repositoryRoot } from '@vrsky/testkit/config';
import { eventually } from '@vrsky/testkit/eventually';
import { buildGoPrograms, goMissing } from '@vrsky/testkit/go';
import { findProcess } from '@vrsky/testkit/process-record';
import { scratchDir } from '@vrsky/testkit/scratch';
import { afterEach, describe, expect, test } from 'vitest';
import { openPlugin, type PluginHandle } from '../client.ts';
import { connectorCookie, connectorVersions } from '../handshake.ts';
import type { PluginLogRecord } from '../plugin-log.ts';
import { callUnary } from '../rpc.ts';
import { needs, only, report } from './inside.test-support.ts';
import { type SandboxLayer, type SandboxPolicy, type SandboxReport, sandboxLayers } from './layers.ts';
import { readIfThere } from './processes.ts';

// Real plugins inside of every layer that this machine has, from their handshake to the last file they leave.

const available = sandboxLayers.filter((layer) => report.layers[layer].available);
const absent = sandboxLayers.filter((layer) => !report.layers[layer].available);
const without = absent.map((layer) => `, without ${layer}: ${report.layers[layer].detail}`).join('');
const fixture = join(import.meta.dirname, '..', 'fixtures', 'plugin.ts');
const policy: SandboxPolicy = {
  network: report.layers.namespaces.available ? 'none' : 'direct',
  memoryBytes: 268_435_456,
  processesMax: 64,
  filesMax: 256,
  readOnly: [repositoryRoot],
  minimum: available,
};

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe(`a plugin inside of ${available.join(', ')}${without}`, () => {
  test('shakes hands, answers, logs, and leaves nothing when it is asked to end', async () => {
    const { handle, logs } = await open(['print']);
    expect(handle.layers).toEqual(available);
    await handle.ping(1_000);
    await eventually(() => logs.some((record) => record.message === 'printed after the handshake'));
    const left = placesOf(handle);
    expect(left.every((place) => existsSync(place))).toBe(true);
    expect(await handle.close()).toEqual({ code: 0, signal: null });
    expect(left.filter((place) => existsSync(place))).toEqual([]);
    expect(handle.pids()).toEqual([]);
  });

  test('has in its environment what the protocol, the runtimes and every program need, and nothing of ours', async () => {
    const { logs } = await open([]);
    const { fields } = await eventually(() => logs.find((record) => record.message === 'environment') ?? false);
    const names = (fields.names as string[]).filter((name) => !name.startsWith('PLUGIN_'));
    expect(names.filter((name) => name !== 'PWD')).toEqual(['GOMEMLIMIT', 'HOME', 'LANG', 'NODE_OPTIONS', 'PATH', 'TMPDIR', 'TZ', 'VRSKY_PLUGIN']);
  });

  test('tells all its processes, so that what it uses can be summed', async () => {
    const { handle } = await open(['child']);
    const sleeper = await eventually(() => handle.pids().find((pid) => nameOf(pid) === 'sleep') ?? false);
    const all = handle.pids();
    expect(all).toContain(handle.pid);
    expect(all).toContain(pluginOf(handle));
    expect(all).toContain(sleeper);
    expect(new Set(all).size).toBe(all.length);
  });

  test('is gone with all it started when it is killed', async () => {
    const { handle } = await open(['child']);
    const pids = await eventually(() => handle.pids().some((pid) => nameOf(pid) === 'sleep') && handle.pids());
    expect(await handle.kill()).toEqual({ code: null, signal: 'SIGKILL' });
    await eventually(() => !pids.some((pid) => findProcess(pid) !== null));
  });

  const memory = needs('cgroup');
  test.skipIf(memory.skip)(`that takes too much memory is ended, and its node knows why${memory.why}`, async () => {
    const { handle } = await open([], { memoryBytes: 134_217_728 });
    process.kill(pluginOf(handle), 'SIGUSR2');
    expect(await handle.exited).toMatchObject({ signal: 'SIGKILL', reason: 'It used more than the 128 MiB of memory that it has, and the kernel ended it.' });
  });

  test('that ends before its handshake leaves nothing either', async () => {
    const scratches = (): string[] => readdirSync(dirname(scratchDir())).filter((name) => name.startsWith('vrsky-p-'));
    const before = new Set(scratches());
    const refusal = openPlugin({ ...base(), command: '/bin/sh', args: ['-c', 'echo "$TMPDIR" >&2; exit 3'], sandbox: { report, policy } });
    const { details } = (await refusal.catch((error) => error as { details: { stderr: string } })) as { details: { stderr: string } };
    expect(existsSync(details.stderr.trim())).toBe(false);
    expect(before.has(details.stderr.trim())).toBe(false);
    await expect(refusal).rejects.toMatchObject({ code: 'PLUGIN.EXITED', message: expect.stringContaining('status 3') });
  });

  const missing = goMissing();
  test.skipIf(missing !== null)(
    `runs when it is written in Go with go-plugin’s own library${missing === null ? '' : ` (skipped: ${missing})`}`,
    { timeout: 600_000 },
    async () => {
      const { testplugin } = await buildGoPrograms(['testplugin']);
      const handle = await openPlugin({ ...base(), command: testplugin, sandbox: { report, policy } });
      cleanups.push(handle.kill);
      expect(await callUnary(handle.client, Connector.method.describe, {}, 10_000)).toMatchObject({ name: 'sample' });
      expect(await handle.close()).toEqual({ code: 0, signal: null });
    },
  );
});

test('a plugin is not started below its minimum, and nothing of the trial is left', async () => {
  const demanding = { report: only('environment'), policy: { ...policy, network: 'direct', minimum: ['uid'] } } as const;
  await expect(openPlugin({ ...base(), command: process.execPath, args: [fixture], sandbox: demanding })).rejects.toMatchObject({ code: 'PLUGIN.SANDBOX' });
});

test('without a sandbox a plugin has what it always had', async () => {
  const handle = await openPlugin({ ...base(), command: process.execPath, args: [fixture] });
  cleanups.push(handle.kill);
  const plain: SandboxLayer[] = report.layers['parent-death'].available ? ['environment', 'parent-death', 'no-new-privs'] : ['environment'];
  expect(handle.layers).toEqual(plain);
  expect(handle.pids()).toContain(handle.pid);
});

test('a report is plain JSON with a sentence for each layer', () => {
  expect(JSON.parse(JSON.stringify(report)) as SandboxReport).toEqual(report);
  for (const layer of sandboxLayers) expect(report.layers[layer].detail).toMatch(/^[A-Z].*\.$/);
});

function base() {
  return { cookie: connectorCookie, versions: connectorVersions, onLog: (_: PluginLogRecord) => undefined };
}

async function open(args: string[], own: Partial<SandboxPolicy> = {}): Promise<{ handle: PluginHandle; logs: PluginLogRecord[] }> {
  const logs: PluginLogRecord[] = [];
  const sandbox = { report, policy: { ...policy, ...own } };
  const handle = await openPlugin({ ...base(), command: process.execPath, args: [fixture, ...args], sandbox, onLog: (record) => logs.push(record) });
  cleanups.push(handle.kill);
  return { handle, logs };
}

/** The plugin's own process, which is below what put it into its sandbox. */
function pluginOf(handle: PluginHandle): number {
  const pid = handle.pids().find((id) => commandOf(id).startsWith(`${process.execPath} ${fixture}`));
  if (pid === undefined) throw new Error('the plugin is not among its processes');
  return pid;
}

const commandOf = (pid: number): string => readIfThere(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
const nameOf = (pid: number): string => readIfThere(`/proc/${pid}/comm`).trim();

/** What was made for a plugin outside of it: its folder and its cgroups. */
function placesOf(handle: PluginHandle): string[] {
  const folder = dirname(handle.client.getChannel().getTarget().replace('unix:', ''));
  const { cgroup } = report.means;
  const parents = cgroup === null ? [] : cgroup.version === 1 ? [cgroup.memory, cgroup.pids] : [cgroup.unified];
  const inside = (file: string): boolean => readFileSync(file, 'utf8').split('\n').includes(String(handle.pid));
  const groups = parents.flatMap((parent) =>
    readdirSync(parent)
      .filter((name) => name.startsWith(`vrsky-${process.pid}-`))
      .map((name) => join(parent, name))
      .filter((group) => inside(join(group, 'cgroup.procs'))),
  );
  expect(groups).toHaveLength(parents.length);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  return [folder, ...groups];
}
