import type { Bundle } from '@vrsky/contracts/bundle';
import { pipelineSpecSchema } from '@vrsky/contracts/pipeline-spec';
import { expect, test } from 'vitest';
import type { ConnectionPlan, PipelinePlan } from '../core/pipeline-plan.ts';
import type { TenantBus } from '../tenant-bus.ts';
import { createConnectionSet } from './connection-set.ts';
import { createDeployer } from './deployer.ts';

const hash = `sha256:${'0'.repeat(64)}`;
const pipeline = (pipelineId: string, revision: number, destination = 'out') => ({
  pipelineId,
  name: pipelineId,
  revision,
  hash,
  modules: [],
  spec: pipelineSpecSchema.parse({
    v: 1,
    source: { id: 'in', name: 'In', connector: 'http', settings: { path: `in_${'0'.repeat(24)}` } },
    steps: [],
    destinations: [{ id: destination, name: 'The shop', connector: 'http', settings: { url: 'http://127.0.0.1:1/' } }],
  }),
});
const withSecret = (pipelineId: string, revision: number, name: string, destination = 'out'): Bundle['pipelines'][number] => {
  const made = pipeline(pipelineId, revision, destination);
  return {
    ...made,
    spec: { ...made.spec, destinations: [{ ...made.spec.destinations[0], connector: 'ftp', settings: { login: { key: { $secret: name } } } }] } as never,
  };
};
const bundle = (tenantId: string, pipelines: Bundle['pipelines']): Bundle => ({
  v: 1,
  tenantId,
  pool: 'shared',
  epoch: 1,
  generation: 1,
  issuedAt: new Date(0).toISOString(),
  pipelines,
});

function trial() {
  const events: string[] = [];
  /** Which secrets the destinations' connections got. */
  const told: string[][] = [];
  let secrets: Record<string, string> = {};
  const secretsNow = () => new Map(Object.entries(secrets).map(([name, host]) => [name, { name, hosts: [host], versions: [] }]));
  const configured: { generation: number; ids: string[] }[] = [];
  let refused: string[] = [];
  let isBroken = false;
  const names = (plans: readonly PipelinePlan[]) => plans.map(({ pipelineId, revision }) => `${pipelineId}#${revision}`).join(' ');
  const host = {
    async configure(generation: number, connections: ConnectionPlan[]) {
      told.push(connections.map(({ connectionId, secrets }) => `${connectionId} ${secrets.map(({ name, hosts }) => `${name}@${hosts}`).join()}`));
      configured.push({ generation, ids: connections.map(({ connectionId }) => connectionId) });
      events.push('configure');
      if (isBroken) {
        isBroken = false;
        throw new Error('broken');
      }
      return connections
        .filter(({ connectionId }) => refused.includes(connectionId))
        .map(({ connectionId }) => ({ connectionId, errors: [{ path: '/url', message: 'This address is not allowed.' }] }));
    },
  };
  // The destinations are what most tests look at; the sources go the same way to a process of their own.
  const sources: string[][] = [];
  const source = {
    async configure(_generation: number, given: ConnectionPlan[]) {
      sources.push(given.map(({ connectionId }) => connectionId));
      return [];
    },
  };
  const connections = createConnectionSet({ destination: host, source });
  const deployer = createDeployer({
    openBus: (tenantId) => ({ tenantId, connected: Promise.resolve(), renew() {}, async close() {} }) as unknown as TenantBus,
    connections,
    intake: { set: (_tenant, plans) => void events.push(`intake ${names(plans)}`), remove: (id) => void events.push(`intake without ${id}`) },
    delivery: { set: async (_tenant, plans) => void events.push(`delivery ${names(plans)}`), remove: async (id) => void events.push(`delivery without ${id}`) },
    listeners: [{ set() {}, remove() {} }],
  });
  const deploy = (tenantId: string, pipelines: Bundle['pipelines'], earlier: Bundle[] = []) =>
    deployer.deploy({
      bundle: bundle(tenantId, pipelines),
      grant: { tenantId, natsJwt: 'jwt' },
      proofKey: Buffer.alloc(32),
      secrets: secretsNow(),
      earlier,
      isRestore: false,
    });
  const refuse = (...ids: string[]): void => {
    refused = ids;
  };
  const breakNext = (): void => {
    isBroken = true;
  };
  const setSecrets = (next: typeof secrets): void => {
    secrets = next;
  };
  return { told, setSecrets, events, configured, sources, deployer, deploy, refuse, breakNext };
}

test("all tenants' connections go to the connector as one set, each time with a higher generation", async () => {
  const { configured, deploy } = trial();
  await deploy('cus_a', [pipeline('pip_1', 1)]);
  await deploy('cus_b', [pipeline('pip_2', 1)]);
  expect(configured.map(({ generation }) => generation)).toEqual([1, 2]);
  expect(configured.at(-1)?.ids).toEqual(['pip_1/out', 'pip_2/out']);
});

test('what many tenants change while the connector takes a set goes together into the next', async () => {
  const { configured, deploy } = trial();
  await Promise.all(Array.from({ length: 50 }, (_, i) => deploy(`cus_${i}`, [pipeline(`pip_${i}`, 1)])));
  expect(configured.length).toBeLessThan(5);
  expect(configured.at(-1)?.ids).toHaveLength(50);
});

test('a new URL has a way in before the connector opens it, and a pipeline that goes ends before its connections', async () => {
  const { events, deploy } = trial();
  await deploy('cus_a', [pipeline('pip_1', 1)]);
  events.length = 0;
  await deploy('cus_a', [pipeline('pip_2', 1)]);
  expect(events).toEqual(['intake pip_1#1 pip_2#1', 'delivery ', 'configure', 'intake pip_2#1', 'delivery pip_2#1']);
});

test('a pipeline that the connector refuses is refused alone, with the field and the reason, and its earlier revision goes on', async () => {
  const { events, deploy, refuse, configured } = trial();
  await deploy('cus_a', [pipeline('pip_1', 1), pipeline('pip_2', 1)]);
  refuse('pip_1/bad');
  const states = await deploy('cus_a', [pipeline('pip_1', 2, 'bad'), pipeline('pip_2', 2)]);
  expect(states).toEqual([
    { pipelineId: 'pip_1', revision: 2, state: 'failed', reason: 'Destination "The shop": This address is not allowed. (/url)' },
    { pipelineId: 'pip_1', revision: 1, state: 'running' },
    { pipelineId: 'pip_2', revision: 2, state: 'running' },
  ]);
  expect(events.at(-1)).toBe('delivery pip_1#1 pip_2#2');
  expect(configured.at(-1)?.ids).toEqual(['pip_1/out', 'pip_2/out']);
});

test("a set that the connector does not take at all leaves the other tenants' as they were", async () => {
  const { deploy, configured, breakNext } = trial();
  await deploy('cus_a', [pipeline('pip_1', 1)]);
  breakNext();
  await expect(deploy('cus_b', [pipeline('pip_2', 1)])).rejects.toThrow('broken');
  await deploy('cus_c', [pipeline('pip_3', 1)]);
  expect(configured.at(-1)?.ids).toEqual(['pip_1/out', 'pip_3/out']);
});

test('after a restart, too, a refused pipeline goes on with the revision of an earlier bundle', async () => {
  const { deploy, refuse } = trial();
  refuse('pip_1/bad');
  const states = await deploy('cus_a', [pipeline('pip_1', 3, 'bad')], [bundle('cus_a', [pipeline('pip_1', 2)]), bundle('cus_a', [pipeline('pip_1', 1)])]);
  expect(states).toMatchObject([
    { revision: 3, state: 'failed' },
    { revision: 2, state: 'running' },
  ]);
});

test('a removed tenant leaves nothing with the connector', async () => {
  const { deploy, deployer, configured } = trial();
  await deploy('cus_a', [pipeline('pip_1', 1)]);
  await deployer.remove('cus_a');
  expect(configured.at(-1)?.ids).toEqual([]);
  expect(deployer.tenants()).toEqual([]);
});

test('each role is told of its own connections alone', async () => {
  const { configured, sources, deploy } = trial();
  await deploy('cus_a', [pipeline('pip_1', 1)]);
  expect(configured.at(-1)?.ids).toEqual(['pip_1/out']);
  expect(sources.at(-1)).toEqual(['pip_1/in']);
});

test('a connection gets the secrets that its own settings refer to, and no others', async () => {
  const { told, setSecrets, deploy } = trial();
  setSecrets({ one: 'one.test', two: 'two.test' });
  await deploy('cus_a', [withSecret('pip_1', 1, 'one'), withSecret('pip_2', 1, 'two'), pipeline('pip_3', 1)]);
  expect(told.at(-1)).toEqual(['pip_1/out one@one.test', 'pip_2/out two@two.test', 'pip_3/out ']);
});

test('an earlier revision that goes on has its secrets as they are now, and one that only it refers to as it was', async () => {
  const { told, setSecrets, deploy, refuse } = trial();
  setSecrets({ one: 'old.test' });
  await deploy('cus_a', [withSecret('pip_1', 1, 'one')]);
  refuse('pip_1/bad');
  setSecrets({ one: 'new.test', two: 'two.test' });
  await deploy('cus_a', [withSecret('pip_1', 2, 'two', 'bad')]);
  expect(told.at(-1)).toEqual(['pip_1/out one@new.test']);
  setSecrets({ two: 'two.test' });
  await deploy('cus_a', [withSecret('pip_1', 2, 'two', 'bad')]);
  expect(told.at(-1)).toEqual(['pip_1/out one@new.test']);
});
