import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { type DevFile, devFileSchema } from '@vrsky/contracts/dev-file';
import { plainEnv } from '@vrsky/testkit/config';
import { eventually } from '@vrsky/testkit/eventually';
import { type Child, launch } from '@vrsky/testkit/launch';
import { isPortFree } from '@vrsky/testkit/ports';
import { isAlive, type ProcessRecord } from '@vrsky/testkit/process-record';
import { scratchDir } from '@vrsky/testkit/scratch';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { buildConsole } from '../build.ts';
import { root } from '../run.ts';
import { portsFrom } from './config.ts';
import { findFreeBase } from './free-ports.ts';

// One stack folder for all tests, in their order: the second start finds what the first one kept, and so on.

const UP_MS = 120_000;
const dir = scratchDir('up');
const base = await findFreeBase();
const started: Child[] = [];

/** `make up` as a person runs it, without the set-up that the test run has behind it. */
async function makeUp(env: Record<string, string> = {}): Promise<Child> {
  const child = await launch({
    command: 'make',
    args: ['--silent', '-o', 'bootstrap', 'up'],
    env: { ...plainEnv(), VRSKY_DEV_DIR: dir, VRSKY_PORT_BASE: String(base), ...env },
    cwd: root,
    ownGroup: true,
  });
  started.push(child);
  return child;
}

async function runs(child: Child): Promise<DevFile> {
  await eventually(() => child.exit() !== null || child.output().includes('Ctrl-C stops everything'), { timeoutMs: UP_MS, what: 'make up to be ready' });
  if (child.exit() !== null) throw new Error(`make up ended:\n${child.output()}`);
  return devFileSchema.parse(JSON.parse(readFileSync(path.join(dir, 'dev.json'), 'utf8')));
}

/** The keeper and every process it has started. */
function recorded(): ProcessRecord[] {
  const { keeper, parts } = JSON.parse(readFileSync(path.join(dir, 'stack.json'), 'utf8')) as { keeper: ProcessRecord; parts: Record<string, ProcessRecord> };
  return [keeper, ...Object.values(parts)];
}

async function everythingIsGone(processes: ProcessRecord[]): Promise<void> {
  await eventually(() => processes.every((record) => !isAlive(record)), { timeoutMs: 40_000, what: 'every process to end' });
  expect(await Promise.all(Object.values(portsFrom(base)).map(isPortFree))).toEqual(Array(8).fill(true));
}

// Built once and for all; it is not what is tried here.
beforeAll(() => buildConsole(), 600_000);
afterEach(async () => {
  for (const child of started.splice(0)) {
    child.signal('SIGTERM'); // make passes it on
    await child.stop({ graceMs: 40_000 });
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('a first start ends with a curl line that works, and Ctrl-C leaves no process', { timeout: 300_000 }, async () => {
  const child = await makeUp();
  const dev = await runs(child);
  const processes = recorded();
  expect(processes.length).toBe(7);

  const curl = /^ {2}(curl .*)$/m.exec(child.output())?.[1] ?? '';
  const { stdout } = spawnSync('sh', ['-c', `${curl} --silent`], { encoding: 'utf8' });
  expect(stdout).toMatch(/^HTTP\/1\.1 202 /);
  await eventually(async () => {
    const response = await fetch(dev.demo.receiverUrl, { headers: { accept: 'application/json' } });
    return ((await response.json()) as { requests: unknown[] }).requests.length === 1;
  });

  process.kill(-child.pid, 'SIGINT');
  await child.exited;
  await everythingIsGone(processes);
  expect([existsSync(path.join(dir, 'dev.json')), existsSync(path.join(dir, 'stack.json'))]).toEqual([false, false]);
});

test('a second start builds nothing and keeps the tenants', { timeout: 300_000 }, async () => {
  const before = JSON.parse(readFileSync(path.join(dir, 'seed.json'), 'utf8')) as { acme: { password: string } };
  const child = await makeUp();
  const dev = await runs(child);
  expect(child.output()).toMatch(/console build +unchanged/);
  expect(child.output()).toMatch(/migrations unchanged/);
  expect(dev.user.password).toBe(before.acme.password);

  // A third one in the same folder says who has it, and does not disturb it.
  const other = await makeUp();
  expect((await other.exited).code).not.toBe(0);
  expect(other.output()).toMatch(/^The stack of this folder is running already \(process \d+, http:\/\/127\.0\.0\.1:\d+\): stop it with Ctrl-C there first$/m);
  expect((await fetch(`${dev.console}/api/health/ready`)).status).toBe(200);

  // An interrupt that reaches make alone is enough.
  const processes = recorded();
  child.signal('SIGINT');
  await child.exited;
  await everythingIsGone(processes);
});

test('after a kill -9 of the keeper the next start cleans up and works', { timeout: 400_000 }, async () => {
  const first = await makeUp();
  await runs(first);
  const processes = recorded();
  process.kill(processes[0]?.pid ?? 0, 'SIGKILL');
  const second = await makeUp();
  await runs(second);
  expect(processes.filter(isAlive)).toEqual([]);

  // The same for make itself: its orphan stops by itself, and the next start waits for that.
  const orphaned = recorded();
  await second.kill();
  const third = await makeUp();
  await runs(third);
  expect(orphaned.filter(isAlive)).toEqual([]);
});

test('a killed part is started again', { timeout: 300_000 }, async () => {
  const child = await makeUp();
  const dev = await runs(child);
  const { parts } = JSON.parse(readFileSync(path.join(dir, 'stack.json'), 'utf8')) as { parts: Record<string, ProcessRecord> };
  process.kill(parts.node?.pid ?? 0, 'SIGKILL');
  await eventually(() => child.output().includes('node runs again'), { timeoutMs: 60_000, what: 'the node to run again' });
  const response = await fetch(dev.demo.ingestUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"status":"paid"}' });
  expect(response.status).toBe(202);
});

test('a busy port is one sentence that names it, and nothing stays running', async () => {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(base + 2, '127.0.0.1', resolve));
  const child = await makeUp();
  expect((await child.exited).code).not.toBe(0);
  server.close();
  expect(child.output()).toContain(`Port ${base + 2} for the test receiver is in use by another program: end it, or choose other ports with VRSKY_PORT_BASE`);
  expect(child.output()).not.toMatch(/^\s+at /m);
});

test('a folder that cannot be written is one sentence', async () => {
  const child = await makeUp({ VRSKY_DEV_DIR: '/sys/vrsky' });
  expect((await child.exited).code).not.toBe(0);
  expect(child.output()).toMatch(/^\/sys\/vrsky cannot be written: use a clone in a folder that can$/m);
  expect(child.output()).not.toMatch(/^\s+at /m);
});

test('a full disk is one sentence', async ({ skip }) => {
  const small = mkdtempSync(path.join(dir, 'small-'));
  const mount = `mount -t tmpfs -o size=8m none ${small} && exec make --silent -o bootstrap up`;
  const canMount = spawnSync('unshare', ['--map-root-user', '--mount', 'mount', '-t', 'tmpfs', 'none', small]).status === 0;
  if (!canMount) skip();
  const child = await launch({
    command: 'unshare',
    args: ['--map-root-user', '--mount', 'sh', '-c', mount],
    env: { ...plainEnv(), VRSKY_DEV_DIR: small, VRSKY_PORT_BASE: String(base) },
    cwd: root,
  });
  expect((await child.exited).code).not.toBe(0);
  expect(child.output()).toMatch(/^The disk of .*small-.* is full: \d MiB are free and 256 MiB are needed$/m);
});

test('a number that is no port is one message', async () => {
  const child = await makeUp({ VRSKY_PORT_BASE: 'eighty' });
  expect((await child.exited).code).not.toBe(0);
  expect(child.output()).toContain('VRSKY_PORT_BASE must be a whole number from 1024 to 65500, not "eighty"');
  expect(child.output()).not.toMatch(/^\s+at /m);
});
