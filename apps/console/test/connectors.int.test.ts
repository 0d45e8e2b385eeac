import type { ConnectorRequest, ConnectorResponse } from '@vrsky/contracts/connector-request';
import type { ConnectorOffer, ConnectorState } from '@vrsky/contracts/node-status';
import type { DestinationSpec, HttpSourceSpec } from '@vrsky/contracts/pipeline-spec';
import { statusKeys } from '@vrsky/contracts/subjects';
import { withTenant } from '@vrsky/db/client';
import { eventually } from '@vrsky/testkit/eventually';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { sourceSettingsSchema } from '../../../connectors/http/src/source/settings.ts';
import { getConnector, listConnectors } from '../src/features/connectors/server/list-connectors.ts';
import { getMessage } from '../src/features/messages/server/get-message.ts';
import { listNodes } from '../src/features/nodes/server/list-nodes.ts';
import { createPipeline } from '../src/features/pipelines/server/create-pipeline.ts';
import { getPipeline } from '../src/features/pipelines/server/get-pipeline.ts';
import { publishPipeline } from '../src/features/pipelines/server/publish-pipeline.ts';
import { saveDraft } from '../src/features/pipelines/server/save-draft.ts';
import { rest, trpc } from './calls.ts';
import { projectedMessage } from './fixtures.ts';
import { type Rig, startRig, type TestTenant } from './rig.ts';
import { enrolTestNode, startWorker, type TestNode, type TestWorker } from './worker-rig.ts';

let rig: Rig;
let worker: TestWorker;
let node: TestNode;
let other: TestNode;

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const schema = JSON.stringify({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  additionalProperties: false,
  required: ['folder'],
  properties: { folder: { type: 'string', minLength: 1 }, token: { 'x-vrsky': 'secret' } },
});
const files = (extra: Partial<ConnectorOffer> = {}): ConnectorOffer => ({
  name: 'files',
  version: '1.0.0',
  digest: digest('a'),
  title: 'Files',
  description: 'Writes each message into a file.',
  roles: ['destination'],
  replies: false,
  settingsSchemas: { source: '', destination: schema },
  origin: 'directory',
  network: 'none',
  ...extra,
});
const process = (tenantId: string | null, extra: Partial<ConnectorState> = {}): ConnectorState => ({
  name: 'files',
  version: '1.0.0',
  digest: digest('a'),
  tenantId,
  state: 'running',
  sandbox: ['no-new-privs'],
  pid: 7,
  restarts: 0,
  cpuSeconds: 1,
  rssBytes: 1_000,
  ...extra,
});

beforeAll(async () => {
  rig = await startRig();
  worker = await startWorker(rig);
  const { platform } = rig.acme.context;
  node = await enrolTestNode(rig.platformDb, rig.db, platform, 'node-1');
  other = await enrolTestNode(rig.platformDb, rig.db, platform, 'node-2');
});
afterAll(async () => {
  for (const part of [node, other, worker, rig]) await part[Symbol.asyncDispose]();
});

const acme = () => rig.acme.context;
const globex = () => rig.globex.context;
const offered = (name = 'files') =>
  eventually(async () => (await listConnectors(acme())).connectors.find((item) => item.name === name) ?? false, { what: `the offer of ${name}` });
const target = (settings: object, extra: object = {}): DestinationSpec => ({
  id: 'out',
  name: 'Archive',
  connector: 'files',
  settings: settings as never,
  retry: { attempts: 1, initialMs: 50, maxMs: 50 },
  ...extra,
});
async function draftWith(destination: DestinationSpec, { context }: TestTenant = rig.acme) {
  const { id } = await createPipeline(context, { name: 'Archived' });
  const { draft, draftVersion } = await getPipeline(context, { id });
  const saved = await saveDraft(context, { id, draftVersion, draft: { ...draft, destinations: [destination] } });
  return { id, ...saved };
}
const answering = (answer: (request: ConnectorRequest) => ConnectorResponse) => node.answerConnectors(acme().tenantId, answer);
const fine = (extra: object = {}): ConnectorResponse => ({
  ok: true,
  version: '1.0.0',
  digest: digest('a'),
  nodeName: 'node-1',
  errors: [],
  checks: [],
  ...extra,
});

describe('what nodes offer', () => {
  it('is one list over all nodes, newest release first, with the files that are no connector', async () => {
    await node.lease();
    await other.lease();
    await node.offers([files()], [{ file: 'notes.txt', reason: 'It is not executable.' }]);
    await other.offers([files(), files({ version: '1.1.0', digest: digest('b'), title: 'Files and folders' })]);
    await eventually(async () => (await listConnectors(acme())).connectors[0]?.releases.length === 2);
    expect(await listConnectors(acme())).toMatchObject({
      connectors: [
        {
          name: 'files',
          title: 'Files and folders',
          live: true,
          releases: [
            { version: '1.1.0', nodes: [{ name: 'node-2' }] },
            { version: '1.0.0', nodes: [{ name: 'node-1' }, { name: 'node-2' }] },
          ],
        },
      ],
      problems: [{ nodeName: 'node-1', file: 'notes.txt', reason: 'It is not executable.' }],
      liveNodes: 2,
    });
    expect(await getConnector(acme(), { name: 'files', release: digest('a') })).toMatchObject({
      release: { version: '1.0.0' },
      settingsSchemas: { destination: schema },
    });
    await expect(getConnector(acme(), { name: 'files', release: digest('f') })).rejects.toMatchObject({ code: 'CONNECTOR.NOT_FOUND' });
  });

  it('is what the node says last: a connector that it no longer names is gone', async () => {
    await other.offers([files()]);
    await eventually(async () => (await listConnectors(acme())).connectors[0]?.releases.length === 1);
  });

  it('is only a node’s own word, and what Postgres cannot store holds up nobody', async () => {
    const forged = { v: 1, nodeId: other.enrolment.nodeId, at: new Date().toISOString(), connectors: [files({ name: 'forged' })], problems: [] };
    await node.putStatus(statusKeys.offers(node.enrolment.nodeId), JSON.stringify(forged));
    await node.putStatus(statusKeys.lease(node.enrolment.nodeId), '{"v":1,"nodeId":"');
    await other.offers([files(), files({ name: 'odd', title: 'nul \0 here', digest: digest('c') })]);
    expect((await offered('odd')).title).toBe('nul \ufffd here');
    expect((await listConnectors(acme())).connectors.map(({ name }) => name)).toEqual(['files', 'odd']);
    await other.offers([files()]);
  });

  it('is not seen by tenants of another pool', async () => {
    await rig.platformDb.pool.query("UPDATE tenant SET pool = 'elsewhere' WHERE id = $1", [globex().tenantId]);
    expect(await listConnectors(globex())).toEqual({ connectors: [], problems: [], liveNodes: 0 });
    await rig.platformDb.pool.query("UPDATE tenant SET pool = 'shared' WHERE id = $1", [globex().tenantId]);
    expect((await listConnectors(globex())).connectors).toHaveLength(1);
  });
});

describe('processes of connectors', () => {
  it('are shown to the tenant they work for, shared ones to all, and nobody else reads a row of them', async () => {
    const [mine, theirs] = [acme().tenantId, globex().tenantId];
    await node.lease({
      connectors: [
        process(null, { name: 'http' }),
        process(mine, { state: 'restarting', restarts: 3, reason: 'It ended with code 1.' }),
        process(theirs, { pid: 8 }),
      ],
      sandbox: { layers: { landlock: { available: false, detail: 'The kernel is too old.' } } },
    });
    const connector = await eventually(async () => {
      const found = await getConnector(acme(), { name: 'files' });
      return found.processes.length > 0 ? found : false;
    });
    expect(connector.processes).toMatchObject([
      { nodeName: 'node-1', shared: false, state: 'restarting', restarts: 3, reason: 'It ended with code 1.', pid: 7 },
    ]);
    const nodes = await listNodes(acme());
    expect(nodes[0]).toMatchObject({
      connectors: [
        { name: 'http', tenantId: null },
        { name: 'files', tenantId: mine },
      ],
      sandbox: [{ layer: 'landlock', available: false, detail: 'The kernel is too old.' }],
    });
    const seenByGlobex = JSON.stringify([await listConnectors(globex()), await getConnector(globex(), { name: 'files' }), await listNodes(globex())]);
    expect(seenByGlobex).not.toContain(mine);
    expect(seenByGlobex).not.toContain('It ended with code 1.');
    const rows = await withTenant(rig.db, theirs, (tx) => tx.$queryRaw<unknown[]>`SELECT tenant_id, connectors FROM node_process`);
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain(mine);
    expect(JSON.stringify(await withTenant(rig.db, theirs, (tx) => tx.$queryRaw`SELECT connectors FROM node`))).not.toContain(mine);
  });

  it('go when the node no longer names them, and those of a tenant of another pool never come', async () => {
    await rig.platformDb.pool.query("UPDATE tenant SET pool = 'elsewhere' WHERE id = $1", [globex().tenantId]);
    await node.lease({ connectors: [process(globex().tenantId)] });
    const count = async () => (await rig.platformDb.pool.query('SELECT 1 FROM node_process')).rowCount;
    await eventually(async () => (await count()) === 0);
    await rig.platformDb.pool.query("UPDATE tenant SET pool = 'shared' WHERE id = $1", [globex().tenantId]);
  });
});

describe('a draft with a connector', () => {
  it('says what its schema, its role, its release and its secrets say against it, each at its field', async () => {
    await offered();
    const problems = async (destination: DestinationSpec) =>
      (await draftWith(destination)).problems.map(({ path, message, warning }) => ({ path, message, warning }));
    expect(await problems(target({}))).toEqual([{ path: '/destinations/0/settings/folder', message: 'Fill this in' }]);
    expect(await problems(target({ folder: '/x', token: { $secret: 'none' } }))).toEqual([
      { path: '/destinations/0/settings/token', message: 'There is no secret called “none”' },
    ]);
    expect(await problems(target({ folder: '/x', token: 'a value' }))).toMatchObject([{ path: '/destinations/0/settings/token' }]);
    expect(await problems(target({ folder: '/x' }, { release: digest('e') }))).toMatchObject([{ path: '/destinations/0/release' }]);
    expect(await problems(target({ folder: '/x' }, { connector: 'ftp' }))).toMatchObject([
      { path: '/destinations/0/connector', message: expect.stringContaining('No node of your pool offers the connector “ftp”') },
    ]);
    expect(await problems(target({ folder: '/x' }))).toEqual([]);
  });

  it('is not published while a field is wrong, also when only the connector itself can tell', async () => {
    const wrong = await draftWith(target({}));
    expect(await publishPipeline(acme(), { id: wrong.id, draftVersion: wrong.draftVersion })).toMatchObject({
      ok: false,
      problems: [{ path: '/destinations/0/settings/folder' }],
    });
    const asked: ConnectorRequest[] = [];
    await using _answers = await answering((request) => {
      asked.push(request);
      return fine({ errors: [{ path: '/folder', message: 'There is no such folder.' }] });
    });
    const { id, draftVersion } = await draftWith(target({ folder: '/none' }));
    expect(await publishPipeline(acme(), { id, draftVersion })).toEqual({
      ok: false,
      problems: [{ path: '/destinations/0/settings/folder', partId: 'out', message: 'There is no such folder.' }],
    });
    expect(asked).toMatchObject([{ tenantId: acme().tenantId, connector: 'files', role: 'destination', settings: { folder: '/none' }, probe: false }]);
  });

  it('is published when its connector agrees, and shows where it is used', async () => {
    await using _answers = await answering(() => fine());
    const { id, draftVersion } = await draftWith(target({ folder: '/data' }));
    expect(await publishPipeline(acme(), { id, draftVersion })).toMatchObject({ ok: true, revision: 1, warnings: [] });
    const { usedBy } = await getConnector(acme(), { name: 'files' });
    expect(usedBy.find((use) => use.pipelineId === id)).toEqual({
      pipelineId: id,
      pipelineName: 'Archived',
      published: true,
      parts: [{ id: 'out', name: 'Archive', role: 'destination', release: null }],
    });
    expect((await getConnector(globex(), { name: 'files' })).usedBy).toEqual([]);
    const messageId = await projectedMessage(rig, rig.acme, id);
    expect((await getMessage(acme(), { id: messageId })).destinations).toMatchObject([
      { name: 'Archive', connector: 'files', connectorTitle: 'Files', url: '', settings: [{ name: 'Folder', value: '/data' }] },
    ]);
  });

  it('is published with a warning when nobody can be asked now', async () => {
    const { id, draftVersion } = await draftWith(target({ folder: '/data' }));
    expect(await publishPipeline(acme(), { id, draftVersion })).toMatchObject({
      ok: true,
      warnings: [{ path: '/destinations/0/connector', partId: 'out', warning: true, message: expect.stringContaining('No node of your pool answers') }],
    });
  });

  it('is published with a warning when only absent nodes have offered the connector, and not when none ever has', async () => {
    await rig.platformDb.pool.query("UPDATE node SET lease_at = now() - interval '30 seconds'");
    const { id, draftVersion, problems } = await draftWith(target({ folder: '/data' }));
    expect(problems).toMatchObject([{ path: '/destinations/0/connector', warning: true, message: expect.stringContaining('not live now') }]);
    expect(await publishPipeline(acme(), { id, draftVersion })).toMatchObject({ ok: true });
    const never = await draftWith(target({ folder: '/data' }, { connector: 'ftp' }));
    expect(await publishPipeline(acme(), { id: never.id, draftVersion: never.draftVersion })).toMatchObject({
      ok: false,
      problems: [{ path: '/destinations/0/connector', message: expect.stringContaining('none is live now') }],
    });
    await node.lease();
    await other.lease();
    await eventually(async () => (await offered()).live);
  });

  it('may set its HTTP source: what the path is the console says, everything else the connector’s own schema and the connector itself', async () => {
    const { id } = await createPipeline(acme(), { name: 'Signed' });
    const { draft, draftVersion } = await getPipeline(acme(), { id });
    const http = files({
      name: 'http',
      title: 'HTTP',
      roles: ['source', 'destination'],
      settingsSchemas: { source: JSON.stringify(z.toJSONSchema(sourceSettingsSchema, { io: 'input' })), destination: '' },
      origin: 'built-in',
    });
    await other.offers([files(), http]);
    await offered('http');
    const settings = (draft.source as HttpSourceSpec).settings;
    const wrong: HttpSourceSpec = { ...(draft.source as HttpSourceSpec), settings: { ...settings, limits: { bodyBytes: -1 }, typo: true } };
    const destinations = [target({ folder: '/data' })];
    const saved = await saveDraft(acme(), { id, draftVersion, draft: { ...draft, source: wrong, destinations } });
    expect(saved.problems.map(({ path }) => path).sort()).toEqual(['/source/settings/limits/bodyBytes', '/source/settings/typo']);
    expect(await publishPipeline(acme(), { id, draftVersion: saved.draftVersion })).toMatchObject({ ok: false });
    const asked: ConnectorRequest[] = [];
    await using _answers = await answering((request) => {
      asked.push(request);
      return fine();
    });
    const right: HttpSourceSpec = { ...wrong, settings: { ...settings, methods: ['POST'], limits: { perSecond: 5 } } };
    const fixed = await saveDraft(acme(), { id, draftVersion: saved.draftVersion, draft: { ...draft, source: right, destinations } });
    expect(fixed.problems).toEqual([]);
    expect(await publishPipeline(acme(), { id, draftVersion: fixed.draftVersion })).toMatchObject({ ok: true, warnings: [] });
    expect(asked.find(({ connector }) => connector === 'http')).toMatchObject({ role: 'source', settings: right.settings });
    await other.offers([files()]);
    await eventually(async () => (await listConnectors(acme())).connectors.length === 1);
  });

  it('may have its senders wait for the pipeline’s result, where the connector can and what they wait for is there', async () => {
    const { id } = await createPipeline(acme(), { name: 'Answering' });
    const { draft, draftVersion } = await getPipeline(acme(), { id });
    const schemas = { source: '{"type":"object"}', destination: '' };
    const http = files({ name: 'http', title: 'HTTP', roles: ['source', 'destination'], settingsSchemas: schemas, origin: 'built-in' });
    let version = draftVersion;
    const problems = async (from: string) => {
      const changed = { ...draft, destinations: [target({ folder: '/data' })], reply: { from, withinMs: 2_000 } };
      const saved = await saveDraft(acme(), { id, draftVersion: version, draft: changed });
      version = saved.draftVersion;
      return saved.problems.map(({ path, partId, message }) => ({ path, partId, message }));
    };
    const partId = draft.source.id;
    await other.offers([files(), http]);
    await offered('http');
    expect(await problems('steps')).toEqual([{ path: '/reply/from', partId, message: expect.stringContaining('HTTP cannot answer its senders') }]);
    await other.offers([files(), { ...http, replies: true }]);
    await eventually(async () => (await getConnector(acme(), { name: 'http' })).replies);
    expect(await problems('gone')).toEqual([{ path: '/reply/from', partId, message: expect.stringContaining('There is no destination gone') }]);
    expect(await problems('out')).toEqual([]);
    const asked: ConnectorRequest[] = [];
    await using _answers = await answering((request) => {
      asked.push(request);
      return request.connector === 'http' ? fine({ errors: [{ path: '/split', message: 'One message.' }] }) : fine();
    });
    expect(await publishPipeline(acme(), { id, draftVersion: version })).toEqual({
      ok: false,
      problems: [{ path: '/source/settings/split', partId, message: 'One message.' }],
    });
    expect(asked.find(({ connector }) => connector === 'http')).toMatchObject({ role: 'source', replyWithinMs: 2_000 });
    await other.offers([files()]);
    await eventually(async () => (await listConnectors(acme())).connectors.length === 1);
  });

  it('may have another source than HTTP, and its URL comes back with HTTP', async () => {
    const { id } = await createPipeline(acme(), { name: 'Ticks' });
    const { draft, draftVersion } = await getPipeline(acme(), { id });
    const ticking = await saveDraft(acme(), { id, draftVersion, draft: { ...draft, source: { ...draft.source, connector: 'files', settings: { every: 5 } } } });
    expect(ticking.problems).toMatchObject([
      { path: '/destinations' },
      { path: '/source/connector', message: 'Files cannot be a source. Choose another connector.' },
    ]);
    await saveDraft(acme(), { id, draftVersion: ticking.draftVersion, draft });
    expect((await getPipeline(acme(), { id })).draft.source).toEqual(draft.source);
  });
});

describe('Test connection', () => {
  const test = (input: object) =>
    trpc('mutation', 'connectors.test', { cookie: rig.acme.cookie, tenant: 'acme', input: { name: 'files', role: 'destination', ...input } });

  it('gives back what the connector tried, by signed request', async () => {
    const checks = [{ name: 'Open /data', passed: false, detail: 'Permission denied: give the node’s user write access.', durationUs: 1_200 }];
    await using _answers = await answering((request) => fine({ checks: request.probe ? checks : [] }));
    expect((await test({ settings: { folder: '/data' } })).data).toEqual({
      outcome: 'answered',
      version: '1.0.0',
      digest: digest('a'),
      nodeName: 'node-1',
      errors: [],
      checks,
    });
    expect((await test({ name: 'http', settings: { url: 'http://127.0.0.1/' } })).data).toMatchObject({ outcome: 'answered' });
  });

  it('tries nothing while the settings are wrong', async () => {
    expect((await test({ settings: { folder: '' } })).data).toEqual({ outcome: 'not_tried', errors: [{ path: '/folder', message: 'Fill this in' }] });
  });

  it('says in a sentence that nobody answers, that the node is busy, and that no node has it', async () => {
    const settings = { folder: '/data' };
    expect((await test({ settings })).data).toMatchObject({
      outcome: 'no_answer',
      code: 'CONNECTOR.NO_NODE',
      reason: expect.stringContaining('No node of your pool answers'),
    });
    {
      await using _answers = await answering(() => ({ ok: false, code: 'CONNECTOR.BUSY', reason: 'The node is busy.' }));
      expect((await test({ settings })).data).toEqual({ outcome: 'no_answer', code: 'CONNECTOR.BUSY', reason: 'The node is busy.' });
    }
    expect(await test({ name: 'ftp', settings })).toMatchObject({ status: 404, error: { appCode: 'CONNECTOR.NOT_FOUND' } });
  });

  it('goes on to another node when the first lacks the release', async () => {
    let asked = 0;
    await using _answers = await answering(() => (++asked < 3 ? { ok: false, code: 'PLUGIN.NOT_INSTALLED', reason: 'Not here.' } : fine()));
    expect((await test({ settings: { folder: '/data' } })).data).toMatchObject({ outcome: 'answered' });
    expect(asked).toBe(3);
  });
});

describe('REST', () => {
  it('lists connectors, reads one with its settings schema and tries settings out', async () => {
    const key = rig.acme.apiKey;
    const { body } = await rest('GET', '/connectors', { key });
    expect(body).toMatchObject({ items: [{ name: 'files', releases: [{ version: '1.0.0' }] }], liveNodes: 2 });
    expect(JSON.stringify(body)).not.toContain('settingsSchemas');
    expect((await rest('GET', '/connectors/files', { key })).body).toMatchObject({ settingsSchemas: { destination: schema } });
    expect(await rest('GET', '/connectors/ftp', { key })).toMatchObject({ status: 404, body: { code: 'CONNECTOR.NOT_FOUND' } });
    const tried = await rest('POST', '/connectors/files/test', { key, body: { role: 'destination', settings: { folder: '' } } });
    expect(tried).toMatchObject({ status: 200, body: { outcome: 'not_tried', errors: [{ path: '/folder' }] } });
  });
});
