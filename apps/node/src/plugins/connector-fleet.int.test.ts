import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLog } from '@vrsky/kernel/log';
import { detectSandbox } from '@vrsky/plugin/sandbox/detect';
import type { SandboxReport } from '@vrsky/plugin/sandbox/layers';
import { decodeMessage } from '@vrsky/proto/message-codec';
import { findBubblewrap } from '@vrsky/testkit/bubblewrap';
import { eventually } from '@vrsky/testkit/eventually';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ConnectionPlan } from '../core/pipeline-plan.ts';
import { createCallLedger } from './call-ledger.ts';
import { createConfine } from './confinement.ts';
import { type ConnectorCatalog, createConnectorCatalog } from './connector-catalog.ts';
import { type ConnectorFleet, createConnectorFleet } from './connector-fleet.ts';
import type { ReceivedEntry } from './connector-host.ts';
import { describeRelease } from './connector-session.ts';
import { bundleEcho, installEcho } from './fixtures/echo-bundle.test-support.ts';
import { openReleaseStore, type ReleaseStore } from './release-store.ts';

const log = createLog('test', 'silent');
/** The echo connector as one file, as a connector is delivered; its version is in the text. */
let bundle: string;
let sandbox: SandboxReport;
let builds: string;
beforeAll(async () => {
  const bwrap = findBubblewrap();
  sandbox = await detectSandbox(bwrap === null ? {} : { bwrap });
  builds = await mkdtemp(path.join(tmpdir(), 'vrsky-builds-'));
  bundle = path.join(builds, 'echo.mjs');
  await bundleEcho(bundle);
});
afterAll(() => rm(builds, { recursive: true, force: true }));

let dir: string;
let store: ReleaseStore;
let catalog: ConnectorCatalog;
let fleet: ConnectorFleet;
let received: ReceivedEntry[];
let events: { tenantId: string; kind: string; reason: string }[];

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'vrsky-plugins-'));
  received = [];
  events = [];
  store = await openReleaseStore(path.join(dir, '.kept'));
  catalog = createConnectorCatalog({
    dir,
    store,
    builtIn: ['http'],
    describe: (release, manifest) => describeRelease(release, { env: manifest.env, sandbox: createConfine(sandbox, [])({ manifest, minimum: [] }), log }),
    log,
  });
  fleet = createConnectorFleet({
    catalog,
    shared: {},
    credit: 100,
    dataDir: path.join(dir, '.data'),
    confine: createConfine(sandbox, []),
    openSeat: createCallLedger({ nodeId: 'nod_1', publish: async () => undefined, log }).seat,
    onEvent: ({ tenantId }, { kind, reason }) => events.push({ tenantId, kind, reason }),
    log,
  });
  fleet.onReceive((entries) => {
    received.push(...entries);
    for (const { seq } of entries) fleet.ack(seq, 'stored', { messageId: 'msg_1' });
  });
});
afterEach(async () => {
  await fleet[Symbol.asyncDispose]();
  await catalog[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const never = new AbortController().signal;
async function begin(): Promise<void> {
  await fleet.start?.(never);
  await catalog.start?.(never);
}

const install = (version: string, file = 'echo', change?: (text: string) => string) => installEcho(bundle, path.join(dir, file), version, change);

const plan = (tenantId: string, more: Partial<ConnectionPlan> = {}): ConnectionPlan => ({
  connectionId: `${tenantId}/out`,
  tenantId,
  connector: 'echo',
  release: undefined,
  role: 'destination',
  settings: {},
  secrets: [],
  sandboxMinimum: [],
  ...more,
});
const deliver = (tenantId: string, text = 'hello') =>
  fleet.send(
    {
      connectionId: `${tenantId}/out`,
      customerId: tenantId,
      pipelineId: 'p',
      messageId: 'msg_1',
      traceparent: '',
      tracestate: '',
      attempt: 1,
      headers: [],
      payload: Buffer.from(text),
      contentType: 'text/plain',
    },
    20_000,
  );
const offered = () => catalog.offers().connectors.map(({ name, version }) => `${name} ${version}`);

test('a connector put into the directory is offered with what it says about itself, and every tenant gets a process of its own', async () => {
  await begin();
  expect(offered()).toEqual([]);
  await install('1.0.0');
  await eventually(() => offered().includes('echo 1.0.0'));
  expect(catalog.offers().connectors[0]).toMatchObject({ roles: ['source', 'destination'], network: 'none', origin: 'directory' });
  expect(await fleet.configureTenant('cus_a', [plan('cus_a')])).toEqual([]);
  expect(await fleet.configureTenant('cus_b', [plan('cus_b')])).toEqual([]);
  expect((await deliver('cus_a')).status).toBe('ok');
  expect((await deliver('cus_b')).status).toBe('ok');
  const states = fleet.states();
  expect(states.map(({ tenantId, version }) => `${tenantId} ${version}`)).toEqual(['cus_a 1.0.0', 'cus_b 1.0.0']);
  expect(new Set(states.map(({ pid }) => pid)).size).toBe(2);
});

test('a newer file takes over in place while messages flow; a process pinned to the older release stays with it', async () => {
  await install('1.0.0');
  await begin();
  await eventually(() => offered().includes('echo 1.0.0'));
  const digest = catalog.find('echo')?.offer.digest;
  await fleet.configureTenant('cus_a', [plan('cus_a')]);
  await fleet.configureTenant('cus_b', [plan('cus_b', { release: digest })]);
  let isOver = false;
  const statuses = new Set<string>();
  const load = (async () => {
    while (!isOver) statuses.add((await deliver('cus_a')).status);
  })();
  await install('1.1.0');
  await eventually(() => events.some(({ tenantId, kind }) => tenantId === 'cus_a' && kind === 'upgraded'));
  isOver = true;
  await load;
  expect([...statuses]).toEqual(['ok']);
  expect(fleet.states().map(({ tenantId, version }) => `${tenantId} ${version}`)).toEqual(['cus_a 1.1.0', 'cus_b 1.0.0']);
});

test('what runs is what was read: a file that is overwritten or removed later changes no running process', async () => {
  await install('1.0.0');
  await begin();
  await eventually(() => offered().includes('echo 1.0.0'));
  await fleet.configureTenant('cus_a', [plan('cus_a')]);
  await rm(path.join(dir, 'echo'));
  await eventually(() => offered().length === 0);
  const [{ pid } = { pid: null }] = fleet.states();
  process.kill(pid as number, 'SIGKILL');
  await eventually(() => fleet.states()[0]?.state === 'running' && fleet.states()[0]?.pid !== pid);
  expect(await deliver('cus_a')).toMatchObject({ status: 'ok' });
});

test('files that are no connector are named with the reason, and harm no other', async () => {
  await install('1.0.0');
  await install('1.0.0', 'twin', (text) => `${text}\n// other bytes`);
  await install('not a version', 'unversioned');
  await install('1.0.0', 'http', (text) => text.replace('name: "echo"', 'name: "http"'));
  await writeFile(path.join(dir, 'notes.txt'), 'not executable');
  await copyFile('/bin/true', path.join(dir, 'true'));
  await install('1.0.0', 'manifested');
  await writeFile(path.join(dir, 'manifested.json'), '{"network":"everything"}');
  await begin();
  await eventually(() => offered().includes('echo 1.0.0') && catalog.offers().problems.length === 6);
  const reasons = Object.fromEntries(catalog.offers().problems.map(({ file, reason }) => [file, reason]));
  expect(Object.keys(reasons).sort()).toEqual(['http', 'manifested.json', 'notes.txt', 'true', 'twin', 'unversioned']);
  expect(reasons.http).toContain('comes with the node');
  expect(reasons['manifested.json']).toContain('network');
  expect(reasons['notes.txt']).toContain('chmod +x');
  expect(reasons.true).toContain('ended before');
  expect(reasons.twin).toContain('Give each release its own version');
  expect(reasons.unversioned).toContain('It does not work as a connector');
});

test('a process speaks for its own tenant’s connections alone, whatever it claims', async () => {
  await install('1.0.0', 'echo', (text) => text.replace('submit(connectionId, `message', 'submit(settings.as ?? connectionId, `message'));
  await begin();
  await eventually(() => offered().includes('echo 1.0.0'));
  await fleet.configureTenant('cus_b', [plan('cus_b', { connectionId: 'cus_b/in', role: 'source' })]);
  await fleet.configureTenant('cus_a', [plan('cus_a', { connectionId: 'cus_a/in', role: 'source', settings: { messages: 3, as: 'cus_b/in' } })]);
  await fleet.configureTenant('cus_a', [plan('cus_a', { connectionId: 'cus_a/in', role: 'source', settings: { messages: 2 } })]);
  await eventually(() => received.length === 2);
  expect(received.map(({ raw }) => decodeMessage(raw).connectionId)).toEqual(['cus_a/in', 'cus_a/in']);
});

test('acknowledgements find the process that waits for them, though all count from one', async () => {
  await install('1.0.0');
  await begin();
  await eventually(() => offered().includes('echo 1.0.0'));
  const source = (tenantId: string) => plan(tenantId, { connectionId: `${tenantId}/in`, role: 'source', settings: { messages: 250 } });
  // More than the credit of 100: they end only if each process hears of its own.
  await Promise.all(['cus_a', 'cus_b'].map((tenantId) => fleet.configureTenant(tenantId, [source(tenantId)])));
  await eventually(() => received.length === 500);
  for (const tenantId of ['cus_a', 'cus_b']) expect(received.filter(({ connectionId }) => connectionId === `${tenantId}/in`).length).toBe(250);
});

test('a connection to a connector that is not there, or not in that role or version, is refused alone with the reason', async () => {
  await install('1.0.0');
  await begin();
  await eventually(() => offered().includes('echo 1.0.0'));
  const refused = await fleet.configureTenant('cus_a', [
    plan('cus_a'),
    plan('cus_a', { connectionId: 'cus_a/absent', connector: 'ftp' }),
    plan('cus_a', { connectionId: 'cus_a/old', release: `sha256:${'0'.repeat(64)}` }),
  ]);
  expect(refused.map(({ connectionId, errors }) => [connectionId, errors[0]?.message])).toEqual([
    ['cus_a/absent', 'The connector ftp is not installed on this node.'],
    ['cus_a/old', expect.stringContaining('not installed on this node in the version')],
  ]);
  expect((await deliver('cus_a')).status).toBe('ok');
});

test('settings are checked by the connector before anything is published, and no process stays behind', async () => {
  await install('1.0.0');
  await begin();
  await eventually(() => offered().includes('echo 1.0.0'));
  expect(await fleet.check(plan('cus_a', { settings: { wrong: true } }), false, 15_000)).toMatchObject({
    errors: [{ path: '/wrong', message: 'This is wrong.' }],
    version: '1.0.0',
  });
  await expect(fleet.check(plan('cus_a', { connector: 'ftp' }), false, 15_000)).rejects.toMatchObject({ code: 'PLUGIN.NOT_INSTALLED' });
  expect(fleet.states()).toEqual([]);
});

test('a tenant that no longer needs a connector has no process of it', async () => {
  await install('1.0.0');
  await begin();
  await eventually(() => offered().includes('echo 1.0.0'));
  await fleet.configureTenant('cus_a', [plan('cus_a')]);
  const pid = fleet.states()[0]?.pid as number;
  await fleet.configureTenant('cus_a', []);
  expect(fleet.states()).toEqual([]);
  await eventually(() => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  });
});
