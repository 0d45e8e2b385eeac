import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Permission, type Role, roles } from '../src/features/tenancy/types.ts';
import { isAllowed, rolePermissions } from '../src/server/permissions.ts';
import { routes } from '../src/server/rest/routes.ts';
import { appRouter } from '../src/server/root.ts';
import { rest, trpc } from './calls.ts';
import { projectedMessage, publishedPipeline } from './fixtures.ts';
import { type Rig, startRig } from './rig.ts';

let rig: Rig;
let pipelineId: string;
let draftVersion: number;
let messageId: string;
let apiKeyId: string;

beforeAll(async () => {
  rig = await startRig();
  ({ id: pipelineId, draftVersion } = await publishedPipeline(rig.acme, 'Secret plans'));
  messageId = await projectedMessage(rig, rig.acme, pipelineId, { state: 'dead_lettered', dlqSeq: 1 });
  await trpc('mutation', 'secrets.create', { cookie: rig.acme.cookie, tenant: 'acme', input: { name: 'acmes-token', value: 'kanarie-acme' } });
  const keys = await trpc('query', 'apiKeys.list', { cookie: rig.acme.cookie, tenant: 'acme' });
  apiKeyId = (keys.data as { id: string }[])[0]?.id as string;
});
afterAll(() => rig[Symbol.asyncDispose]());

type Kind = 'query' | 'mutation' | 'subscription';
const procedures = Object.entries(
  appRouter._def.procedures as unknown as Record<string, { _def: { type: Kind; meta?: { permission?: Permission | 'member' } } }>,
);

/** For every procedure that names a thing, an input that names Acme's. A new procedure needs its line here. */
const acmesThings = (): Record<string, unknown> => {
  const draft = {
    v: 1,
    source: { id: 'source', name: 'Webhook', connector: 'http', settings: { path: 'in_0123456789abcdefghjkmnpq' } },
    steps: [],
    destinations: [],
  };
  return {
    'pipelines.get': { id: pipelineId },
    'pipelines.rollout': { id: pipelineId },
    'pipelines.saveDraft': { id: pipelineId, draft, draftVersion },
    'pipelines.rename': { id: pipelineId, name: 'Mine now' },
    'pipelines.delete': { id: pipelineId },
    'pipelines.publish': { id: pipelineId, draftVersion },
    'messages.get': { id: messageId },
    'messages.payloads': { id: messageId },
    'deadLetters.resend': { messageId, destinationId: 'out' },
    'apiKeys.revoke': { id: apiKeyId },
    'secrets.replace': { name: 'acmes-token', revision: 1, value: 'mine now' },
    'secrets.delete': { name: 'acmes-token' },
    // A connector is a pool's, and no node of this one offers any.
    'connectors.get': { name: 'files' },
    'connectors.test': { name: 'files', role: 'destination', settings: {} },
  };
};
/** Procedures that name nothing: they answer with the caller's own things. */
const nameless = new Set([
  'session.get',
  'overview.get',
  'pipelines.list',
  'pipelines.create',
  'pipelines.compileStep',
  'pipelines.stepFiles',
  'messages.list',
  'messages.waiting',
  'deadLetters.list',
  'nodes.list',
  'nodes.protection',
  'nodes.setProtection',
  'connectors.calls', // a connector's name is everybody's; what it did is the caller's own
  'connectors.list',
  'connectors.refusals',
  'receiver.info',
  'receiver.list',
  'apiKeys.list',
  'apiKeys.create',
  'secrets.list',
  'secrets.create',
  'live.changes',
]);

/** Lists of one pipeline: of somebody else's they are empty. */
const ofPipeline = new Set(['messages.list', 'messages.waiting', 'deadLetters.list', 'connectors.refusals']);

describe('tRPC', () => {
  it('every procedure is in one of the two lists of this test', () => {
    expect(procedures.map(([name]) => name).toSorted()).toEqual([...Object.keys(acmesThings()), ...nameless].toSorted());
  });

  it("another tenant than the caller's own is not found, whatever is asked of it", async () => {
    for (const [name, { _def }] of procedures) {
      if (_def.type === 'subscription') continue;
      for (const tenant of ['acme', 'no-such-tenant']) {
        const answer = await trpc(_def.type, name, { cookie: rig.globex.cookie, tenant, input: acmesThings()[name] });
        expect(answer, `${name} in ${tenant}`).toMatchObject({ status: 404, data: null, error: { code: 'NOT_FOUND', appCode: 'TENANT.NOT_FOUND' } });
      }
    }
  });

  it("another tenant's things are not found under the caller's own tenant", async () => {
    for (const [name, input] of Object.entries(acmesThings())) {
      const kind = procedures.find(([key]) => key === name)?.[1]._def.type as 'query' | 'mutation';
      const answer = await trpc(kind, name, { cookie: rig.globex.cookie, tenant: 'globex', input });
      expect(answer, name).toMatchObject({ status: 404, data: null, error: { code: 'NOT_FOUND' } });
      expect(JSON.stringify(answer), name).not.toContain('Secret plans');
    }
    const stillThere = await trpc('query', 'pipelines.get', { cookie: rig.acme.cookie, tenant: 'acme', input: { id: pipelineId } });
    expect(stillThere.data).toMatchObject({ name: 'Secret plans', draftVersion });
  });

  it('lists and overviews hold nothing of another tenant', async () => {
    for (const name of [
      'overview.get',
      'pipelines.list',
      'messages.list',
      'messages.waiting',
      'deadLetters.list',
      'nodes.list',
      'connectors.calls',
      'connectors.list',
      'connectors.refusals',
      'apiKeys.list',
      'secrets.list',
    ]) {
      const input = name === 'connectors.calls' ? { connector: 'http' } : ofPipeline.has(name) ? { pipelineId } : undefined;
      const answer = await trpc('query', name, { cookie: rig.globex.cookie, tenant: 'globex', input });
      expect(answer.status, name).toBe(200);
      expect(JSON.stringify(answer.data), name).not.toMatch(new RegExp(`Secret plans|${messageId}|${apiKeyId}|${rig.acme.context.tenantId}`));
    }
  });

  it('without a session nothing is answered', async () => {
    for (const [name, { _def }] of procedures) {
      if (_def.type === 'subscription') continue;
      for (const cookie of ['', 'next-auth.session-token=forged', `${rig.acme.cookie.slice(0, -4)}AAAA`]) {
        const answer = await trpc(_def.type, name, { cookie, tenant: 'acme', input: acmesThings()[name] });
        expect(answer, name).toMatchObject({ status: 401, error: { code: 'UNAUTHORIZED', appCode: 'SESSION.MISSING' } });
      }
    }
  });

  it('a page of another site cannot use the session', async () => {
    const request = trpc('query', 'pipelines.list', { cookie: rig.acme.cookie, tenant: 'acme', headers: { 'sec-fetch-site': 'cross-site' } });
    await expect(request).rejects.toThrow(SyntaxError); // 403 in plain text
  });
});

describe('roles', () => {
  it('every procedure is open to exactly the roles of the table', async () => {
    const cookies = new Map<Role, string>();
    for (const role of roles) cookies.set(role, await rig.addMember(rig.globex, role));
    const matrix: Record<string, string> = {};
    for (const [name, { _def }] of procedures) {
      const permission = _def.meta?.permission;
      expect(permission, `${name} is made with tenantProcedure`).toBeDefined();
      if (_def.type === 'subscription') continue;
      const allowed: Role[] = [];
      for (const role of roles) {
        // Without input: what the role forbids is refused before anything is read of the call.
        const { error } = await trpc(_def.type, name, {
          cookie: cookies.get(role) as string,
          tenant: 'globex',
          input: nameless.has(name) && !name.endsWith('.create') ? undefined : {},
        });
        if (error?.code !== 'FORBIDDEN') allowed.push(role);
      }
      expect(allowed, name).toEqual(roles.filter((role) => permission === 'member' || rolePermissions[role].includes(permission as Permission)));
      matrix[name] = allowed.join(' ');
    }
    expect(matrix).toMatchInlineSnapshot(`
      {
        "apiKeys.create": "owner admin",
        "apiKeys.list": "owner admin auditor",
        "apiKeys.revoke": "owner admin",
        "connectors.calls": "owner admin developer operator viewer auditor",
        "connectors.get": "owner admin developer operator viewer auditor",
        "connectors.list": "owner admin developer operator viewer auditor",
        "connectors.refusals": "owner admin developer operator viewer auditor",
        "connectors.test": "owner admin developer",
        "deadLetters.list": "owner admin developer operator viewer auditor",
        "deadLetters.resend": "owner admin developer operator",
        "messages.get": "owner admin developer operator viewer auditor",
        "messages.list": "owner admin developer operator viewer auditor",
        "messages.payloads": "owner admin developer operator viewer auditor",
        "messages.waiting": "owner admin developer operator viewer auditor",
        "nodes.list": "owner admin developer operator viewer auditor",
        "nodes.protection": "owner admin developer operator viewer auditor",
        "nodes.setProtection": "owner admin",
        "overview.get": "owner admin developer operator viewer auditor",
        "pipelines.compileStep": "owner admin developer",
        "pipelines.create": "owner admin developer",
        "pipelines.delete": "owner admin developer",
        "pipelines.get": "owner admin developer operator viewer auditor",
        "pipelines.list": "owner admin developer operator viewer auditor",
        "pipelines.publish": "owner admin developer",
        "pipelines.rename": "owner admin developer",
        "pipelines.rollout": "owner admin developer operator viewer auditor",
        "pipelines.saveDraft": "owner admin developer",
        "pipelines.stepFiles": "owner admin developer operator viewer auditor",
        "receiver.info": "owner admin developer operator viewer auditor",
        "receiver.list": "owner admin developer operator viewer auditor",
        "secrets.create": "owner admin",
        "secrets.delete": "owner admin",
        "secrets.list": "owner admin developer",
        "secrets.replace": "owner admin",
        "session.get": "owner admin developer operator viewer auditor",
      }
    `);
  });
});

describe('REST', () => {
  const pathOf = (path: string): string =>
    path
      .replace('{id}', path.startsWith('/messages') ? messageId : pipelineId)
      .replace('{messageId}', messageId)
      .replace('{destinationId}', 'out')
      .replace('{stepId}', 'step')
      .replace('{name}', path.startsWith('/secrets') ? 'acmes-token' : 'files');
  const step = { kind: 'filter', language: 'typescript', source: 'export default () => true;' };
  const bodyOf = (id: string): unknown =>
    ({
      createPipeline: { name: 'x' },
      updatePipeline: { name: 'Mine now' },
      putStep: step,
      testConnector: { role: 'destination', settings: {} },
      createSecret: { name: 'x', value: 'v' },
      replaceSecret: { value: 'mine now' },
    })[id];

  it("another tenant's key finds nothing on any path that names a thing, and lists nothing of it", async () => {
    for (const route of routes) {
      const answer = await rest(route.method, pathOf(route.path), {
        key: rig.globex.apiKey,
        body: bodyOf(route.id),
        headers: route.ifMatch === 'required' ? { 'if-match': '*' } : {},
      });
      expect(JSON.stringify(answer.body), route.id).not.toMatch(/Secret plans|kanarie-acme/);
      // Under a connector's name, which is everybody's, each finds what it did for them: here, nothing.
      if (route.id === 'listConnectorCalls') expect(answer, route.id).toMatchObject({ status: 200, body: { methods: [], processes: [], events: [] } });
      // A key that acts as a developer is refused before anything is looked for.
      else if (!isAllowed('developer', route.permission)) expect(answer, route.id).toMatchObject({ status: 403 });
      else if (route.path.includes('{')) expect(answer, route.id).toMatchObject({ status: 404, body: { status: 404, requestId: expect.any(String) } });
      else if (route.method === 'GET')
        expect(
          answer.body.items.filter((item: { id?: string }) => item.id !== undefined),
          route.id,
        ).toEqual([]);
    }
    expect((await rest('GET', `/pipelines/${pipelineId}`, { key: rig.acme.apiKey })).body).toMatchObject({ name: 'Secret plans', draftVersion });
  });

  it('no key, a wrong key and a session cookie open nothing', async () => {
    for (const route of routes) {
      const wrongSecret = `${rig.acme.apiKey.slice(0, -2)}${rig.acme.apiKey.endsWith('AA') ? 'BB' : 'AA'}`;
      const attempts: Record<string, string>[] = [
        {},
        { authorization: 'Bearer vrsky_nothing' },
        { authorization: `Bearer ${wrongSecret}` },
        { authorization: `Basic ${rig.acme.apiKey}` },
        { cookie: rig.acme.cookie },
      ];
      for (const headers of attempts) {
        const answer = await rest(route.method, pathOf(route.path), { body: bodyOf(route.id), headers });
        expect(answer, route.id).toMatchObject({ status: 401, body: { status: 401 } });
        expect(answer.headers.get('www-authenticate')).toContain('Bearer');
      }
    }
  });

  it('a revoked key is out at once', async () => {
    const made = (await trpc('mutation', 'apiKeys.create', { cookie: rig.acme.cookie, tenant: 'acme', input: { name: 'short-lived' } })).data as {
      id: string;
      secret: string;
    };
    expect((await rest('GET', '/pipelines', { key: made.secret })).status).toBe(200);
    await trpc('mutation', 'apiKeys.revoke', { cookie: rig.acme.cookie, tenant: 'acme', input: { id: made.id } });
    expect((await rest('GET', '/pipelines', { key: made.secret })).status).toBe(401);
  });
});
