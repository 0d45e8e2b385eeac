import { once } from 'node:events';
import net from 'node:net';
import { eventually } from '@vrsky/testkit/eventually';
import { type RequestBin, requestBin } from '@vrsky/testkit/request-bin';
import { scratchDir } from '@vrsky/testkit/scratch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ControlPlane, startControlPlane, type TestPipeline, type TestTenant } from './control-plane.ts';
import { type NodeProcess, startNode } from './node-process.ts';

// What a node takes for its configuration, and what it does when there is nobody to ask.

let plane: ControlPlane;
let bin: RequestBin;
let node: NodeProcess;
let tenant: TestTenant;
let other: TestTenant;
let pipeline: TestPipeline;

beforeAll(async () => {
  plane = await startControlPlane();
  bin = await requestBin();
  [tenant, other] = [await plane.addTenant(), await plane.addTenant()];
  pipeline = await plane.pipeline(tenant, { to: { out: { url: bin.url } } });
  await plane.publish(tenant, [pipeline]);
  node = await startNode(plane, { egressAllow: [`127.0.0.1:${bin.port}`] });
  await plane.waitForReport(tenant, (report) => report.applied !== null);
});
afterAll(async () => {
  await node?.[Symbol.asyncDispose]();
  await bin?.close();
  await plane?.[Symbol.asyncDispose]();
});

async function delivers(): Promise<void> {
  const before = bin.requests.length;
  expect((await node.post(pipeline.path, '{}')).status).toBe(202);
  await bin.waitFor(before + 1);
}

describe('a bundle that is not right is refused with the reason, and running work goes on', () => {
  const cases: [string, () => Promise<string>, string][] = [
    ['changed after signing', async () => (await plane.getConfig(plane.bundleKey(tenant))).replace('Test', 'Tost'), 'SIGNATURE.INVALID'],
    ["another tenant's", async () => plane.signedBundle({ tenantId: other.tenantId, pipelines: [] }), 'BUNDLE.WRONG_TENANT'],
    ["another pool's", async () => plane.signedBundle({ tenantId: tenant.tenantId, pool: 'dedicated', pipelines: [] }), 'BUNDLE.WRONG_POOL'],
    ['not a bundle', async () => 'hello', 'SIGNATURE.MALFORMED'],
  ];
  test.each(cases)('%s', async (_name, text, code) => {
    const good = await plane.getConfig(plane.bundleKey(tenant));
    await plane.putConfig(plane.bundleKey(tenant), await text());
    const report = await plane.waitForReport(tenant, ({ rejected }) => rejected?.code === code);
    expect(report).toMatchObject({
      applied: expect.anything(),
      rejected: { reason: expect.stringMatching(/.{20}/) },
      pipelines: [{ pipelineId: pipeline.pipelineId, state: 'running' }],
    });
    await delivers();
    await plane.putConfig(plane.bundleKey(tenant), good);
    await plane.waitForReport(tenant, ({ rejected }) => rejected === null);
  });

  test('an old one that is put back', async () => {
    const old = await plane.getConfig(plane.bundleKey(tenant));
    pipeline = await plane.pipeline(tenant, { to: { out: { url: bin.url } } }, pipeline);
    const fence = await plane.publish(tenant, [pipeline]);
    await plane.waitForReport(tenant, ({ applied }) => applied?.generation === fence.generation);
    const current = await plane.getConfig(plane.bundleKey(tenant));
    await plane.putConfig(plane.bundleKey(tenant), old);
    const report = await plane.waitForReport(tenant, ({ rejected }) => rejected?.code === 'BUNDLE.OLDER');
    expect(report.pipelines).toMatchObject([{ pipelineId: pipeline.pipelineId, revision: pipeline.revision, state: 'running' }]);
    await delivers();
    await plane.putConfig(plane.bundleKey(tenant), current);
    await plane.waitForReport(tenant, ({ rejected }) => rejected === null);
  });
});

test('a pipeline that the connector refuses is refused alone, with the field; its earlier revision and the others go on', async () => {
  // The console lets this header through, the connector does not.
  const bad = await plane.pipeline(tenant, { to: { out: { url: bin.url, headers: [{ name: 'Proxy-Authorization', value: 'x' }] } } }, pipeline);
  const good = await plane.pipeline(tenant, { to: { out: { url: bin.url } } });
  await plane.publish(tenant, [bad, good]);
  const report = await plane.waitForReport(tenant, ({ pipelines }) => pipelines.some(({ state }) => state === 'failed'));
  expect(report).toMatchObject({
    rejected: null,
    pipelines: expect.arrayContaining([
      { pipelineId: pipeline.pipelineId, revision: bad.revision, state: 'failed', reason: expect.stringMatching(/^Destination "out": .*headers/) },
      { pipelineId: pipeline.pipelineId, revision: pipeline.revision, state: 'running' },
      { pipelineId: good.pipelineId, revision: good.revision, state: 'running' },
    ]),
  });
  await delivers();
  expect((await node.post(good.path, '{}')).status).toBe(202);
});

test('a tenant that a newer head leaves out ends on this node; a missing record alone ends nothing', async () => {
  const leaving = await plane.addTenant();
  const made = await plane.pipeline(leaving, { to: { out: { url: bin.url } } });
  await plane.publish(leaving, [made]);
  await plane.waitForReport(leaving, ({ applied }) => applied !== null);
  expect((await node.post(made.path, '{}')).status).toBe(202);
  await plane.deleteConfig(plane.bundleKey(leaving));
  expect((await node.post(made.path, '{}')).status).toBe(202);
  await plane.leaveOut(leaving);
  await plane.waitForReport(leaving, ({ applied, pipelines }) => applied === null && pipelines.length === 0);
  await eventually(async () => (await node.post(made.path, '{}')).status === 404);
  await delivers();
});

describe('without a control plane', () => {
  test('a node that lost everything but its disk serves from its last good bundle, with neither token nor console', async () => {
    await node.kill();
    await plane.down();
    await node.start({ env: { VRSKY_JOIN_TOKEN: '' } });
    await delivers();
    expect(await node.ready()).toMatchObject({ status: 200, checks: { configuration: 'ok' } });
  });

  test('NATS away: the sender hears 503 with Retry-After, the node lives on, and recovers by itself', async () => {
    await plane.nats.kill();
    const refused = await eventually(async () => {
      const answer = await node.post(pipeline.path, '{}');
      return answer.status === 503 && answer;
    });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('content-type')).toContain('application/problem+json');
    await eventually(async () => (await node.ready()).status === 503);
    await plane.nats.start();
    await eventually(async () => (await node.post(pipeline.path, '{}')).status === 202, { timeoutMs: 15_000 });
    await eventually(async () => (await node.ready()).status === 200);
    await delivers();
  });

  test('a node that starts while NATS is away is there at once, and works as soon as NATS is', async () => {
    await node.stop();
    await plane.nats.kill();
    await node.start({ waitForReady: false });
    const refused = await eventually(async () => {
      const answer = await node.post(pipeline.path, '{}');
      return answer.status === 503 && answer;
    });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    await plane.nats.start();
    await eventually(async () => (await node.post(pipeline.path, '{}')).status === 202, { timeoutMs: 15_000 });
  });
});

test('a node whose port is taken, or whose connector is not there, says so in one sentence', async () => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as net.AddressInfo;
  await expect(startNode(plane, { env: { VRSKY_INGEST_PORT: String(port) } })).rejects.toThrow(`another program listens on 127.0.0.1:${port}`);
  await expect(startNode(plane, { env: { VRSKY_OPS_PORT: String(port) } })).rejects.toThrow(`another program listens on 127.0.0.1:${port}`);
  await expect(startNode(plane, { env: { VRSKY_CONNECTOR_HTTP: '/nowhere/connector' } })).rejects.toThrow(/code 78[\s\S]*VRSKY_CONNECTOR_HTTP/);
  await new Promise((resolve) => taken.close(resolve));
});

test('a node without token, or with a wrong one, ends with one sentence and exit code 78', async () => {
  const started = (env: Record<string, string>) => startNode(plane, { env: { VRSKY_STATE_DIR: scratchDir('fresh'), ...env } });
  await expect(started({ VRSKY_JOIN_TOKEN: '' })).rejects.toThrow(/code 78[\s\S]*VRSKY_JOIN_TOKEN is missing/);
  await using fresh = await startControlPlane();
  await expect(startNode(fresh, { env: { VRSKY_JOIN_TOKEN: 'x'.repeat(32) } })).rejects.toThrow(/code 78[\s\S]*unknown, used or expired/);
});
