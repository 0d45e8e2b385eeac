import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { issueTenantJwt } from '@vrsky/bus/admin';
import { createConfigBucket } from '@vrsky/bus/config-bucket';
import { connectBus } from '@vrsky/bus/connect';
import { createUserKey } from '@vrsky/bus/platform-keys';
import { createStreamPublisher } from '@vrsky/bus/publisher';
import { getStored } from '@vrsky/bus/stored';
import type { Bundle, Head } from '@vrsky/contracts/bundle';
import { canonicalJson } from '@vrsky/contracts/canonical-json';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { generateSigningKey, type SignedEnvelope, signEnvelope, signingKeyFromSeed } from '@vrsky/contracts/signed';
import { configKeys, inboxPrefix, streamNames, subjects } from '@vrsky/contracts/subjects';
import { eventually } from '@vrsky/testkit/eventually';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { NodeView } from '../../apps/console/src/features/nodes/types.ts';
import { type Platform, START_MS, startPlatform } from './platform.ts';
import { parsePrometheusText } from './prometheus-text.ts';
import type { Inbox } from './receiver.ts';
import { type Session, signIn } from './session.ts';
import { type Pipeline, type PipelineParts, post, send, type Tenant } from './tenant.ts';

// Strangers: whoever writes into the configuration without the platform's signature, and one tenant who tries the doors of another.

const pool = 'shared';

let platform: Platform;
let ada: Session;
let grace: Session;
let inbox: Inbox;
let pipeline: Pipeline;
let parts: PipelineParts;
let foreign: Pipeline;

beforeAll(async () => {
  platform = await startPlatform();
  const { acme, globex, receiver, stack } = platform;
  [ada, grace] = [await signIn(stack.dev.console, acme.user), await signIn(stack.dev.console, globex.user)];
  inbox = receiver.at('acme');
  parts = {
    name: 'Secret plans',
    steps: [{ id: 'same', kind: 'convert', source: 'export default (message: Message) => message.text();' }],
    to: { out: { url: inbox.url } },
  };
  pipeline = await acme.publish(parts);
  foreign = await globex.publish({ name: 'Globex orders', to: { out: { url: receiver.at('globex').url } } });
}, START_MS);
afterAll(() => platform?.[Symbol.asyncDispose]());
beforeEach(({ onTestFailed }) => onTestFailed(() => console.error(platform.logs())));

async function delivers(): Promise<void> {
  const mark = randomBytes(6).toString('hex');
  await send(pipeline.ingestUrl, JSON.stringify({ mark }));
  await eventually(() => inbox.requests().some(({ body }) => body.includes(mark)), { timeoutMs: 30_000, what: 'a message to arrive' });
}

/** The node as the tenant's Nodes page shows it. */
async function nodeView(): Promise<NodeView> {
  const { data } = await ada.trpc('query', 'nodes.list', platform.acme.slug);
  const [node] = data as NodeView[];
  if (node === undefined) throw new Error('no node is listed');
  return node;
}

describe('configuration that the control plane did not write there', () => {
  const config = async () => createConfigBucket(await platform.bus.control(), platform.keys.nats);
  const bundleKey = (tenant: Tenant): string => configKeys.bundle(pool, tenant.customerId);
  async function read(key: string): Promise<string> {
    const found = await (await config()).get(key);
    if (found === null) throw new Error(`there is no ${key}`);
    return found.value;
  }
  const payloadOf = <T>(text: string): T => JSON.parse((JSON.parse(text) as SignedEnvelope).payload) as T;

  /** Writes `text` there and, since the relay puts things right again, writes it again until the work is done. Then all is as it was. */
  async function whileWritten<T>(key: string, text: string, work: () => Promise<T>): Promise<T> {
    const bucket = await config();
    const good = await read(key);
    let isOver = false;
    const writing = (async () => {
      while (!isOver) {
        if ((await bucket.get(key))?.value !== text) await bucket.put(key, text);
        await pause(50);
      }
    })();
    try {
      return await work();
    } finally {
      isOver = true;
      await writing;
      await bucket.put(key, good);
    }
  }

  const stranger = generateSigningKey();
  /** The current bundle with a later generation, under somebody else's key. */
  async function forged(keyId: string): Promise<string> {
    const bundle = payloadOf<Bundle>(await read(bundleKey(platform.acme)));
    const later = { ...bundle, generation: bundle.generation + 1_000, pipelines: [] };
    return JSON.stringify(signEnvelope('bundle', canonicalJson(later), signingKeyFromSeed(keyId, stranger.seed)));
  }
  const cases: [name: string, text: () => Promise<string>, code: string][] = [
    ['a bundle changed after it was signed', async () => (await read(bundleKey(platform.acme))).replace('/acme', '/evil'), 'SIGNATURE.INVALID'],
    ["a bundle signed by a stranger in the platform's name", () => forged(platform.keys.bundleKey.keyId), 'SIGNATURE.INVALID'],
    ['a bundle signed by a stranger in his own name', () => forged('stranger'), 'SIGNATURE.UNKNOWN_KEY'],
    ["another tenant's bundle", () => read(bundleKey(platform.globex)), 'BUNDLE.WRONG_TENANT'],
    ['a document that the platform signed as something else', () => read(configKeys.head(pool)), 'SIGNATURE.WRONG_PURPOSE'],
    ['no document at all', async () => 'hello', 'SIGNATURE.MALFORMED'],
  ];

  test.each(cases)('%s is refused with a reason on the page, and running work goes on', { timeout: 90_000 }, async (_name, makeText, code) => {
    const before = await nodeView();
    const text = await makeText();
    expect(text).not.toBe(await read(bundleKey(platform.acme)));
    await whileWritten(bundleKey(platform.acme), text, async () => {
      const refused = await eventually(
        async () => {
          const node = await nodeView();
          return node.rejected?.code === code && node;
        },
        { timeoutMs: 30_000, what: `${code} on the page` },
      );
      expect(refused.rejected?.reason).toMatch(/\w+ \w+ \w+/);
      expect(refused.applied).toEqual(before.applied);
      expect(refused.pipelines.find(({ pipelineId }) => pipelineId === pipeline.id)).toMatchObject({ state: 'running', revision: pipeline.revision });
      await delivers();
    });
    await eventually(async () => (await nodeView()).rejected === null, { timeoutMs: 30_000, what: 'the refusal to be over' });
    await platform.acme.waitUntilApplied(pipeline);
  });

  test('an old bundle of the tenant that is put back is refused, and the new revision goes on', { timeout: 90_000 }, async () => {
    const old = await read(bundleKey(platform.acme));
    pipeline = await platform.acme.publish(
      { ...parts, steps: [{ id: 'same', kind: 'convert', source: 'export default (message: Message) => ({ ...message.json(), fresh: true });' }] },
      pipeline,
    );
    await whileWritten(bundleKey(platform.acme), old, async () => {
      await eventually(async () => (await nodeView()).rejected?.code === 'BUNDLE.OLDER', { timeoutMs: 30_000, what: 'BUNDLE.OLDER on the page' });
      await delivers();
      expect(JSON.parse(inbox.requests().at(-1)?.body.toString() ?? '')).toMatchObject({ fresh: true });
    });
    await platform.acme.waitUntilApplied(pipeline);
  });

  test('a head that leaves the tenant out, forged or from another pool, ends nothing', { timeout: 90_000 }, async () => {
    const key = configKeys.head(pool);
    const head = payloadOf<Head>(await read(key));
    const without = canonicalJson({ ...head, generation: head.generation + 1_000, issuedAt: new Date(Date.now() + 60_000).toISOString(), tenants: {} });
    const other = canonicalJson({ ...head, pool: 'elsewhere', generation: head.generation + 1_000, tenants: {} });
    const { keyId, seed } = platform.keys.bundleKey;
    const forgeries: [text: string, code: string][] = [
      [JSON.stringify(signEnvelope('head', without, signingKeyFromSeed(keyId, stranger.seed))), 'SIGNATURE.INVALID'],
      [JSON.stringify(signEnvelope('head', other, signingKeyFromSeed(keyId, seed))), 'HEAD.WRONG_POOL'],
    ];
    for (const [text, code] of forgeries) {
      const before = await refusals(code);
      await whileWritten(key, text, async () => {
        await eventually(async () => (await refusals(code)) > before, { timeoutMs: 30_000, what: `${code} to be counted` });
        await delivers();
      });
    }
    expect((await nodeView()).pipelines.length).toBeGreaterThan(0);
  });

  test('records that are gone end nothing', { timeout: 90_000 }, async () => {
    const bucket = await config();
    const keys = [configKeys.head(pool), bundleKey(platform.acme)];
    const kept = await Promise.all(keys.map(read));
    for (const key of keys) await bucket.delete(key);
    await delivers();
    for (const [i, key] of keys.entries()) await bucket.put(key, kept[i] as string);
    await platform.acme.waitUntilApplied(pipeline);
  });

  test('a revision that was tampered with on its way is refused with the reason in the rollout; the node that starts on it serves the one before', {
    timeout: 120_000,
  }, async () => {
    const { acme, stack } = platform;
    await stack.parts.node.kill();
    const before = await read(bundleKey(acme));
    const next = await acme.release(
      { ...parts, steps: [{ id: 'same', kind: 'convert', source: 'export default (message: Message) => ({ ...message.json(), next: true });' }] },
      pipeline,
    );
    const text = await eventually(
      async () => {
        const written = await read(bundleKey(acme));
        return written !== before && written;
      },
      { timeoutMs: 30_000, what: 'the relay to write the new bundle' },
    );
    await whileWritten(bundleKey(acme), text.replace('next: true', 'next: evil'), async () => {
      await stack.parts.node.start();
      const ticks = await eventually(
        async () => {
          const found = await acme.rollout(next);
          return found.some(({ state }) => state === 'rejected') && found;
        },
        { timeoutMs: 30_000, what: 'a rejected tick' },
      );
      expect(ticks).toMatchObject([{ state: 'rejected', reason: expect.stringMatching(/changed after signing/) }]);
      expect(await acme.get(`/pipelines/${next.id}`)).toMatchObject({ state: 'degraded' });
      await delivers();
      expect(JSON.parse(inbox.requests().at(-1)?.body.toString() ?? '')).toMatchObject({ fresh: true });
    });
    pipeline = next;
    await acme.waitUntilApplied(pipeline);
  });

  async function refusals(code: string): Promise<number> {
    const text = await (await fetch(platform.stack.dev.metrics.node)).text();
    return (
      parsePrometheusText(text)
        .get('vrsky_config_rejected_total')
        ?.series.find(({ labels }) => labels.code === code)?.value ?? 0
    );
  }
});

describe('a tenant who tries the doors of another', () => {
  let messageId: string;
  /** Words that only Acme's data has. */
  let secrets: RegExp;
  beforeAll(async () => {
    const { acme, receiver } = platform;
    const strict = receiver.at('strict');
    strict.behave({ status: 400 });
    const failing = await acme.publish({ name: 'Secret failures', to: { out: { url: strict.url } } });
    messageId = await send(failing.ingestUrl, '{"text":"only for acme"}');
    await acme.trail(messageId);
    secrets = new RegExp(['Secret (plans|failures)', 'only for acme', acme.customerId, pipeline.ingestUrl, 'ada@acme'].join('|'));
  });

  test("with their API key: every path that names something of the other's is 404, every list is their own", { timeout: 60_000 }, async () => {
    const { acme, globex, stack } = platform;
    const document = (await (await fetch(`${stack.dev.console}/api/v1/openapi.json`)).json()) as { paths: Record<string, Record<string, unknown>> };
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods)
        .filter((method) => /^(get|post|put|patch|delete)$/.test(method))
        .map((method) => ({ method: method.toUpperCase(), path })),
    );
    expect(operations.length).toBeGreaterThan(8);
    for (const { method, path } of operations) {
      const concrete = path
        .replace('{id}', path.startsWith('/messages') ? messageId : pipeline.id)
        .replace('{messageId}', messageId)
        .replace('{destinationId}', 'out')
        .replace('{stepId}', 'convert')
        .replace('{name}', 'files');
      if (method === 'POST' && path === '/pipelines') continue; // makes one of their own
      const headers = { 'if-match': '*' };
      const step = { kind: 'convert', language: 'typescript', source: 'export default () => "mine now"' };
      const name = `${method} ${path}`;
      const body: Record<string, unknown> = {
        'POST /connectors/{name}/test': { role: 'destination', settings: {} },
        'POST /secrets': { name: 'mine', value: 'now' },
        'PATCH /secrets/{name}': { value: 'mine now' },
      };
      const sent = body[name] ?? { PATCH: { name: 'Mine now' }, PUT: step }[method];
      const answer = await globex.call(method, concrete, sent === undefined ? {} : { body: sent, headers });
      // Their key acts as a developer, who writes no secrets: refused before anything is looked for.
      if (path.startsWith('/secrets') && method !== 'GET') expect(answer.status, name).toBe(403);
      // Under a connector's name, which is everybody's, each finds what it did for them.
      else if (path === '/connectors/{name}/calls') expect(answer, name).toMatchObject({ status: 200, body: { processes: [] } });
      else if (path.includes('{')) expect(answer, name).toMatchObject({ status: 404, body: { status: 404, requestId: expect.any(String) } });
      else expect(answer.status, name).toBe(200);
      expect(JSON.stringify(answer.body), name).not.toMatch(secrets);
    }
    expect(await globex.get<{ items: unknown[] }>(`/messages?search=${messageId}`)).toMatchObject({ items: [] });
    expect(await globex.get<{ items: unknown[] }>(`/messages?pipelineId=${pipeline.id}`)).toMatchObject({ items: [] });
    // Nothing of it was done.
    expect(await acme.get(`/pipelines/${pipeline.id}`)).toMatchObject({ name: 'Secret plans', publishedRevision: pipeline.revision });
    expect(await acme.get(`/messages/${messageId}`)).toMatchObject({ state: 'dead_lettered' });
    await delivers();
  });

  test("with their session: the other's pages and calls are not found, and what is sent to the browser has nothing of the other's", {
    timeout: 60_000,
  }, async () => {
    const { acme, globex } = platform;
    const paths = ['', '/pipelines', `/pipelines/${pipeline.id}`, '/messages', `/messages/${messageId}`, '/dead-letters', '/nodes', '/receiver', '/api-keys'];
    for (const path of paths) {
      const page = await grace.page(`/t/${acme.slug}${path}`);
      expect(page.html, path).not.toMatch(secrets);
      expect(page.html, path).toMatch(/not found/i);
      // The same thing under a door that is theirs.
      const own = await grace.page(`/t/${globex.slug}${path}`);
      expect(own.html, path).not.toMatch(secrets);
    }
    for (const [procedure, input] of [
      ['overview.get'],
      ['pipelines.list'],
      ['pipelines.get', { id: pipeline.id }],
      ['messages.get', { id: messageId }],
      ['messages.payloads', { id: messageId }],
      ['nodes.list'],
    ] as const) {
      const answer = await grace.trpc('query', procedure, acme.slug, input);
      expect(answer, procedure).toMatchObject({ status: 404, data: null });
      expect(answer.text, procedure).not.toMatch(secrets);
    }
    expect(await grace.trpc('mutation', 'deadLetters.resend', acme.slug, { messageId, destinationId: 'out' })).toMatchObject({ status: 404 });
    expect(await grace.trpc('mutation', 'pipelines.delete', globex.slug, { id: pipeline.id })).toMatchObject({ status: 404 });
    // Acme's own person sees it, so the words above would have been seen.
    expect((await ada.trpc('query', 'pipelines.get', acme.slug, { id: pipeline.id })).text).toMatch(secrets);
  });

  test("with a Customer-ID of theirs in a request to the other's URL, and the other's in one to their own: it counts for nothing", {
    timeout: 60_000,
  }, async () => {
    const { acme, globex, receiver } = platform;
    const claims = (tenant: Tenant) => ({
      'customer-id': tenant.customerId,
      'x-customer-id': tenant.customerId,
      'vrsky-pipeline': foreign.id,
      'x-vrsky-tenant': tenant.slug,
    });
    const [toAcme, toGlobex] = [
      await send(pipeline.ingestUrl, '{"mark":"to acme"}', claims(globex)),
      await send(foreign.ingestUrl, '{"mark":"to globex"}', claims(acme)),
    ];
    expect(await acme.trail(toAcme)).toMatchObject({ customerId: acme.customerId, pipelineId: pipeline.id, state: 'delivered' });
    expect(await globex.trail(toGlobex)).toMatchObject({ customerId: globex.customerId, pipelineId: foreign.id, state: 'delivered' });
    expect((await globex.call('GET', `/messages/${toAcme}`)).status).toBe(404);
    expect((await acme.call('GET', `/messages/${toGlobex}`)).status).toBe(404);
    const heard = (box: Inbox, mark: string) =>
      box
        .requests()
        .filter(({ body }) => body.includes(mark))
        .map(({ headers }) => headers['customer-id']);
    expect(heard(inbox, 'to acme')).toEqual([acme.customerId]);
    expect(heard(receiver.at('globex'), 'to globex')).toEqual([globex.customerId]);
  });

  test("with a node's NATS credentials of their account: the other's names lead to their own streams, where a pack of the other is set aside", {
    timeout: 60_000,
  }, async () => {
    const { acme, globex, stack } = platform;
    const account = await platform.account(globex);
    const { seed, publicKey } = createUserKey();
    const jwt = await issueTenantJwt(account.accountSeed, { nodeId: 'nod_thief', pool, publicKey });
    const nc = await connectBus({ url: stack.dev.nats, name: 'thief', inbox: inboxPrefix('nod_thief'), credentials: () => ({ jwt, seed }) });
    try {
      // Listening is refused, also to what looks like the other's.
      for (const subject of ['>', 'in.>', subjects.ingestAll(pipeline.id), '$JS.>', `${inboxPrefix('nod_other')}.>`]) {
        const refused = Promise.withResolvers<string>();
        nc.subscribe(subject, { callback: (error) => refused.resolve(error?.message ?? 'heard a message') });
        expect(await refused.promise, subject).toMatch(/permissions violation/i);
      }
      // A true pack of the other's, with its stamp and proof, as somebody who could read it would move it over.
      const stored = await streamState(acme, streamNames.ingest);
      const pack = await getStored(await platform.bus.tenant(await platform.account(acme)), streamNames.ingest, stored.last_seq);
      if (pack === null) throw new Error('the last pack is gone');
      expect(pack.headers[packHeaders.customerId]).toBe(acme.customerId);
      const delivered = platform.receiver.requests.length;
      const publisher = createStreamPublisher(nc, { timeoutMs: 5_000 });
      const move = (to: string, name: string) => publisher.publish(subjects.ingest(to), { ...pack.headers, [packHeaders.msgId]: name }, pack.data);
      await move(pipeline.id, 'moved 1');
      const { seq } = await move(foreign.id, 'moved 2');
      publisher.close();
      // Their stream, under their sequence, holds what they wrote; the other's did not change, and nothing of it was delivered anywhere.
      expect((await getStored(nc, streamNames.ingest, seq))?.subject).toBe(subjects.ingest(foreign.id));
      expect(await streamState(acme, streamNames.ingest)).toMatchObject({ messages: stored.messages, last_seq: stored.last_seq });
      const setAside = async () =>
        (await streamState(globex, streamNames.dlq, subjects.quarantine(foreign.id))).subjects?.[subjects.quarantine(foreign.id)] ?? 0;
      await eventually(async () => (await setAside()) === 1, { timeoutMs: 30_000, what: 'the moved pack to be set aside' });
      expect(platform.receiver.requests.length).toBe(delivered);
    } finally {
      await nc.close();
    }
  });

  test("with all rights in their account: of the other's traffic nothing is heard, and of its streams nothing is named", { timeout: 60_000 }, async () => {
    const { acme, globex } = platform;
    const nc = await platform.bus.tenant(await platform.account(globex));
    const heard: string[] = [];
    const listening = nc.subscribe('>', {
      callback: (_error, message) => void heard.push(`${message.subject} ${message.headers?.get(packHeaders.customerId) ?? ''} ${message.string()}`),
    });
    await nc.flush();
    for (let i = 0; i < 5; i++) await delivers();
    // What is heard of their own shows that it would have been heard.
    await globex.trail(await send(foreign.ingestUrl, '{}'));
    await eventually(() => heard.some((line) => line.startsWith(subjects.ingest(foreign.id))), { timeoutMs: 30_000, what: 'their own message' });
    listening.unsubscribe();
    expect(heard.filter((line) => line.includes(acme.customerId) || line.includes(pipeline.id))).toEqual([]);
    const names = (await nc.request('$JS.API.STREAM.NAMES')).json<{ streams: string[] }>();
    expect(names.streams.toSorted()).toEqual(Object.values(streamNames).toSorted());
    expect((await nc.request(`$JS.API.CONSUMER.NAMES.${streamNames.ingest}`)).string()).not.toContain(pipeline.id);
  });

  test('without any credentials there is no way in', async () => {
    const { stack } = platform;
    const { seed } = createUserKey();
    await expect(connectBus({ url: stack.dev.nats, name: 'nobody', inbox: inboxPrefix('nobody'), credentials: () => ({ jwt: '', seed }) })).rejects.toThrow(
      /refuses the credentials/,
    );
    expect((await fetch(`${stack.dev.console}/api/v1/pipelines`)).status).toBe(401);
    expect((await post(`${stack.dev.ingest}/in/${pipeline.id}`, '{}')).status).toBe(404);
  });

  async function streamState(tenant: Tenant, stream: string, subject = ''): Promise<StreamState> {
    const nc = await platform.bus.tenant(await platform.account(tenant));
    const answer = await nc.request(`$JS.API.STREAM.INFO.${stream}`, subject === '' ? '' : JSON.stringify({ subjects_filter: subject }));
    return answer.json<{ state: StreamState }>().state;
  }
});

interface StreamState {
  messages: number;
  last_seq: number;
  /** Only with a filter: entries under each subject. */
  subjects?: Record<string, number>;
}
