import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { configKeys } from '@vrsky/contracts/subjects';
import { scratchDir } from '@vrsky/testkit/scratch';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleEcho, installEcho } from '../src/plugins/fixtures/echo-bundle.test-support.ts';
import { type ControlPlane, startControlPlane, type TestPipeline, type TestSecrets, type TestTenant } from './control-plane.ts';
import { type NodeProcess, startNode } from './node-process.ts';

// A real node and a real connector that answers with hashes of the secrets it was told.

let plane: ControlPlane;
let node: NodeProcess;
let tenant: TestTenant;
let other: TestTenant;
/** With two destinations of one connector process, each with a secret of its own, and a third without. */
let pipeline: TestPipeline;
let foreign: TestPipeline;

beforeAll(async () => {
  const dir = scratchDir('plugins');
  await mkdir(dir, { recursive: true });
  const bundle = path.join(scratchDir('build'), 'echo.mjs');
  await bundleEcho(bundle);
  await installEcho(bundle, path.join(dir, 'echo'), '1.0.0');
  plane = await startControlPlane();
  [tenant, other] = [await plane.addTenant(), await plane.addTenant()];
  const through = (name: string) => ({ connector: 'echo', settings: { key: { $secret: name } } });
  pipeline = await plane.pipeline(tenant, { to: {}, through: { one: through('alpha'), two: through('beta'), none: { connector: 'echo', settings: {} } } });
  foreign = await plane.pipeline(other, { to: {}, through: { one: through('alpha') } });
  // The node enrols first, since secrets are sealed to its key.
  await plane.publish(tenant, []);
  node = await startNode(plane, { env: { VRSKY_PLUGIN_DIR: dir } });
});
afterAll(async () => {
  await node?.[Symbol.asyncDispose]();
  await plane?.[Symbol.asyncDispose]();
});

const shown = (version: number, value: string) => `${version}:${createHash('sha256').update(value).digest('hex').slice(0, 12)}`;
const applied = async (of: TestTenant, made: TestPipeline, secrets: TestSecrets) => {
  const fence = await plane.publish(of, [made], undefined, secrets);
  await plane.waitForReport(of, (report) => report.applied?.generation === fence.generation && report.pipelines.every(({ state }) => state === 'running'));
};
/** What each destination's connection was told, and the process that says so. */
const told = async (of: TestTenant, made: TestPipeline): Promise<{ starts: Set<string>; secrets: Record<string, string> }> => {
  const answer = await node.post(made.path, 'what do you know?');
  expect(answer.status).toBe(202);
  const { destinations } = await plane.waitForOutcome(of, String(answer.body['messageId']));
  const answers = destinations.filter(({ id }) => id !== 'none').map(({ id, peerAnswer = '' }) => [id, peerAnswer.slice(0, 8), peerAnswer.slice(9)] as const);
  return { starts: new Set(answers.map(([, start]) => start)), secrets: Object.fromEntries(answers.map(([id, , secrets]) => [id, secrets])) };
};

const both: TestSecrets = { alpha: { hosts: ['api.example.com'], values: [[1, 'alpha-eins']] }, beta: { values: [[1, 'beta-eins']] } };
let starts: Set<string>;

test('each connection is told the secrets that its own settings refer to, and a tenant those of its own', async () => {
  await applied(tenant, pipeline, both);
  await applied(other, foreign, { alpha: { values: [[1, 'somebody else']] } });
  const ours = await told(tenant, pipeline);
  expect(ours.secrets).toEqual({ one: `api.example.com ${shown(1, 'alpha-eins')}`, two: shown(1, 'beta-eins') });
  expect((await told(other, foreign)).secrets).toEqual({ one: shown(1, 'somebody else') });
  starts = ours.starts;
});

test('a replaced secret comes beside the old one and stays alone when its time is over, in the same process', async () => {
  await applied(tenant, pipeline, {
    ...both,
    alpha: {
      values: [
        [2, 'alpha-zwei'],
        [1, 'alpha-eins'],
      ],
    },
  });
  expect(await told(tenant, pipeline)).toEqual({ starts, secrets: { one: `${shown(2, 'alpha-zwei')} ${shown(1, 'alpha-eins')}`, two: shown(1, 'beta-eins') } });
  await applied(tenant, pipeline, { ...both, alpha: { values: [[2, 'alpha-zwei']] } });
  expect(await told(tenant, pipeline)).toEqual({ starts, secrets: { one: shown(2, 'alpha-zwei'), two: shown(1, 'beta-eins') } });
});

test('a check of settings opens what was sealed to this node for this request, and nothing of another one', async () => {
  const issuedAtMs = Date.now();
  const question = { connector: 'echo', settings: { key: { $secret: 'draft' } }, issuedAtMs };
  const secrets = plane.sealedForRequest(tenant, { draft: { values: [[1, 'of a draft']] } }, issuedAtMs);
  expect(await plane.check(tenant, { ...question, secrets })).toMatchObject({ ok: true, errors: [] });
  expect(await plane.check(tenant, { ...question, issuedAtMs: issuedAtMs + 1, secrets })).toMatchObject({ ok: false, code: 'SEAL.REFUSED' });
  expect(await plane.check(other, { ...question, secrets })).toMatchObject({ ok: false, code: 'SEAL.REFUSED' });
});

test('after a crash the node has them again from its own disk', async () => {
  for (const { nodeId } of plane.enrolled) await plane.deleteConfig(configKeys.secrets(nodeId, tenant.tenantId));
  await node.kill();
  await node.start();
  const again = await told(tenant, pipeline);
  expect(again.secrets).toEqual({ one: shown(2, 'alpha-zwei'), two: shown(1, 'beta-eins') });
  expect([...again.starts].some((start) => starts.has(start))).toBe(false);
});
