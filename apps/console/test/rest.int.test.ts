import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { routes } from '../src/server/rest/routes.ts';
import { serveEnrolment } from '../src/server/serve-enrolment.ts';
import { serveMetrics } from '../src/server/serve-metrics.ts';
import { serveReady } from '../src/server/serve-ready.ts';
import { rest } from './calls.ts';
import { projectedMessage, publishedPipeline } from './fixtures.ts';
import { type Rig, startRig } from './rig.ts';

let rig: Rig;
let key: string;

beforeAll(async () => {
  rig = await startRig();
  key = rig.acme.apiKey;
});
afterAll(() => rig[Symbol.asyncDispose]());

describe('problem details', () => {
  it("answer whatever goes wrong, with a code, a sentence and the request's id", async () => {
    const cases: { call: Parameters<typeof rest>; status: number; code: string }[] = [
      { call: ['GET', '/nothing/here', { key }], status: 404, code: 'ROUTE.NOT_FOUND' },
      { call: ['GET', '', { key }], status: 404, code: 'ROUTE.NOT_FOUND' },
      { call: ['PUT', '/pipelines', { key }], status: 405, code: 'ROUTE.METHOD_NOT_ALLOWED' },
      { call: ['GET', '/pipelines', {}], status: 401, code: 'API_KEY.MISSING' },
      { call: ['GET', '/pipelines', { key: 'vrsky_x' }], status: 401, code: 'API_KEY.REFUSED' },
      { call: ['GET', '/pipelines/pip_none', { key }], status: 404, code: 'PIPELINE.NOT_FOUND' },
      { call: ['GET', '/messages/msg_none', { key }], status: 404, code: 'MESSAGE.NOT_FOUND' },
      { call: ['POST', '/dead-letters/msg_none/out/resend', { key }], status: 404, code: 'DEAD_LETTER.NOT_FOUND' },
      { call: ['POST', '/pipelines', { key, text: '{"name":' }], status: 400, code: 'REQUEST.MALFORMED_JSON' },
      { call: ['POST', '/pipelines', { key, text: '' }], status: 400, code: 'REQUEST.MALFORMED_JSON' },
      {
        call: ['POST', '/pipelines', { key, text: 'name=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
        status: 400,
        code: 'REQUEST.NOT_JSON',
      },
      { call: ['POST', '/pipelines', { key, text: `"${'x'.repeat(8 * 1_048_576)}"` }], status: 400, code: 'REQUEST.TOO_LARGE' },
      { call: ['POST', '/pipelines', { key, body: { name: '' } }], status: 400, code: 'REQUEST.INVALID' },
      { call: ['POST', '/pipelines', { key, body: { name: 'x', surprise: 1 } }], status: 400, code: 'REQUEST.INVALID' },
      { call: ['GET', '/messages?limit=1000', { key }], status: 400, code: 'REQUEST.INVALID' },
      { call: ['GET', '/messages?state=lost', { key }], status: 400, code: 'REQUEST.INVALID' },
      { call: ['GET', '/messages?colour=red', { key }], status: 400, code: 'REQUEST.INVALID' },
      { call: ['GET', '/messages?cursor=zzz', { key }], status: 400, code: 'CURSOR.INVALID' },
      { call: ['POST', '/pipelines', { key, body: { name: 'x' }, headers: { 'idempotency-key': 'a b' } }], status: 400, code: 'IDEMPOTENCY.KEY_INVALID' },
    ];
    for (const { call, status, code } of cases) {
      const answer = await rest(...call);
      expect(answer, `${call[0]} ${call[1]}`).toMatchObject({
        status,
        body: { status, code, type: `urn:vrsky:problem:${code}`, title: expect.any(String), detail: expect.any(String) },
      });
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(answer.headers.get('x-request-id')).toBe(answer.body.requestId);
    }
  });

  it('say which field is wrong', async () => {
    const { body } = await rest('POST', '/pipelines', { key, body: { name: 'x', draft: { destinations: [{ id: 'OUT' }] } } });
    expect(body.errors.map((error: { path: string }) => error.path)).toContain('/draft/destinations/0/id');
  });

  it("keep the caller's own request id", async () => {
    const answer = await rest('GET', '/nothing', { key, headers: { 'x-request-id': 'ours-12345678' } });
    expect(answer.body.requestId).toBe('ours-12345678');
  });

  it('name the methods that a path knows', async () => {
    expect((await rest('PUT', '/pipelines', { key })).headers.get('allow')).toBe('GET, POST');
    const options = await rest('OPTIONS', '/pipelines/x', { key });
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, PATCH, DELETE']);
  });
});

describe('a pipeline over REST', () => {
  it('is created with its parts, read, updated under its ETag, published, watched and deleted', async () => {
    const destinations = [{ id: 'out', name: 'Out', connector: 'http', settings: { url: 'https://api.example.com/orders' } }];
    const created = await rest('POST', '/pipelines', { key, body: { name: 'From CI', draft: { destinations } } });
    expect(created).toMatchObject({
      status: 201,
      body: { name: 'From CI', state: 'draft', draft: { destinations: [{ id: 'out', settings: { method: 'POST' } }] } },
    });
    expect(created.body.ingestUrl).toMatch(/\/in\/in_/);
    const path = `/pipelines/${created.body.id}`;
    expect(created.headers.get('location')).toBe(`/api/v1${path}`);

    const read = await rest('GET', path, { key });
    const etag = read.headers.get('etag') as string;
    expect(read.body.id).toBe(created.body.id);
    expect(etag).toBe(created.headers.get('etag'));

    expect(await rest('PATCH', path, { key, body: { name: 'Renamed' } })).toMatchObject({ status: 428, body: { code: 'REQUEST.IF_MATCH_MISSING' } });
    expect(await rest('PATCH', path, { key, body: { name: 'Renamed' }, headers: { 'if-match': '"999"' } })).toMatchObject({
      status: 412,
      body: { code: 'PIPELINE.OUT_OF_DATE' },
    });
    expect(await rest('PATCH', path, { key, body: { name: 'Renamed' }, headers: { 'if-match': 'nonsense' } })).toMatchObject({ status: 400 });
    const draft = { ...read.body.draft, destinations: [] };
    const updated = await rest('PATCH', path, { key, body: { name: 'Renamed', draft }, headers: { 'if-match': etag } });
    expect(updated).toMatchObject({ status: 200, body: { problems: [{ path: '/destinations' }] } });
    expect(updated.headers.get('etag')).not.toBe(etag);
    expect((await rest('PATCH', path, { key, body: { draft }, headers: { 'if-match': etag } })).status).toBe(412);

    const early = await rest('POST', `${path}/publish`, { key });
    expect(early).toMatchObject({ status: 400, body: { code: 'PIPELINE.NOT_PUBLISHABLE', errors: [{ path: '/destinations' }] } });
    const completed = await rest('PATCH', path, { key, body: { draft: read.body.draft }, headers: { 'if-match': '*' } });
    expect((await rest('POST', `${path}/publish`, { key, headers: { 'if-match': updated.headers.get('etag') as string } })).status).toBe(412);
    const published = await rest('POST', `${path}/publish`, { key, headers: { 'if-match': completed.headers.get('etag') as string } });
    expect(published).toMatchObject({ status: 200, body: { revision: 1, epoch: 1, generation: expect.any(Number) } });
    expect(await rest('GET', `${path}/rollout`, { key })).toMatchObject({ status: 200, body: { items: [] } });
    expect((await rest('GET', path, { key })).body).toMatchObject({ name: 'Renamed', publishedRevision: 1, revisions: [{ number: 1, createdBy: 'test' }] });

    expect((await rest('DELETE', path, { key })).status).toBe(204);
    expect((await rest('GET', path, { key })).status).toBe(404);
  });

  it('is created whole: who may send, and that its senders wait for the result, in one call; the path is made here', async () => {
    const source = { name: 'GitHub', settings: { auth: { scheme: 'github', secret: { $secret: 'webhook' } } } };
    const draft = { source, reply: { from: 'out', withinMs: 5_000 }, destinations: [{ id: 'out', name: 'Out', connector: 'http', settings: { url: '' } }] };
    const { status, body } = await rest('POST', '/pipelines', { key, body: { name: 'Whole', draft } });
    expect([status, body.draft.reply, body.draft.source]).toMatchObject([201, draft.reply, { ...source, connector: 'http' }]);
    expect(body.ingestUrl).toMatch(new RegExp(`/in/${body.draft.source.settings.path}$`));
    const withPath = { source: { settings: { path: 'in_0123456789abcdefghjkmnpq' } } };
    expect(await rest('POST', '/pipelines', { key, body: { name: 'Whole', draft: withPath } })).toMatchObject({
      status: 400,
      body: { errors: [{ path: '/draft/source/settings/path', message: 'The path of a new source is made here: leave it out' }] },
    });
  });

  it('created twice under one Idempotency-Key is one pipeline; the key with another body is refused', async () => {
    const headers = { 'idempotency-key': 'deploy-42' };
    const before = (await rest('GET', '/pipelines', { key })).body.items.length;
    const first = await rest('POST', '/pipelines', { key, body: { name: 'Once' }, headers });
    const second = await rest('POST', '/pipelines', { key, body: { name: 'Once' }, headers });
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('location')).toBe(first.headers.get('location'));
    expect([first.headers.get('idempotency-replayed'), second.headers.get('idempotency-replayed')]).toEqual([null, 'true']);
    expect(await rest('POST', '/pipelines', { key, body: { name: 'Other' }, headers })).toMatchObject({
      status: 409,
      body: { code: 'IDEMPOTENCY.KEY_REUSED' },
    });
    expect((await rest('GET', '/pipelines', { key })).body.items).toHaveLength(before + 1);
    // Keys of one tenant are nothing to another.
    expect((await rest('POST', '/pipelines', { key: rig.globex.apiKey, body: { name: 'Once' }, headers })).body.id).not.toBe(first.body.id);
  });

  it('created many times at once under one Idempotency-Key is one pipeline', async () => {
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => rest('POST', '/pipelines', { key, body: { name: 'Race' }, headers: { 'idempotency-key': 'race' } })),
    );
    const made = answers.filter(({ status }) => status === 201);
    expect(new Set(made.map(({ body }) => body.id)).size).toBe(1);
    for (const answer of answers) if (answer.status !== 201) expect(answer).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY.IN_PROGRESS' } });
    expect((await rest('GET', '/pipelines', { key })).body.items.filter((item: { name: string }) => item.name === 'Race')).toHaveLength(1);
  });

  it('a call that failed may be made again under the same Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'second-try' };
    expect((await rest('POST', '/dead-letters/msg_none/out/resend', { key, headers })).status).toBe(404);
    expect((await rest('POST', '/dead-letters/msg_none/out/resend', { key, headers })).status).toBe(404);
  });
});

describe('lists', () => {
  it('of messages run from new to old, page by page, with nothing lost or doubled, also among equal times', async () => {
    const { id } = await publishedPipeline(rig.acme, 'Paged');
    const now = Date.now();
    for (let i = 0; i < 7; i++)
      await projectedMessage(rig, rig.acme, id, { receivedAt: new Date(now - Math.floor(i / 3) * 1_000), state: i === 2 ? 'filtered' : 'delivered' });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof rest>> = await rest('GET', `/messages?pipelineId=${id}&limit=2${cursor ? `&cursor=${cursor}` : ''}`, { key });
      expect(page.status).toBe(200);
      seen.push(...page.body.items.map((item: { id: string; receivedAt: string }) => `${item.receivedAt} ${item.id}`));
      cursor = page.body.nextCursor;
    } while (cursor);
    expect(new Set(seen).size).toBe(7);
    expect(seen).toEqual(seen.toSorted().toReversed());

    const filtered = await rest('GET', `/messages?pipelineId=${id}&state=filtered,dead_lettered`, { key });
    expect(filtered.body.items).toHaveLength(1);
    const found = await rest('GET', `/messages?search=${filtered.body.items[0].id.slice(0, 24)}`, { key });
    expect(found.body.items.map((item: { id: string }) => item.id)).toContain(filtered.body.items[0].id);
    const byTrace = await rest('GET', '/messages?search=0AF7651916cd43dd8448eb211c80319c&limit=200', { key });
    expect(byTrace.body.items.length).toBeGreaterThanOrEqual(7);
  });

  it('of pipelines are paged', async () => {
    const all = (await rest('GET', '/pipelines', { key })).body.items.map((item: { id: string }) => item.id);
    const first = (await rest('GET', '/pipelines?limit=1', { key })).body;
    const second = (await rest('GET', `/pipelines?limit=200&cursor=${first.nextCursor}`, { key })).body;
    expect([...first.items, ...second.items].map((item: { id: string }) => item.id)).toEqual(all);
    expect(second.nextCursor).toBeNull();
    expect((await rest('GET', '/pipelines?cursor=pip_none', { key })).body.code).toBe('CURSOR.INVALID');
  });

  it('of dead letters are paged, with the names of the revision that gave up', async () => {
    const { id } = await publishedPipeline(rig.acme, 'Failing');
    const receivedAt = new Date();
    const ids = [
      await projectedMessage(rig, rig.acme, id, { state: 'dead_lettered', receivedAt }),
      await projectedMessage(rig, rig.acme, id, { state: 'dead_lettered', receivedAt }),
    ];
    const first = (await rest('GET', `/dead-letters?pipelineId=${id}&limit=1`, { key })).body;
    const second = (await rest('GET', `/dead-letters?pipelineId=${id}&limit=1&cursor=${first.nextCursor}`, { key })).body;
    expect([...first.items, ...second.items].map((item: { messageId: string }) => item.messageId).toSorted()).toEqual(ids.toSorted());
    expect(first.items[0]).toMatchObject({ destinationName: 'Out', pipelineName: 'Failing', code: 'http_500', peerStatus: 500, resentAt: null });
    expect(second.nextCursor).toBeNull();
  });

  it("a trail tells steps, destinations and attempts in the revision's words", async () => {
    const { id } = await publishedPipeline(rig.acme, 'Trail');
    const messageId = await projectedMessage(rig, rig.acme, id);
    expect((await rest('GET', `/messages/${messageId}`, { key })).body).toMatchObject({
      id: messageId,
      customerId: rig.acme.context.tenantId,
      pipelineName: 'Trail',
      durationMs: 12,
      address: { seq: 1, index: 0 },
      destinations: [
        {
          id: 'out',
          name: 'Out',
          url: 'http://127.0.0.1:9/',
          state: 'delivered',
          attempts: [{ attempt: 1, peerStatus: 500, durationUs: 1500, nextAt: null, nodeId: 'nod_1' }],
        },
      ],
    });
  });
});

describe('the OpenAPI document', () => {
  it('is served without a key, and every path it lists answers', async () => {
    const { status, body } = await rest('GET', '/openapi.json');
    expect([status, body.openapi]).toEqual([200, '3.1.0']);
    expect(Object.keys(body.paths)).toHaveLength(new Set(routes.map((route) => route.path)).size);
    for (const [path, item] of Object.entries(
      body.paths as Record<string, Record<string, { parameters: { name: string; in: string; required: boolean }[]; responses: Record<string, unknown> }>>,
    )) {
      for (const [method, operation] of Object.entries(item)) {
        const headers = Object.fromEntries(
          operation.parameters.filter((parameter) => parameter.in === 'header' && parameter.required).map((parameter) => [parameter.name, '*']),
        );
        const answer = await rest(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x'), { key, headers, body: method === 'get' ? undefined : { name: 'x' } });
        expect(Object.keys(operation.responses), `${method} ${path} answered ${answer.status}`).toContain(String(answer.status));
        expect(answer.body?.code, `${method} ${path}`).not.toBe('ROUTE.NOT_FOUND');
      }
    }
  });
});

describe('for operators', () => {
  it('metrics count requests by route and status, and say whether the worker answers', async () => {
    await rest('GET', '/pipelines/pip_none', { key });
    const text = await (await serveMetrics()).text();
    expect(text).toMatch(/vrsky_console_http_requests_total\{api="rest",route="GET \/pipelines\/\{id\}",status="404"\} \d+/);
    expect(text).toContain('vrsky_console_worker_up 0');
    expect(text).not.toContain('pip_none');
  });

  it('ready means that the database answers', async () => {
    expect((await serveReady()).status).toBe(200);
  });

  it('a node with a bad join token, or a bad request, is refused with a problem', async () => {
    const enrol = (body: string) =>
      serveEnrolment(new Request('http://console.test/api/nodes/enrol', { method: 'POST', body, headers: { 'content-type': 'application/json' } }));
    const request = { token: 'x'.repeat(40), name: 'node', version: '1', identityKey: `U${'A'.repeat(55)}`, sealKey: 'A'.repeat(43) };
    const refused = await enrol(JSON.stringify(request));
    expect([refused.status, await refused.json()]).toEqual([401, expect.objectContaining({ code: 'NODE.TOKEN_REFUSED' })]);
    expect((await enrol('{}')).status).toBe(400);
    expect((await enrol('{')).status).toBe(400);
    expect((await enrol(`"${'x'.repeat(20_000)}"`)).status).toBe(400);
  });
});
