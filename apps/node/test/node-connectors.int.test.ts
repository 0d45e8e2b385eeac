import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { eventually } from '@vrsky/testkit/eventually';
import { scratchDir } from '@vrsky/testkit/scratch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleEcho, installEcho } from '../src/plugins/fixtures/echo-bundle.test-support.ts';
import { type ControlPlane, startControlPlane, type TestPipeline, type TestTenant } from './control-plane.ts';
import { type NodeProcess, startNode } from './node-process.ts';

// A real node with a directory of connectors: what it tells of them, and what it lets whom do with them.

let plane: ControlPlane;
let node: NodeProcess;
let tenant: TestTenant;
let other: TestTenant;
let pipeline: TestPipeline;
const dir = scratchDir('plugins');
let bundle: string;

const install = (version: string) => installEcho(bundle, path.join(dir, 'echo'), version);

beforeAll(async () => {
  await mkdir(dir, { recursive: true });
  bundle = path.join(scratchDir('build'), 'echo.mjs');
  await bundleEcho(bundle);
  plane = await startControlPlane();
  [tenant, other] = [await plane.addTenant(), await plane.addTenant()];
  pipeline = await plane.pipeline(tenant, { to: {}, through: { out: { connector: 'echo', settings: {} } } });
  await plane.publish(tenant, [pipeline]);
  await plane.publish(other, []);
  node = await startNode(plane, { env: { VRSKY_PLUGIN_DIR: dir } });
});
afterAll(async () => {
  await node?.[Symbol.asyncDispose]();
  await plane?.[Symbol.asyncDispose]();
});

const nodeId = (): string => (plane.enrolled[0] as { nodeId: string }).nodeId;

test('a pipeline whose connector is not there yet fails alone with the reason, and runs by itself as soon as the connector is installed', async () => {
  const failed = await plane.waitForReport(tenant, ({ pipelines }) => pipelines[0]?.state === 'failed');
  expect(failed.pipelines[0]?.reason).toBe('Destination "out": The connector echo is not installed on this node.');
  await install('1.0.0');
  await plane.waitForReport(tenant, ({ pipelines }) => pipelines[0]?.state === 'running');
  const answer = await node.post(pipeline.path, 'hello');
  expect(answer.status).toBe(202);
  const outcome = await plane.waitForOutcome(tenant, answer.body.messageId as string);
  expect(outcome.destinations).toMatchObject([{ id: 'out', state: 'delivered' }]);
});

test('what the node offers, runs and can hold connectors with is told to the control plane', async () => {
  const offers = await eventually(async () => (await plane.offers(nodeId()))?.connectors.some(({ name }) => name === 'echo') && (await plane.offers(nodeId())));
  expect(offers?.connectors.map(({ name, version, origin }) => `${name} ${version} ${origin}`).sort()).toEqual([
    'echo 1.0.0 directory',
    expect.stringMatching(/^http .* built-in$/),
  ]);
  const lease = await eventually(async () => {
    const found = await plane.lease(nodeId());
    return found?.connectors.some(({ name, state }) => name === 'echo' && state === 'running') ? found : false;
  });
  expect(lease.connectors.find(({ name }) => name === 'echo')).toMatchObject({
    tenantId: tenant.tenantId,
    version: '1.0.0',
    sandbox: expect.arrayContaining(['environment']),
  });
  expect(Object.keys(lease.sandbox.layers)).toContain('namespaces');
});

describe('settings', () => {
  test('are checked by the connector on the node, each problem at its field', async () => {
    expect(await plane.check(tenant, { connector: 'echo', settings: { wrong: true } })).toMatchObject({
      ok: true,
      version: '1.0.0',
      nodeName: 'test node',
      errors: [{ path: '/wrong', message: 'This is wrong.' }],
    });
    expect(await plane.check(other, { connector: 'echo' })).toMatchObject({ ok: true, errors: [] });
    expect(await plane.check(tenant, { connector: 'ftp' })).toMatchObject({ ok: false, code: 'PLUGIN.NOT_INSTALLED' });
  });

  test.each([
    ['another tenant’s request', { tenantId: 'cus_other' }, 'CONNECTOR.WRONG_TENANT'],
    ['another pool’s request', { pool: 'dedicated' }, 'CONNECTOR.WRONG_POOL'],
    ['an old request', { issuedAtMs: 1 }, 'CONNECTOR.TOO_OLD'],
  ])('%s is refused', async (_name, part, code) => {
    expect(await plane.check(tenant, { connector: 'echo', ...part })).toMatchObject({ ok: false, code });
  });
});

test('a newer file takes over while messages flow, and every one of them is delivered', async () => {
  const sent: string[] = [];
  let isOver = false;
  const load = (async () => {
    while (!isOver) {
      const answer = await node.post(pipeline.path, 'flow');
      expect(answer.status).toBe(202);
      sent.push(answer.body.messageId as string);
    }
  })();
  await install('1.1.0');
  await eventually(async () => (await plane.lease(nodeId()))?.connectors.some(({ name, version }) => name === 'echo' && version === '1.1.0'), {
    timeoutMs: 30_000,
  });
  isOver = true;
  await load;
  for (const id of sent) expect((await plane.waitForOutcome(tenant, id)).destinations).toMatchObject([{ state: 'delivered' }]);
});

test('nothing runs with less protection than its tenant asks for: not the new revision, and not the one before', async () => {
  await plane.publish(tenant, [pipeline], { sandboxMinimum: ['namespaces', 'quantum'] });
  const report = await plane.waitForReport(tenant, ({ pipelines }) => pipelines[0]?.state === 'failed');
  expect(report.pipelines[0]?.reason).toContain('quantum');
  await eventually(async () => (await node.post(pipeline.path, 'refused')).status === 404);
  await plane.publish(tenant, [pipeline], { sandboxMinimum: ['environment'] });
  await plane.waitForReport(tenant, ({ pipelines }) => pipelines[0]?.state === 'running');
  expect((await node.post(pipeline.path, 'taken')).status).toBe(202);
});
