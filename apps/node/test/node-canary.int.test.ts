import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { getStored } from '@vrsky/bus/stored';
import { streamNames } from '@vrsky/contracts/subjects';
import { eventually } from '@vrsky/testkit/eventually';
import { findLeaks } from '@vrsky/testkit/find-leaks';
import { type RequestBin, requestBin } from '@vrsky/testkit/request-bin';
import { scratchDir } from '@vrsky/testkit/scratch';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleEcho, installEcho } from '../src/plugins/fixtures/echo-bundle.test-support.ts';
import { type ControlPlane, startControlPlane, type TestPipeline, type TestTenant } from './control-plane.ts';
import { type NodeProcess, startNode } from './node-process.ts';

// A real node and its real connectors carry values that must be seen nowhere but where they were sent: a payload, a sender's header, a
// secret in a destination's settings. One connector is killed in between. Then everything that anybody can read is searched.

/** A tenant's secret, sealed to the node and told to a connector. */
const secret = { secret: 'kanarie-tenant-secret-b81d', replaced: 'kanarie-replaced-secret-40aa' };
const canaries = { ...secret, payload: 'kanarie-payload-7f3a', header: 'kanarie-header-91c2', setting: 'kanarie-setting-d05e' };

let plane: ControlPlane;
let bin: RequestBin;
let node: NodeProcess;
let tenant: TestTenant;
let made: TestPipeline;
let traces = '';
const collector = http.createServer((request, response) => {
  request.setEncoding('utf8').on('data', (text: string) => (traces += text));
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
});
let outsider: ChildProcess;

beforeAll(async () => {
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
  plane = await startControlPlane();
  bin = await requestBin();
  tenant = await plane.addTenant();
  const plugins = scratchDir('plugins');
  mkdirSync(plugins, { recursive: true });
  const bundle = path.join(scratchDir('build'), 'echo.mjs');
  await bundleEcho(bundle);
  await installEcho(bundle, path.join(plugins, 'echo'), '1.0.0');
  node = await startNode(plane, {
    egressAllow: [`127.0.0.1:${bin.port}`],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
      OTEL_BSP_SCHEDULE_DELAY: '100',
      VRSKY_LOG_LEVEL: 'trace',
      VRSKY_PLUGIN_DIR: plugins,
    },
  });
  made = await plane.pipeline(tenant, {
    to: {
      good: { url: `${bin.url}/good`, headers: [{ name: 'Authorization', value: `Bearer ${canaries.setting}` }] },
      bad: { url: `${bin.url}/bad`, headers: [{ name: 'Authorization', value: `Bearer ${canaries.setting}` }] },
    },
    through: { keyed: { connector: 'echo', settings: { key: { $secret: 'api' } } } },
    steps: [{ id: 'same', kind: 'convert', source: 'export default (message: Message) => message.text();' }],
    retry: { attempts: 1, initialMs: 50, maxMs: 50 },
  });
  const fence = await plane.publish(tenant, [made], undefined, {
    api: {
      values: [
        [2, secret.secret],
        [1, secret.replaced],
      ],
    },
  });
  await plane.waitForReport(tenant, (report) => report.applied?.generation === fence.generation);
  bin.behave(({ url }) => (url === '/bad' ? { status: 400, body: 'refused' } : {}));
  outsider = spawn('/bin/sleep', ['1000'], { env: { CANARY: canaries.payload }, stdio: 'ignore' });
});
afterAll(async () => {
  outsider?.kill('SIGKILL');
  await node?.[Symbol.asyncDispose]();
  await bin?.close();
  await plane?.[Symbol.asyncDispose]();
  collector.closeAllConnections();
  collector.close();
});

/** The text of a process that everybody on the machine may see, of it and of all that it started. */
function processTexts(pid: number): Record<string, string> {
  const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'latin1').replaceAll('\0', '\n');
  const children = readdirSync(`/proc/${pid}/task`).flatMap((tid) => readFileSync(`/proc/${pid}/task/${tid}/children`, 'latin1').split(' ').filter(Boolean));
  return Object.assign(
    { [`environment of ${pid}`]: read('environ'), [`arguments of ${pid}`]: read('cmdline') },
    ...children.map((child) => processTexts(Number(child))),
  );
}

/** All that lies in a folder, as one text. */
function filesIn(folder: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.length).toBeGreaterThan(0);
  return files.map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'latin1')).join('\n');
}

async function deliver(): Promise<void> {
  const answer = await node.post(made.path, JSON.stringify({ text: canaries.payload }), { 'x-confidential': canaries.header });
  expect(answer.status).toBe(202);
  const outcome = await plane.waitForOutcome(tenant, String(answer.body['messageId']), ({ destinations }) =>
    destinations.every(({ state }) => state !== 'retrying'),
  );
  expect(outcome.destinations.map(({ state }) => state).sort()).toEqual(['dead_lettered', 'delivered', 'delivered']);
}

const hashOf = (value: string) => createHash('sha256').update(value).digest('hex').slice(0, 12);
const stateOf = async (name: string) => (await plane.lease(String(plane.enrolled[0]?.nodeId)))?.connectors.find((one) => one.name === name);

test('a payload, a header and a secret in settings are seen nowhere: environment, arguments, log, traces, metrics, books, status', async () => {
  await deliver();
  for (const name of ['http destination', 'echo']) {
    const before = await eventually(async () => (await stateOf(name)) ?? false);
    process.kill(before.pid as number, 'SIGKILL');
    await eventually(async () => (await stateOf(name))?.restarts === 1 && (await stateOf(name))?.state === 'running', { timeoutMs: 30_000 });
  }
  await deliver();

  const processes = processTexts(node.child().pid);
  expect(Object.keys(processes).length).toBeGreaterThanOrEqual(8); // the node and its connectors, with two texts each
  const metrics = await node.metrics();
  const { checks } = await node.ready();
  const status = JSON.stringify([
    await plane.lease(String(plane.enrolled[0]?.nodeId)),
    await plane.report(String(plane.enrolled[0]?.nodeId), tenant.tenantId),
    checks,
  ]);
  await node.stop(); // writes the books to their end
  const calls = await eventually(() => {
    const text = JSON.stringify(tenant.calls);
    return text.includes('/vrsky.connector.v1.Connector/Drain') && text;
  });

  expect(calls).toContain('/vrsky.connector.v1.Connector/Configure');
  expect(calls).toContain('The connector was ended by SIGKILL');
  expect(traces).toContain('deliver');
  expect(metrics).toMatch(/^vrsky_plugin_messages_total\{connector="http".* [1-9]/m);
  expect(metrics).toMatch(/^vrsky_plugin_restarts_total\{connector="http",version="[^"]+",role="destination",tenant="_shared"\} 1$/m);
  expect(node.child().output()).toContain('the connector is up');
  // What is stored holds payloads and settings by design; a tenant's secret it holds as ciphertext alone.
  expect(findLeaks({ disk: filesIn(node.stateDir), NATS: filesIn(plane.nats.dir) }, secret)).toEqual([]);
  expect(findLeaks({ ...processes, metrics, status, traces, calls, log: node.child().output(), trail: JSON.stringify(tenant.trail) }, canaries)).toEqual([]);
});

test('they would be found: each arrived where it was sent, and a process that holds one shows it', async () => {
  const arrived = bin.requests.filter(({ url }) => url === '/good').map(({ body, headers }) => `${body.toString()} ${JSON.stringify(headers)}`);
  expect(arrived.length).toBeGreaterThanOrEqual(2);
  const { seq } = tenant.trail.flatMap(({ messages }) => messages)[0] as { seq: number };
  const stored = await getStored(await plane.admin.tenant({ tenantId: tenant.tenantId, accountSeed: tenant.accountSeed }), streamNames.ingest, seq);
  expect(findLeaks({ receiver: arrived.join('\n'), stream: Buffer.from(stored?.data ?? '').toString('latin1') }, canaries)).toEqual([
    { where: 'receiver', canary: 'payload' },
    { where: 'receiver', canary: 'setting' },
    { where: 'stream', canary: 'payload' },
    { where: 'stream', canary: 'header' },
  ]);
  const told = tenant.trail.flatMap(({ messages }) => messages).flatMap(({ destinations }) => destinations.filter(({ id }) => id === 'keyed'));
  const hashes = [`2:${hashOf(secret.secret)}`, `1:${hashOf(secret.replaced)}`].join(' ');
  expect(told.map(({ peerAnswer = '' }) => peerAnswer.slice(9))).toEqual([hashes, hashes]); // before and after the crash
  expect(findLeaks({ disk: filesIn(node.stateDir), NATS: filesIn(plane.nats.dir) }, { setting: canaries.setting })).toEqual([
    { where: 'disk', canary: 'setting' },
    { where: 'NATS', canary: 'setting' },
  ]);
  expect(findLeaks(processTexts(outsider.pid as number), canaries)).toEqual([{ where: `environment of ${outsider.pid}`, canary: 'payload' }]);
});
