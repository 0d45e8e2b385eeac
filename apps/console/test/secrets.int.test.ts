import { createHash } from 'node:crypto';
import { createConfigBucket } from '@vrsky/bus/config-bucket';
import { limits } from '@vrsky/contracts/limits';
import type { ConnectorOffer } from '@vrsky/contracts/node-status';
import type { DestinationSpec } from '@vrsky/contracts/pipeline-spec';
import { documentPlace, requestPlace, secretSetHash } from '@vrsky/contracts/sealed-secrets';
import { configKeys } from '@vrsky/contracts/subjects';
import { createDb, type Db } from '@vrsky/db/client';
import { eventually } from '@vrsky/testkit/eventually';
import { findLeaks, textOfFiles } from '@vrsky/testkit/find-leaks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listConnectors } from '../src/features/connectors/server/list-connectors.ts';
import { createPipeline } from '../src/features/pipelines/server/create-pipeline.ts';
import { deletePipeline } from '../src/features/pipelines/server/delete-pipeline.ts';
import { getPipeline } from '../src/features/pipelines/server/get-pipeline.ts';
import { publishPipeline } from '../src/features/pipelines/server/publish-pipeline.ts';
import { saveDraft } from '../src/features/pipelines/server/save-draft.ts';
import type { SecretView } from '../src/features/secrets/types.ts';
import { createApiKey } from '../src/features/tenancy/server/create-api-key.ts';
import { rest, trpc } from './calls.ts';
import { type Rig, startRig, type TestTenant } from './rig.ts';
import { enrolTestNode, startWorker, type TestNode, type TestWorker } from './worker-rig.ts';

let rig: Rig;
let worker: TestWorker;
let node: TestNode;
let other: TestNode;
/** As a superuser in the console's database: for what nobody of ours may do. */
let admin: Db;
/** Of Acme. */
let adminKey: string;

const digest = `sha256:${'a'.repeat(64)}`;
const offer: ConnectorOffer = {
  name: 'files',
  version: '1.0.0',
  digest,
  title: 'Files',
  description: '',
  roles: ['destination'],
  settingsSchemas: { source: '', destination: JSON.stringify({ type: 'object', properties: { token: { 'x-vrsky': 'secret' } } }) },
  origin: 'directory',
  network: 'none',
};

beforeAll(async () => {
  rig = await startRig();
  const url = new URL(rig.adminDb.url);
  url.pathname = new URL(rig.platformDb.url).pathname;
  admin = createDb({ url: url.href, name: 'test superuser', max: 1 });
  worker = await startWorker(rig);
  const { platform } = rig.acme.context;
  node = await enrolTestNode(rig.platformDb, rig.db, platform, 'node-1');
  other = await enrolTestNode(rig.platformDb, rig.db, platform, 'node-2');
  for (const one of [node, other]) {
    await one.lease();
    await one.offers([offer]);
  }
  ({ secret: adminKey } = await createApiKey(rig.acme.context, { name: 'admin', role: 'admin' }));
  await eventually(async () => (await listConnectors(rig.acme.context)).connectors.some(({ name }) => name === 'files'), { what: 'the offer' });
  await answering(rig.acme);
  await answering(rig.globex);
});
afterAll(async () => {
  for (const part of [node, other, worker, admin, rig]) await part?.[Symbol.asyncDispose]();
});

const acmeId = () => rig.acme.context.tenantId;
const asked: { tenantId: string; values: Record<string, string[]>; issuedAtMs: number }[] = [];
/** One node of the pool that has connectors asked what they think of settings, and opens what is sealed to it. */
const answering = (tenant: TestTenant) =>
  node.answerConnectors(tenant.context.tenantId, (request) => {
    const secrets = request.secrets[node.enrolment.nodeId] ?? [];
    const place = { tenantId: request.tenantId, within: requestPlace(request.issuedAtMs) };
    asked.push({ tenantId: request.tenantId, values: node.openSecrets({ secrets }, place), issuedAtMs: request.issuedAtMs });
    return { ok: true, version: '1.0.0', digest, nodeName: 'node-1', errors: [], checks: [] };
  });
const as = (tenant: TestTenant) => ({ cookie: tenant.cookie, tenant: tenant.slug });
const create = async (name: string, value: string, extra: object = {}, tenant = rig.acme) => {
  const answer = await trpc('mutation', 'secrets.create', { ...as(tenant), input: { name, value, ...extra } });
  if (answer.error) throw new Error(JSON.stringify(answer.error));
  return answer.data as SecretView;
};
const replace = async (name: string, change: object, tenant = rig.acme) => {
  const list = (await trpc('query', 'secrets.list', as(tenant))).data as SecretView[];
  const revision = list.find((secret) => secret.name === name)?.revision;
  const answer = await trpc('mutation', 'secrets.replace', { ...as(tenant), input: { name, revision, ...change } });
  if (answer.error) throw new Error(JSON.stringify(answer.error));
  return answer.data as SecretView;
};
const destination = (settings: object): DestinationSpec => ({
  id: 'out',
  name: 'Archive',
  connector: 'files',
  settings: settings as never,
  retry: { attempts: 1, initialMs: 50, maxMs: 50 },
});
async function draftOf(settings: object, { context } = rig.acme) {
  const { id } = await createPipeline(context, { name: 'Archived' });
  const { draft, draftVersion } = await getPipeline(context, { id });
  return { id, ...(await saveDraft(context, { id, draftVersion, draft: { ...draft, destinations: [destination(settings)] } })) };
}
async function publish(settings: object, tenant = rig.acme): Promise<string> {
  const { id, draftVersion } = await draftOf(settings, tenant);
  const result = await publishPipeline(tenant.context, { id, draftVersion });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return id;
}
/** What a node has, once it is what the tenant's bundle names. */
const given = (to: TestNode, matches: (values: Record<string, string[]>) => boolean, tenant = rig.acme) =>
  eventually(
    async () => {
      const { tenantId } = tenant.context;
      const [bundle, document] = [await to.bundle(tenantId), await to.secrets(tenantId)];
      if (!bundle || !document || bundle.secrets !== secretSetHash(document.secrets)) return false;
      const values = to.openSecrets(document);
      return matches(values) && { bundle, document, values };
    },
    { what: 'the secrets of a node' },
  );

describe('secrets of a tenant', () => {
  it('are told with everything but their value, in tRPC and in REST', async () => {
    const made = await create('told', 'kanarie-told', { hosts: ['API.example.com', 'api.example.com', '*.example.com:8443'] });
    expect(made).toMatchObject({
      name: 'told',
      hosts: ['api.example.com', '*.example.com:8443'],
      overlapSeconds: limits.secretOverlapSecondsDefault,
      revision: 1,
      versions: [{ number: 1, fingerprint: expect.stringMatching(/^[0-9a-f]{8}$/), createdBy: rig.acme.email, validUntil: null }],
      usedBy: [],
    });
    const list = await rest('GET', '/secrets', { key: rig.acme.apiKey });
    const one = await rest('GET', '/secrets/told', { key: rig.acme.apiKey });
    expect(list.body.items).toContainEqual(one.body);
    expect(one).toMatchObject({ status: 200, body: made });
    expect(one.headers.get('etag')).toBe('"1"');
    const seen = JSON.stringify([made, list, one, (await trpc('query', 'secrets.list', as(rig.acme))).data]);
    for (const form of ['kanarie-told', Buffer.from('kanarie-told').toString('base64').slice(0, 14), Buffer.from('kanarie-told').toString('hex')])
      expect(seen).not.toContain(form);
  });

  it('are changed over REST by whoever has seen their state, and a repeated call changes nothing twice', async () => {
    const key = adminKey;
    expect(await rest('POST', '/secrets', { key: rig.acme.apiKey, body: { name: 'by-rest', value: 'eins' } })).toMatchObject({ status: 403 });
    const call = { key, body: { name: 'by-rest', value: 'eins' }, headers: { 'idempotency-key': 'create-1' } };
    const [first, again] = [await rest('POST', '/secrets', call), await rest('POST', '/secrets', call)];
    expect(first).toMatchObject({ status: 201, body: { name: 'by-rest' } });
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(await rest('PATCH', '/secrets/by-rest', { key, body: { value: 'zwei' } })).toMatchObject({ status: 428 });
    const etag = { 'if-match': String(first.headers.get('etag')) };
    expect(await rest('PATCH', '/secrets/by-rest', { key, body: { value: 'zwei' }, headers: etag })).toMatchObject({
      status: 200,
      body: { revision: 2, versions: [{ number: 2, validUntil: null }, { number: 1 }] },
    });
    expect(await rest('PATCH', '/secrets/by-rest', { key, body: { value: 'drei' }, headers: etag })).toMatchObject({
      status: 412,
      body: { code: 'SECRET.CHANGED' },
    });
    expect(await rest('DELETE', '/secrets/by-rest', { key, headers: etag })).toMatchObject({ status: 412 });
    expect(await rest('DELETE', '/secrets/by-rest', { key, headers: { 'if-match': '"2"' } })).toMatchObject({ status: 204 });
    expect(await rest('GET', '/secrets/by-rest', { key })).toMatchObject({ status: 404, body: { code: 'SECRET.NOT_FOUND' } });
    const { rows } = await admin.pool.query<{ found: number }>(
      'SELECT count(*)::int AS found FROM secret_version v LEFT JOIN secret s ON s.id = v.secret_id WHERE s.id IS NULL',
    );
    expect(rows).toEqual([{ found: 0 }]);
  });

  it('what cannot be a secret is refused at its field, without the value', async () => {
    await create('taken', 'x');
    const cases: [object, string][] = [
      [{ name: 'Upper', value: 'kanarie-x' }, '/name'],
      [{ name: '1st', value: 'kanarie-x' }, '/name'],
      [{ name: 'taken', value: 'kanarie-x' }, '/name'],
      [{ name: 'empty', value: '' }, '/value'],
      [{ name: 'long', value: `kanarie-x${'€'.repeat(6_000)}` }, '/value'],
      [{ name: 'hosts', value: 'kanarie-x', hosts: ['https://a.test/'] }, '/hosts/0'],
      [{ name: 'hosts', value: 'kanarie-x', hosts: ['a.*.test'] }, '/hosts/0'],
      [{ name: 'hosts', value: 'kanarie-x', hosts: ['a.test:70000'] }, '/hosts/0'],
      [{ name: 'overlap', value: 'kanarie-x', overlapSeconds: 31 * 86_400 }, '/overlapSeconds'],
    ];
    for (const [input, path] of cases) {
      const answer = await trpc('mutation', 'secrets.create', { ...as(rig.acme), input });
      expect(
        answer.error?.fields.map((field) => field.path),
        JSON.stringify(input).slice(0, 60),
      ).toEqual([path]);
      expect(JSON.stringify(answer)).not.toContain('kanarie-x');
    }
  });

  it('are of one tenant: the same name is another secret elsewhere, with another fingerprint of the same value', async () => {
    const ours = await create('shared-name', 'gleich');
    const theirs = await create('shared-name', 'gleich', {}, rig.globex);
    expect(theirs.id).not.toBe(ours.id);
    expect(theirs.versions[0]?.fingerprint).not.toBe(ours.versions[0]?.fingerprint);
    const list = (await trpc('query', 'secrets.list', as(rig.globex))).data as SecretView[];
    expect(list.map(({ name }) => name)).toEqual(['shared-name']);
  });

  it('a ciphertext that somebody moved to another row in the database opens nowhere', async () => {
    await create('moved-a', 'eins');
    await create('moved-b', 'zwei');
    const id = await publish({ token: { $secret: 'moved-b' } });
    await given(node, ({ 'moved-b': values }) => values?.[0] === 'zwei');
    await admin.pool.query(`UPDATE secret_version b SET ciphertext = a.ciphertext, fingerprint = a.fingerprint
      FROM secret_version a, secret sa, secret sb WHERE a.secret_id = sa.id AND sa.name = 'moved-a' AND b.secret_id = sb.id AND sb.name = 'moved-b'`);
    const answer = await trpc('mutation', 'connectors.test', {
      ...as(rig.acme),
      input: { name: 'files', role: 'destination', settings: { token: { $secret: 'moved-b' } } },
    });
    expect(answer.error?.code).toBe('INTERNAL_SERVER_ERROR');
    expect(asked.some(({ values }) => values['moved-b']?.includes('eins'))).toBe(false);
    await deletePipeline(rig.acme.context, { id });
  });
});

describe('publishing', () => {
  it('tells a secret that there is not at its field, and publishes nothing', async () => {
    const { id, draftVersion } = await draftOf({ token: { $secret: 'nobody' } });
    expect(await publishPipeline(rig.acme.context, { id, draftVersion })).toMatchObject({
      ok: false,
      problems: [{ path: '/destinations/0/settings/token', partId: 'out', message: 'There is no secret called “nobody”' }],
    });
    // Also when the other tenant has one of that name.
    await create('nobody', 'x', {}, rig.globex);
    expect(await publishPipeline(rig.acme.context, { id, draftVersion })).toMatchObject({ ok: false });
    await create('nobody', 'kanarie-nobody');
    expect(await publishPipeline(rig.acme.context, { id, draftVersion })).toMatchObject({ ok: true });
    // The connector was asked with the value, which no node had before.
    expect(asked.at(-1)).toMatchObject({ tenantId: acmeId(), values: { nobody: ['kanarie-nobody'] } });
    await deletePipeline(rig.acme.context, { id });
  });

  it('gives each node what the published pipelines refer to and nothing else, sealed to it alone', async () => {
    await create('in-use', 'kanarie-in-use', { hosts: ['api.example.com'] });
    await create('not-in-use', 'kanarie-not-in-use');
    await draftOf({ token: { $secret: 'not-in-use' } });
    const id = await publish({ token: { $secret: 'in-use' } });
    for (const one of [node, other]) {
      const { document, values } = await given(one, (found) => found['in-use'] !== undefined);
      expect(values).toEqual({ 'in-use': ['kanarie-in-use'] });
      expect(document.secrets[0]).toMatchObject({ hosts: ['api.example.com'], versions: [{ version: 1 }] });
    }
    const { document } = await given(node, () => true);
    expect(() => other.openSecrets(document)).toThrow(expect.objectContaining({ code: 'SEAL.REFUSED' }));
    // With the right key, but as another document's, tenant's or node's.
    const within = documentPlace({ epoch: document.epoch, generation: document.generation + 1 });
    for (const place of [{ within }, { tenantId: rig.globex.context.tenantId }, { nodeId: other.enrolment.nodeId }])
      expect(() => node.openSecrets(document, place)).toThrow(expect.objectContaining({ code: 'SEAL.REFUSED' }));
    expect(await node.secrets(rig.globex.context.tenantId)).toBeNull();

    // In the list it is said who uses it; while somebody does, it stays.
    const answer = await trpc('mutation', 'secrets.delete', { ...as(rig.acme), input: { name: 'in-use' } });
    expect(answer.error).toMatchObject({ appCode: 'SECRET.IN_USE', message: expect.stringContaining('“Archived”') });
    const drafted = await trpc('mutation', 'secrets.delete', { ...as(rig.acme), input: { name: 'not-in-use' } });
    expect(drafted.error?.message).toContain('“Archived” (its draft)');

    await deletePipeline(rig.acme.context, { id });
    await eventually(async () => (await node.secrets(acmeId())) === null, { what: 'the secrets to be withdrawn' });
    expect((await trpc('mutation', 'secrets.delete', { ...as(rig.acme), input: { name: 'in-use' } })).error).toBeNull();
  });

  it('a node that joins later, and one whose document was lost in NATS, get theirs', async () => {
    await create('late', 'kanarie-late');
    const id = await publish({ token: { $secret: 'late' } });
    await given(node, ({ late }) => late !== undefined);
    const third = await enrolTestNode(rig.platformDb, rig.db, rig.acme.context.platform, 'node-3');
    await third.lease();
    expect((await given(third, ({ late }) => late !== undefined)).values).toEqual({ late: ['kanarie-late'] });
    await third[Symbol.asyncDispose]();
    const config = createConfigBucket(await rig.bus.control(), rig.acme.context.platform.nats);
    await config.delete(configKeys.secrets(node.enrolment.nodeId, acmeId()));
    await admin.pool.query('INSERT INTO outbox (tenant_id, pool) SELECT id, pool FROM tenant WHERE id = $1', [acmeId()]);
    await given(node, ({ late }) => late !== undefined);
    await deletePipeline(rig.acme.context, { id });
  });
});

describe('replacing', () => {
  it('keeps the old version beside the new one until its time is over, also when the worker was away then', async () => {
    await create('turned', 'alt');
    const id = await publish({ token: { $secret: 'turned' } });
    const before = await given(node, ({ turned }) => turned?.[0] === 'alt');
    const replaced = await replace('turned', { value: 'neu', overlapSeconds: 3_600 });
    expect(replaced.versions.map(({ number, validUntil }) => [number, validUntil === null])).toEqual([
      [2, true],
      [1, false],
    ]);
    const during = await given(node, ({ turned }) => turned?.length === 2);
    expect(during.values['turned']).toEqual(['neu', 'alt']);
    expect(during.bundle.generation).toBeGreaterThan(before.bundle.generation);

    await worker[Symbol.asyncDispose]();
    await admin.pool.query('UPDATE secret_version SET valid_until = now() WHERE valid_until IS NOT NULL AND secret_id = $1', [replaced.id]);
    worker = await startWorker(rig);
    const after = await given(node, ({ turned }) => turned?.length === 1);
    expect(after.values['turned']).toEqual(['neu']);
    const { rows } = await admin.pool.query('SELECT number, ciphertext IS NULL AS destroyed FROM secret_version WHERE secret_id = $1 ORDER BY number', [
      replaced.id,
    ]);
    expect(rows).toEqual([
      { number: 1, destroyed: true },
      { number: 2, destroyed: false },
    ]);
    await deletePipeline(rig.acme.context, { id });
  });

  it('without an overlap ends the old version at once, and never more than three are valid', async () => {
    const made = await create('often', 'v1');
    for (const value of ['v2', 'v3', 'v4']) await replace('often', { value });
    expect((await replace('often', { hosts: ['a.test'] })).versions.map(({ number }) => number)).toEqual([4, 3, 2]);
    expect((await replace('often', { value: 'v5', overlapSeconds: 0 })).versions.map(({ number }) => number)).toEqual([5, 3, 2]);
    const { rows } = await admin.pool.query('SELECT number FROM secret_version WHERE secret_id = $1 AND ciphertext IS NOT NULL ORDER BY 1', [made.id]);
    expect(rows).toEqual([{ number: 2 }, { number: 3 }, { number: 5 }]);
  });

  it('whose old version is still valid has it ended on demand: it is destroyed, and the nodes forget it', async () => {
    await create('hurried', 'old');
    const id = await publish({ hurried: { $secret: 'hurried' } });
    await replace('hurried', { value: 'new' });
    await given(node, ({ hurried }) => hurried?.length === 2);
    expect((await replace('hurried', { endOverlap: true })).versions.map(({ number, validUntil }) => [number, validUntil])).toEqual([[2, null]]);
    expect((await given(node, ({ hurried }) => hurried?.length === 1)).values['hurried']).toEqual(['new']);
    const { rows } = await admin.pool.query(
      "SELECT 1 FROM secret_version v JOIN secret s ON s.id = v.secret_id WHERE s.name = 'hurried' AND ciphertext IS NOT NULL",
    );
    expect(rows).toHaveLength(1);
    await deletePipeline(rig.acme.context, { id });
  });

  it('is refused when all that pipelines use would be larger than a connector is told at once', async () => {
    const names = Array.from({ length: limits.secretsInUseBytesMax / limits.secretBytesMax }, (_, i) => `big-${String.fromCharCode(97 + i)}`);
    for (const name of names) await create(name, 'x'.repeat(limits.secretBytesMax));
    const id = await publish(Object.fromEntries(names.map((name) => [name, { $secret: name }])));
    await expect(replace('big-a', { value: 'y' })).rejects.toThrow('SECRET.SET_TOO_LARGE');
    await replace('big-a', { value: 'y', overlapSeconds: 0 });
    await deletePipeline(rig.acme.context, { id });
  });
});

describe('a value', () => {
  it('lies nowhere readable: database, NATS, books of the calls, answers; and it would be found', async () => {
    const canaries = { first: 'kanarie-value-52c1', second: 'kanarie-value-9b07', plain: 'kanarie-no-secret' };
    await create('canary', canaries.first, { hosts: ['canary.test'] });
    const body = { name: 'canary-rest', value: canaries.second };
    const answers = [await rest('POST', '/secrets', { key: adminKey, body, headers: { 'idempotency-key': 'canary' } })];
    const id = await publish({ note: canaries.plain, token: { $secret: 'canary' }, other: { $secret: 'canary-rest' } });
    await replace('canary', { value: canaries.second });
    expect((await given(node, ({ canary }) => canary?.length === 2)).values['canary']).toEqual([canaries.second, canaries.first]);
    answers.push(await rest('GET', '/secrets', { key: rig.acme.apiKey }), await rest('GET', `/pipelines/${id}`, { key: rig.acme.apiKey }));
    const pages = await Promise.all(['secrets.list', 'pipelines.list', 'nodes.list'].map((name) => trpc('query', name, as(rig.acme))));
    const places = { database: await dump(), NATS: textOfFiles(rig.natsDir), answers: JSON.stringify([answers, pages]) };
    expect(findLeaks(places, canaries)).toEqual([
      { where: 'database', canary: 'plain' },
      { where: 'NATS', canary: 'plain' },
      { where: 'answers', canary: 'plain' },
    ]);
    // Not even a hash of it that could be tried out.
    for (const value of [canaries.first, canaries.second])
      for (const text of [value, JSON.stringify(value), `createSecret {}\n${JSON.stringify(body)}`])
        expect(places.database).not.toContain(createHash('sha256').update(text).digest('hex').slice(0, 8));
    await deletePipeline(rig.acme.context, { id });
  });
});

/** Every row of every table, as text; binary columns in hexadecimal. */
async function dump(): Promise<string> {
  const tables = await admin.pool.query<{ name: string }>(
    "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('public', 'parts')",
  );
  const texts = await Promise.all(
    tables.rows.map(async ({ name }) => (await admin.pool.query<{ text: string }>(`SELECT string_agg(t::text, E'\\n') AS text FROM ${name} t`)).rows[0]?.text),
  );
  return texts.join('\n');
}
