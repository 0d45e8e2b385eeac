import { createConfigBucket } from '@vrsky/bus/config-bucket';
import { consumePacks } from '@vrsky/bus/consumer';
import { createUserKey } from '@vrsky/bus/platform-keys';
import { createStreamPublisher } from '@vrsky/bus/publisher';
import { contentHash } from '@vrsky/contracts/canonical-json';
import type { CallTally, ConnectorCalls, SourceRefusal } from '@vrsky/contracts/connector-calls';
import { answerId, newId } from '@vrsky/contracts/ids';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { configKeys, consumerNames, streamNames, subjects } from '@vrsky/contracts/subjects';
import type { TrailDestination, TrailRecord } from '@vrsky/contracts/trail';
import { encodeBatch } from '@vrsky/proto/message-codec';
import { eventually } from '@vrsky/testkit/eventually';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { getMessage } from '../src/features/messages/server/get-message.ts';
import { listMessages } from '../src/features/messages/server/list-messages.ts';
import type { DestinationHealth } from '../src/features/messages/types.ts';
import { enrolNode } from '../src/features/nodes/server/enrol-node.ts';
import { createJoinToken } from '../src/features/nodes/server/join-token.ts';
import { listNodes } from '../src/features/nodes/server/list-nodes.ts';
import { rollout } from '../src/features/nodes/server/rollout.ts';
import { deletePipeline } from '../src/features/pipelines/server/delete-pipeline.ts';
import { getPipeline } from '../src/features/pipelines/server/get-pipeline.ts';
import { publishPipeline } from '../src/features/pipelines/server/publish-pipeline.ts';
import { saveDraft } from '../src/features/pipelines/server/save-draft.ts';
import { deriveProofKey, openTenantAccount } from '../src/features/tenancy/server/tenant-account.ts';
import { LIVE_CHANNEL } from '../src/server/live-channel.ts';
import { connectorCallsSchema } from '../src/server/rest/connector-call-routes.ts';
import { createPartitions } from '../src/worker/trail/partitions.ts';
import { rest, trpc } from './calls.ts';
import { publishedPipeline } from './fixtures.ts';
import { type Rig, startRig, type TestTenant } from './rig.ts';
import { enrolTestNode, startWorker, type TestNode, type TestWorker } from './worker-rig.ts';

let rig: Rig;
let worker: TestWorker;
let node: TestNode;
beforeAll(async () => {
  rig = await startRig();
  worker = await startWorker(rig);
  node = await enrolTestNode(rig.platformDb, rig.db, rig.acme.context.platform);
});
afterAll(async () => {
  await node[Symbol.asyncDispose]();
  await worker[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

const acme = () => rig.acme.context;
const bundleWith = (id: string, revision = 1) =>
  eventually(
    async () => {
      const bundle = await node.bundle(acme().tenantId);
      return bundle?.pipelines.some((item) => item.pipelineId === id && item.revision === revision) ? bundle : false;
    },
    { what: `revision ${revision} in the bundle` },
  );

describe('the relay', () => {
  it('brings a published revision to the nodes: signed bundle, head that names it, and a grant that only this node can open', async () => {
    const { tenantId, platform } = acme();
    const { id } = await publishedPipeline(rig.acme);
    const bundle = await bundleWith(id);
    const head = await eventually(async () => {
      const standing = await node.head();
      return standing?.tenants[tenantId]?.generation === bundle.generation ? standing : false;
    });
    const row = await rig.platformDb.prisma.bundle.findFirstOrThrow({ where: { tenantId } });
    expect(head.tenants[tenantId]).toEqual({ epoch: 1, generation: bundle.generation, hash: row.hash });
    expect(contentHash(JSON.parse(row.envelope).payload)).toBe(row.hash);
    const grant = await eventually(async () => (await node.grant(tenantId)) ?? false);
    expect(node.proofKey(grant)).toEqual(deriveProofKey(platform.kek, tenantId));
    await eventually(async () => (await rig.platformDb.prisma.outbox.count()) === 0, { what: 'an empty outbox' });
    await eventually(async () => (await worker.metric('vrsky_config_generation_desired{pool="shared"}')) === head.generation);
  });

  it('gives a pipeline with strict order a queue that hands out one pack at a time, and lets go when it is not strict any more', async () => {
    const nc = await rig.bus.tenant(rig.acme.account);
    const atOnce = async (pipelineId: string) => {
      const answer = await nc.request(`$JS.API.CONSUMER.INFO.${streamNames.ingest}.${consumerNames.ordered(pipelineId)}`, '');
      return answer.json<{ config?: { max_ack_pending: number } }>().config?.max_ack_pending ?? null;
    };
    const { id, draftVersion } = await publishedPipeline(rig.acme, 'In order', { order: 'strict' });
    await bundleWith(id);
    expect(await atOnce(id)).toBe(1);
    const { draft } = await getPipeline(acme(), { id });
    const [{ order: _order, ...destination }] = draft.destinations as [(typeof draft.destinations)[number]];
    const saved = await saveDraft(acme(), { id, draftVersion, draft: { ...draft, destinations: [destination] } });
    expect(await publishPipeline(acme(), { id, draftVersion: saved.draftVersion })).toMatchObject({ ok: true });
    await bundleWith(id, 2);
    expect(await atOnce(id)).toBe(1_024);
    const { id: other } = await publishedPipeline(rig.acme, 'In any order');
    await bundleWith(other);
    expect(await atOnce(other)).toBeNull();
  });

  it('grants a new node every tenant of its pool, without anybody publishing', async () => {
    await using second = await enrolTestNode(rig.platformDb, rig.db, acme().platform, 'node-2');
    for (const tenant of [rig.acme, rig.globex]) await eventually(async () => (await second.grant(tenant.context.tenantId)) !== null, { what: 'the grant' });
  });

  it('puts back what NATS has lost', async () => {
    const { tenantId } = acme();
    const bucket = createConfigBucket(await rig.bus.control(), acme().platform.nats);
    const { value } = (await bucket.get(configKeys.bundle('shared', tenantId))) ?? {};
    await bucket.delete(configKeys.bundle('shared', tenantId));
    await bucket.delete(configKeys.head('shared'));
    // A reconnect makes it look at once; without one it looks every half minute.
    await rig.platformDb.pool.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vrsky worker leader'");
    await eventually(async () => (await bucket.get(configKeys.bundle('shared', tenantId)))?.value === value, {
      timeoutMs: 20_000,
      what: 'the bundle to be back',
    });
    await eventually(async () => (await node.head()) !== null, { what: 'the head to be back' });
  });

  it('signs everything anew when the epoch is raised', async () => {
    const { tenantId } = acme();
    await rig.platformDb.pool.query('UPDATE platform_state SET epoch = epoch + 1');
    await rig.platformDb.pool.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vrsky worker leader'");
    await eventually(async () => (await node.bundle(tenantId))?.epoch === 2 && (await node.head())?.tenants[tenantId]?.epoch === 2, {
      timeoutMs: 20_000,
      what: 'epoch 2',
    });
  });
});

describe('enrolment', () => {
  const request = (token: string, key: string) => ({ token, name: 'n', version: '1', identityKey: `U${key.repeat(55)}`, sealKey: 'A'.repeat(43) });
  const enrol = (token: string, key: string) => enrolNode({ db: rig.db, platform: acme().platform }, request(token, key));

  it('lets one node in with a token, however many come at once', async () => {
    const { token } = await createJoinToken(rig.platformDb, { pool: 'elsewhere' });
    const keys = Array.from({ length: 6 }, () => createUserKey()).map((key) => key.publicKey);
    const tries = await Promise.allSettled(
      keys.map((identityKey) => enrolNode({ db: rig.db, platform: acme().platform }, { ...request(token, 'A'), identityKey })),
    );
    expect(tries.filter((item) => item.status === 'fulfilled')).toHaveLength(1);
    expect(tries.filter((item) => item.status === 'rejected').map((item) => (item.reason as { code: string }).code)).toEqual(
      Array.from({ length: 5 }, () => 'NODE.TOKEN_REFUSED'),
    );
    expect(await rig.platformDb.prisma.node.count({ where: { pool: 'elsewhere' } })).toBe(1);

    // The node that got in may ask again: its first answer may have been lost.
    const winner = keys[tries.findIndex((item) => item.status === 'fulfilled')] as string;
    const again = await enrolNode({ db: rig.db, platform: acme().platform }, { ...request(token, 'A'), identityKey: winner });
    expect(tries.find((item) => item.status === 'fulfilled')?.value.nodeId).toBe(again.nodeId);
  });

  it('gives a node that comes with a new token and its old keys the identity it had, and nobody else', async () => {
    const identityKey = createUserKey().publicKey;
    const token = async (pool = 'elsewhere') => (await createJoinToken(rig.platformDb, { pool })).token;
    const enrolWith = async (joinToken: string, more: object = {}) =>
      enrolNode({ db: rig.db, platform: acme().platform }, { ...request(joinToken, 'A'), identityKey, ...more });
    const first = await enrolWith(await token());
    expect((await enrolWith(await token())).nodeId).toBe(first.nodeId);
    await expect(enrolWith(await token(), { sealKey: 'B'.repeat(43) })).rejects.toMatchObject({ code: 'NODE.TOKEN_REFUSED' });
    await expect(enrolWith(await token('third'))).rejects.toMatchObject({ code: 'NODE.TOKEN_REFUSED' });
    const used = await token();
    await enrolWith(used, { identityKey: createUserKey().publicKey });
    await expect(enrolWith(used)).rejects.toMatchObject({ code: 'NODE.TOKEN_REFUSED' });
  });

  it('refuses a token that is unknown or expired', async () => {
    const { token } = await createJoinToken(rig.platformDb, { pool: 'elsewhere', validMs: -1 });
    await expect(enrol(token, 'B')).rejects.toMatchObject({ code: 'NODE.TOKEN_REFUSED', kind: 'unauthenticated' });
    await expect(enrol('vrsky_join_guessed_guessed', 'B')).rejects.toMatchObject({ code: 'NODE.TOKEN_REFUSED' });
  });
});

describe('the tick of a node', () => {
  const tick = async (id: string, state: string) =>
    eventually(
      async () => {
        const [view] = (await rollout(acme(), { id })).filter((item) => item.nodeId === node.enrolment.nodeId);
        return view?.state === state ? view : false;
      },
      { what: `the tick ${state}` },
    );

  it('goes from sent over received to applied, and the pipeline from rolling out to running', async () => {
    await node.lease();
    const { id } = await publishedPipeline(rig.acme, 'Ticks');
    await tick(id, 'sent');
    expect((await getPipeline(acme(), { id })).state).toBe('rolling_out');
    const bundle = await bundleWith(id);
    await node.report(acme().tenantId, { received: { epoch: bundle.epoch, generation: bundle.generation } });
    await tick(id, 'received');
    await node.apply(acme().tenantId, bundle);
    await tick(id, 'applied');
    await eventually(async () => (await getPipeline(acme(), { id })).state === 'running');
    expect((await listNodes(acme())).find((view) => view.id === node.enrolment.nodeId)).toMatchObject({
      liveness: 'live',
      desired: { generation: bundle.generation },
      applied: { generation: bundle.generation },
    });
  });

  it('is rejected with the reason, and says silent when the node falls silent', async () => {
    const { id } = await publishedPipeline(rig.acme, 'Refused');
    const bundle = await bundleWith(id);
    await node.report(acme().tenantId, {
      rejected: { epoch: bundle.epoch, generation: bundle.generation, code: 'BUNDLE.X', reason: 'The signature does not match.', at: new Date().toISOString() },
    });
    expect(await tick(id, 'rejected')).toMatchObject({ reason: 'The signature does not match.' });
    await node.apply(acme().tenantId, bundle);
    await tick(id, 'applied');
    await rig.platformDb.pool.query("UPDATE node SET lease_at = now() - interval '30 seconds' WHERE id = $1", [node.enrolment.nodeId]);
    await tick(id, 'silent');
    await eventually(async () => (await worker.metric('vrsky_nodes{liveness="silent"}')) === 1);
    await node.lease({ stopping: true });
    await eventually(async () => (await listNodes(acme())).find((view) => view.id === node.enrolment.nodeId)?.liveness === 'gone');
  });

  it("is not another tenant's: what a node says about one tenant is not seen by the other", async () => {
    const views = await listNodes(rig.globex.context);
    expect(views.find((view) => view.id === node.enrolment.nodeId)?.pipelines).toEqual([]);
  });
});

describe('the projector', () => {
  const record = (tenant: TestTenant, pipelineId: string, ids: string[], destination: TrailDestination, nowMs = Date.now()): TrailRecord => ({
    v: 1,
    nodeId: node.enrolment.nodeId,
    tenantId: tenant.context.tenantId,
    pipelineId,
    revision: 1,
    atMs: nowMs,
    messages: ids.map((id, index) => ({
      ...{ id, seq: 7, index, receivedAtMs: receivedAtMs(id), storedAtMs: receivedAtMs(id) + 1, bytes: 2, contentType: 'application/json', traceId: 'trace' },
      steps: [{ id: 'reshape', instructions: 1_000, durationUs: 10, result: 'ok' as const }],
      destinations: [destination],
    })),
  });
  /** A message's time of receipt never changes from one record to the next. */
  const times = new Map<string, number>();
  const receivedAtMs = (id: string): number => times.get(id) ?? (times.set(id, Date.now()).get(id) as number);
  const delivered = (attempt = 1): TrailDestination => ({
    id: 'out',
    state: 'delivered',
    attempt,
    startedAtMs: Date.now(),
    durationUs: 1_000,
    peerStatus: 200,
  });
  const messageOf = (id: string) => rig.platformDb.prisma.message.findFirst({ where: { id } });
  const countsOf = async (pipelineId: string) => {
    const { _sum } = await rig.platformDb.prisma.messageMinute.aggregate({
      where: { pipelineId },
      _sum: { delivered: true, filtered: true, deadLettered: true, retrying: true, expired: true },
    });
    return _sum;
  };

  it('shows a message, counts it in its minute and tells the pages', async () => {
    const { id: pipelineId } = await publishedPipeline(rig.acme, 'Projected');
    const listener = new pg.Client({ connectionString: rig.db.url });
    await listener.connect();
    const notices: unknown[] = [];
    listener.on('notification', ({ payload }) => notices.push(JSON.parse(payload ?? '')));
    await listener.query(`LISTEN ${LIVE_CHANNEL}`);
    await node.writeTrail(acme().tenantId, record(rig.acme, pipelineId, [newId('msg')], delivered())); // opens the connection
    const id = newId('msg');
    await node.writeTrail(acme().tenantId, record(rig.acme, pipelineId, [id], delivered()));
    const row = await eventually(async () => (await messageOf(id)) ?? false, { timeoutMs: 5_000 });
    expect(row).toMatchObject({
      tenantId: acme().tenantId,
      pipelineId,
      state: 'delivered',
      attempts: 1,
      traceId: 'trace',
      seq: 7n,
      steps: [{ id: 'reshape', instructions: 1_000, result: 'ok', durationUs: 10 }],
    });
    expect((await getPipeline(acme(), { id: pipelineId })).perMinute.reduce((sum, point) => sum + point.delivered, 0)).toBe(2);
    expect((await getPipeline(acme(), { id: pipelineId })).lastMessageAt).toBe(row.receivedAt.toISOString());
    await eventually(() => notices.some((notice) => JSON.stringify(notice) === JSON.stringify({ tenantId: acme().tenantId, kind: 'messages', pipelineId })));
    await listener.end();
  });

  it('follows a message through its attempts to the dead letter, and counts it once, whatever comes twice', async () => {
    const { tenantId } = acme();
    const { id: pipelineId } = await publishedPipeline(rig.acme, 'Failing');
    const id = newId('msg');
    const first = record(rig.acme, pipelineId, [id], {
      id: 'out',
      state: 'retrying',
      attempt: 1,
      startedAtMs: Date.now(),
      peerStatus: 500,
      reason: 'It answered 500.',
      code: 'http_500',
    });
    await node.writeTrail(tenantId, first);
    await eventually(async () => (await messageOf(id))?.state === 'retrying');
    expect(await countsOf(pipelineId)).toMatchObject({ retrying: 1, deadLettered: 0 });
    const last = record(rig.acme, pipelineId, [id], {
      id: 'out',
      state: 'dead_lettered',
      attempt: 2,
      startedAtMs: Date.now(),
      peerStatus: 500,
      reason: 'It answered 500. That was the last attempt.',
      code: 'http_500',
      dlqSeq: 42,
    });
    for (const again of [last, first, last]) await node.writeTrail(tenantId, again);
    const row = await eventually(async () => {
      const found = await messageOf(id);
      return found?.state === 'dead_lettered' ? found : false;
    });
    expect(row).toMatchObject({ attempts: 2, reason: 'It answered 500. That was the last attempt.' });
    expect(row.destinations).toMatchObject([{ id: 'out', state: 'dead_lettered', attempts: [{ attempt: 1 }, { attempt: 2 }] }]);
    expect(await rig.platformDb.prisma.deadLetter.findMany({ where: { messageId: id } })).toMatchObject([
      { destinationId: 'out', attempts: 2, code: 'http_500', dlqSeq: 42n, peerStatus: 500 },
    ]);
    expect(await countsOf(pipelineId)).toEqual({ delivered: 0, filtered: 0, deadLettered: 1, retrying: 0, expired: 0 });

    const again = newId('msg');
    const resent = record(rig.acme, pipelineId, [again], delivered());
    for (const message of resent.messages) message.replayOf = 42;
    await node.writeTrail(tenantId, resent);
    await eventually(async () => (await messageOf(again))?.replayOf === id, { what: 'the message to name the one it replays' });
  });

  it('says of a destination that it fails, since when and how many wait; that it catches up; and that it has', async () => {
    const { tenantId } = acme();
    const { id: pipelineId } = await publishedPipeline(rig.acme, 'Down');
    const waiting = async (tenant = rig.acme, tenantSlug = 'acme') =>
      (await trpc('query', 'messages.waiting', { input: { pipelineId }, tenant: tenantSlug, cookie: tenant.cookie })).data as DestinationHealth[];
    const [early, late] = [newId('msg'), newId('msg')];
    const startMs = Date.now() - 60_000;
    const failed = (id: string, attempt: number, afterMs: number): TrailRecord => ({
      ...record(rig.acme, pipelineId, [id], {
        ...{ id: 'out', state: 'retrying', attempt, startedAtMs: startMs + afterMs, code: 'connect_refused', reason: 'Nothing accepts connections.' },
        nextAtMs: startMs + afterMs + 90_000,
      }),
      atMs: startMs + afterMs,
    });
    expect(await waiting()).toEqual([]);
    for (const one of [failed(early, 1, 0), failed(late, 1, 5_000), failed(early, 2, 10_000)]) await node.writeTrail(tenantId, one);
    const down = await eventually(async () => (await waiting()).find(({ failure }) => failure?.at === new Date(startMs + 10_000).toISOString()) ?? false);
    const at = (ms: number) => new Date(startMs + ms).toISOString();
    expect(down).toEqual({
      ...{ destinationId: 'out', state: 'failing', waiting: 2, moreWait: false, since: at(0), nextAt: at(95_000), deliveredAt: null, caughtUp: 0, dead: null },
      failure: { at: at(10_000), code: 'connect_refused', reason: 'Nothing accepts connections.', peerStatus: null },
    });
    expect(await waiting(rig.globex, 'globex')).toEqual([]);
    expect((await rest('GET', `/pipelines/${pipelineId}/waiting`, { key: rig.acme.apiKey })).body).toEqual({ items: [down] });
    expect((await rest('GET', `/pipelines/${pipelineId}/waiting`, { key: rig.globex.apiKey })).status).toBe(404);
    await node.writeTrail(tenantId, record(rig.acme, pipelineId, [early], delivered(3)));
    await eventually(async () => (await waiting())[0]?.state === 'recovering');
    expect(await waiting()).toMatchObject([{ waiting: 1, caughtUp: 1, since: at(5_000) }]);
    await node.writeTrail(tenantId, record(rig.acme, pipelineId, [late], delivered(2)));
    await eventually(async () => (await waiting())[0]?.state === 'recovered');
    expect(await waiting()).toMatchObject([{ waiting: 0, caughtUp: 2, since: null, nextAt: null, failure: null }]);
    const [dead, inStep] = [newId('msg'), newId('msg')];
    await node.writeTrail(
      tenantId,
      record(rig.acme, pipelineId, [inStep], { id: 'out', state: 'dead_lettered', attempt: 0, code: 'step_failed', reason: 'It threw.', dlqSeq: 44 }),
    );
    await node.writeTrail(
      tenantId,
      record(rig.acme, pipelineId, [dead], { id: 'out', state: 'dead_lettered', attempt: 1, code: 'http_404', reason: 'There is nothing.', dlqSeq: 43 }),
    );
    await eventually(async () => (await waiting())[0]?.state === 'failing');
    expect(await waiting()).toMatchObject([{ waiting: 0, dead: { count: 1, reason: 'There is nothing.' } }]);
  });

  it('knows of an answer to which message it is, also after further attempts, and of the message what its answer became', async () => {
    const { tenantId } = acme();
    const { id: pipelineId } = await publishedPipeline(rig.acme, 'Answered');
    const id = newId('msg');
    const answer = answerId(id, 'out');
    await node.writeTrail(tenantId, record(rig.acme, pipelineId, [id], { ...delivered(), answerId: answer }));
    const answerOf = { messageId: id, destinationId: 'out' };
    const passes = [
      record(rig.acme, pipelineId, [answer], { id: 'next', state: 'retrying', attempt: 1, startedAtMs: Date.now() }),
      record(rig.acme, pipelineId, [answer], { ...delivered(), id: 'next', attempt: 2 }),
    ];
    for (const pass of passes) {
      for (const message of pass.messages) Object.assign(message, { answerOf, receivedAtMs: passes[0]?.messages[0]?.receivedAtMs });
      await node.writeTrail(tenantId, pass);
    }
    await eventually(async () => (await messageOf(answer))?.state === 'delivered', { what: 'the second attempt' });
    expect(await getMessage(acme(), { id: answer })).toMatchObject({ isAnswer: true, answerOf });
    expect(await getMessage(acme(), { id })).toMatchObject({ isAnswer: false, answerOf: null, destinations: [{ answerId: answer }] });
    const listed = async (of: string | null) => (await listMessages(acme(), { pipelineId, answerOf: of, limit: 10 })).items.map((item) => item.id);
    expect([await listed(null), await listed('out'), await listed('next')]).toEqual([[id], [answer], []]);
  });

  it('does not take messages that wait for their turn in strict order for a destination that fails, and counts them where one does', async () => {
    const { tenantId } = acme();
    const { id: pipelineId } = await publishedPipeline(rig.acme, 'In turn', { order: 'strict' });
    const waiting = async () =>
      (await trpc('query', 'messages.waiting', { input: { pipelineId }, tenant: 'acme', cookie: rig.acme.cookie })).data as DestinationHealth[];
    const [first, second] = [newId('msg'), newId('msg')];
    const startMs = Date.now() - 10_000;
    const turn: TrailDestination = { id: 'out', state: 'retrying', attempt: 0, code: 'waits_in_order', reason: 'It waits for its turn.' };
    await node.writeTrail(tenantId, { ...record(rig.acme, pipelineId, [first, second], turn), atMs: startMs });
    await eventually(async () => (await messageOf(second)) !== null);
    expect(await waiting()).toEqual([]);
    const failure = {
      id: 'out',
      state: 'retrying',
      attempt: 1,
      startedAtMs: startMs - 1_000,
      code: 'http_503',
      reason: 'It answered 503.',
      behind: 1,
    } as const;
    await node.writeTrail(tenantId, { ...record(rig.acme, pipelineId, [first], failure), atMs: startMs - 900 });
    const [health] = await eventually(async () => ((await waiting()).length > 0 ? waiting() : false));
    expect(health).toMatchObject({ state: 'failing', waiting: 2, failure: { code: 'http_503' }, since: new Date(startMs - 1_000).toISOString() });
    for (const id of [first, second]) await node.writeTrail(tenantId, record(rig.acme, pipelineId, [id], delivered(id === first ? 2 : 1)));
    await eventually(async () => (await waiting())[0]?.state === 'recovered');
    expect(await waiting()).toMatchObject([{ waiting: 0, caughtUp: 1 }]);
  });

  it('takes what it can from records that are broken, lie in the wrong stream or hold what Postgres refuses', async () => {
    const { tenantId } = acme();
    const { id: pipelineId } = await publishedPipeline(rig.acme, 'Broken');
    const good = newId('msg');
    await node.writeTrail(tenantId, { nonsense: true, pipelineId, messages: [] } as unknown as TrailRecord);
    await node.writeTrail(tenantId, record(rig.globex, pipelineId, [newId('msg')], delivered()));
    await node.writeTrail(tenantId, record(rig.acme, newId('pip'), [newId('msg')], delivered()));
    const tooLarge = record(rig.acme, pipelineId, [newId('msg')], delivered());
    for (const message of tooLarge.messages) message.bytes = 2 ** 40;
    await node.writeTrail(tenantId, tooLarge);
    await node.writeTrail(tenantId, record(rig.acme, pipelineId, [good], { ...delivered(), peerAnswer: 'nul \0 and half \ud800' }));
    const row = await eventually(async () => (await messageOf(good)) ?? false);
    expect(JSON.stringify(row.destinations)).toContain('nul \ufffd and half \ufffd');
    expect(await rig.platformDb.prisma.message.count({ where: { pipelineId } })).toBe(1);
    await eventually(async () => (await worker.metric('vrsky_projector_rejected_total{reason="refused"}')) === 1);
    expect(await worker.metric('vrsky_projector_rejected_total{reason="unusable"}')).toBe(2);
    expect(await worker.metric('vrsky_projector_rejected_total{reason="unknown_pipeline"}')).toBe(1);
  });

  it('loses and doubles nothing when the worker is replaced while records come in', async () => {
    const { tenantId } = acme();
    const { id: pipelineId } = await publishedPipeline(rig.acme, 'Moved');
    const ids = Array.from({ length: 300 }, () => newId('msg'));
    for (const id of ids.slice(0, 150)) await node.writeTrail(tenantId, record(rig.acme, pipelineId, [id], delivered()));
    await worker[Symbol.asyncDispose]();
    for (const id of ids.slice(150)) await node.writeTrail(tenantId, record(rig.acme, pipelineId, [id], delivered()));
    worker = await startWorker(rig);
    await eventually(async () => (await rig.platformDb.prisma.message.count({ where: { pipelineId } })) === 300, {
      timeoutMs: 30_000,
      what: 'all 300 messages',
    });
    expect(await countsOf(pipelineId)).toEqual({ delivered: 300, filtered: 0, deadLettered: 0, retrying: 0, expired: 0 });
    await eventually(async () => (await worker.metric('vrsky_projector_lag_seconds')) === 0);
  });
});

describe('what connectors were asked', () => {
  const minuteMs = Math.floor(Date.now() / 60_000) * 60_000;
  const configure = '/vrsky.connector.v1.Connector/Configure';
  const send = '/vrsky.connector.v1.Connector/Send';
  const tally = (method: string, more: Partial<CallTally> = {}): CallTally => ({
    ...{ method, calls: 1, refused: 0, results: { OK: 1 }, requestBytes: 100, responseBytes: 10, sent: 0, received: 0, totalUs: 2_000, maxUs: 2_000 },
    ...more,
  });
  const record = (more: Partial<ConnectorCalls> = {}): ConnectorCalls => ({
    ...{ v: 1, nodeId: node.enrolment.nodeId, tenantId: acme().tenantId, connector: 'echo', version: '1.0.0', digest: `sha256:${'a'.repeat(64)}` },
    ...{ processId: 'p1', shared: false, minuteMs, revision: 1, methods: [tally(configure)], events: [] },
    ...more,
  });
  const started = { atMs: minuteMs + 1, kind: 'started' as const, version: '1.0.0', reason: 'The connector was started.' };
  const ended = { atMs: minuteMs + 2, kind: 'ended' as const, version: '1.0.0', reason: 'It ended by itself (status 7).' };
  const refusal: SourceRefusal = { pipelineId: 'pl_1', sourceId: 'source', reason: 'signature_mismatch', count: 1, atMs: minuteMs + 3 };
  const minutesOf = (connector: string) => rig.platformDb.prisma.connectorMinute.findMany({ where: { connector }, orderBy: { processId: 'asc' } });
  const rejected = (reason: string) => worker.metric(`vrsky_projector_rejected_total{reason="${reason}"}`);
  /** The next record is in the tables: those before it were looked at. */
  const settled = async (): Promise<void> => {
    const processId = newId('msg');
    await node.writeCalls(acme().tenantId, record({ connector: 'settled', processId }));
    await eventually(async () => (await rig.platformDb.prisma.connectorMinute.count({ where: { processId } })) === 1);
  };

  it('is in the tables as the latest word of each minute says, whatever comes twice or late; events are told once', async () => {
    const { tenantId } = acme();
    const listener = new pg.Client({ connectionString: rig.db.url });
    await listener.connect();
    const notices: unknown[] = [];
    listener.on('notification', ({ payload }) => notices.push(JSON.parse(payload ?? '')));
    await listener.query(`LISTEN ${LIVE_CHANNEL}`);
    const first = record({ events: [started] });
    const third = record({ revision: 3, methods: [tally(configure, { calls: 3, results: { OK: 2, UNAVAILABLE: 1 } })], events: [started, ended] });
    for (const one of [first, third, record({ revision: 2, methods: [tally(configure, { calls: 2 })], events: [started] }), first, third])
      await node.writeCalls(tenantId, one);
    await settled();
    expect(await minutesOf('echo')).toMatchObject([{ tenantId, revision: 3, processId: 'p1', shared: false, methods: [{ calls: 3 }] }]);
    const events = await rig.platformDb.prisma.connectorEvent.findMany({ where: { connector: 'echo' }, orderBy: { at: 'asc' } });
    expect(events.map(({ kind, reason }) => [kind, reason])).toEqual([
      ['started', 'The connector was started.'],
      ['ended', 'It ended by itself (status 7).'],
    ]);
    expect(notices).toContainEqual({ tenantId, kind: 'calls' });
    await listener.end();
  });

  it('of requests that sources refused is counted by reason, with the last time, for the pipeline’s page; not yesterday’s, nor another tenant’s', async () => {
    const { tenantId } = acme();
    const { id: pipelineId } = await rig.platformDb.prisma.pipeline.findFirstOrThrow({ where: { tenantId } });
    const refused = (count: number, more: Partial<SourceRefusal> = {}): SourceRefusal => ({ ...refusal, pipelineId, count, ...more });
    const of = { connector: 'refusing', processId: 'refusing', events: [] };
    await node.writeCalls(tenantId, record({ ...of, refusals: [refused(2)] }));
    await node.writeCalls(
      tenantId,
      record({ ...of, revision: 2, refusals: [refused(5, { atMs: minuteMs + 9 }), refused(1, { reason: 'timestamp_too_old' })] }),
    );
    await node.writeCalls(tenantId, record({ ...of, refusals: [refused(2), refused(3)] }));
    await node.writeCalls(tenantId, record({ ...of, minuteMs: minuteMs - 60_000, refusals: [refused(10, { atMs: minuteMs - 1 })] }));
    const dayMs = 86_400_000;
    await node.writeCalls(tenantId, record({ ...of, minuteMs: minuteMs - dayMs - 60_000, refusals: [refused(100, { atMs: minuteMs - dayMs - 1 })] }));
    await settled();
    const ask = { input: { pipelineId }, tenant: 'acme', cookie: rig.acme.cookie };
    const expected = [
      { sourceId: 'source', reason: 'signature_mismatch', count: 15, lastAt: new Date(minuteMs + 9).toISOString() },
      { sourceId: 'source', reason: 'timestamp_too_old', count: 1, lastAt: new Date(minuteMs + 3).toISOString() },
    ];
    expect((await trpc('query', 'connectors.refusals', ask)).data).toEqual(expected);
    expect((await rest('GET', `/pipelines/${pipelineId}/refusals`, { key: rig.acme.apiKey })).body).toEqual({ items: expected });
    expect((await rest('GET', `/pipelines/${pipelineId}/refusals`, { key: rig.globex.apiKey })).status).toBe(404);
    expect((await trpc('query', 'connectors.refusals', { ...ask, tenant: 'globex', cookie: rig.globex.cookie })).data).toEqual([]);
  });

  it('is not believed of another tenant, another node, a node of another pool, another time, or in another shape; the next record is', async () => {
    const { tenantId, platform } = acme();
    const [unusable, foreign] = [await rejected('unusable'), await rejected('foreign_node')].map((count) => count || 0) as [number, number];
    const stranger = newId('nod');
    await rig.platformDb.prisma.node.create({
      data: { id: stranger, name: 'n', pool: 'elsewhere', version: '1', identityKey: `U${'Q'.repeat(55)}`, sealKey: 'A'.repeat(43) },
    });
    const lies: [ConnectorCalls, string?][] = [
      [record({ connector: 'lie', tenantId: rig.globex.context.tenantId })],
      [record({ connector: 'lie', minuteMs: minuteMs + 1 })],
      [record({ connector: 'lie', minuteMs: minuteMs + 86_400_000 })],
      [record({ connector: 'lie', minuteMs: minuteMs - 40 * 86_400_000 })],
      [record({ connector: 'lie', events: [{ ...started, atMs: 1 }] })],
      [record({ connector: 'lie', methods: [{ ...tally(configure), payload: 'x' } as CallTally] })],
      [record({ connector: 'lie', nodeId: stranger })],
    ];
    lies.push([record({ connector: 'lie', refusals: [{ ...refusal, atMs: 1 }] })], [record({ connector: 'lie', refusals: [{ ...refusal, reason: 'A b' }] })]);
    for (const [lie] of lies) await node.writeCalls(tenantId, lie);
    await expect(node.writeCalls(tenantId, record({ connector: 'lie', nodeId: stranger }), stranger)).rejects.toMatchObject({ code: 'BUS.UNAVAILABLE' });
    // What the server would not let through is written by somebody with all rights.
    const publisher = createStreamPublisher(
      await rig.bus.tenant(openTenantAccount(platform.kek, await rig.platformDb.prisma.tenant.findUniqueOrThrow({ where: { id: tenantId } }))),
      { timeoutMs: 5_000 },
    );
    await publisher.publish(subjects.calls(stranger), {}, Buffer.from(JSON.stringify(record({ connector: 'lie', nodeId: stranger }))));
    publisher.close();
    await settled();
    expect(await minutesOf('lie')).toEqual([]);
    await eventually(async () => (await rejected('unusable')) === unusable + lies.length);
    await eventually(async () => (await rejected('foreign_node')) === foreign + 1);
  });

  it('is answered by tRPC and by REST, by method, minute and process, newest event first, to nobody but its tenant', async () => {
    const { tenantId } = acme();
    const shared = { connector: 'http', shared: true, processId: 'p2' };
    await node.writeCalls(
      tenantId,
      record({ ...shared, minuteMs: minuteMs - 60_000, methods: [tally(send, { results: {}, sent: 5, requestBytes: 500, responseBytes: 0 })] }),
    );
    await node.writeCalls(
      tenantId,
      record({
        ...shared,
        methods: [
          tally(configure, { requestBytes: 0, responseBytes: 0, totalUs: 4_000, maxUs: 4_000 }),
          tally('/evil/Call', { calls: 0, refused: 2, results: {}, totalUs: 0, maxUs: 0, requestBytes: 0, responseBytes: 0 }),
        ],
        events: [started, ended],
      }),
    );
    await node.writeCalls(
      tenantId,
      record({
        connector: 'http',
        processId: 'p3',
        methods: [tally(configure, { calls: 3, results: { OK: 2, UNAVAILABLE: 1 }, totalUs: 8_000, maxUs: 6_000 })],
      }),
    );
    await settled();
    const { data } = await trpc('query', 'connectors.calls', { cookie: rig.acme.cookie, tenant: 'acme', input: { connector: 'http' } });
    expect(data).toMatchObject({
      connector: 'http',
      truncated: false,
      perMinute: [
        { at: new Date(minuteMs - 60_000).toISOString(), calls: 1, sent: 5 },
        { at: new Date(minuteMs).toISOString(), calls: 4, refused: 2, sent: 0 },
      ],
      methods: [
        { method: '/evil/Call', calls: 0, refused: 2, meanUs: null, maxUs: null, requestBytes: null },
        { method: configure, stream: false, calls: 4, results: { OK: 3, UNAVAILABLE: 1 }, requestBytes: 100, meanUs: 3_000, maxUs: 6_000 },
        { method: send, stream: true, calls: 1, results: {}, sent: 5, requestBytes: 500, meanUs: null },
      ],
      processes: [
        { processId: expect.stringMatching(/p[23]/), nodeName: 'node-1', version: '1.0.0' },
        { processId: expect.stringMatching(/p[23]/), nodeName: 'node-1' },
      ],
      events: [{ kind: 'ended' }, { kind: 'started', nodeName: 'node-1' }],
    });
    const { body, status } = await rest('GET', '/connectors/http/calls?minutes=60', { key: rig.acme.apiKey });
    expect({ status, body: connectorCallsSchema.parse(body) }).toEqual({ status: 200, body: { ...(data as object), asOf: expect.any(String) } });
    const until = new Date(minuteMs - 60_000).toISOString();
    const earlier = await rest('GET', `/connectors/http/calls?minutes=1&until=${until}`, { key: rig.acme.apiKey });
    expect(earlier.body).toMatchObject({ from: until, to: new Date(minuteMs).toISOString(), methods: [{ method: send }], events: [] });

    const other = await rest('GET', '/connectors/http/calls', { key: rig.globex.apiKey });
    expect(other).toMatchObject({ status: 200, body: { perMinute: [], methods: [], processes: [], events: [] } });
    for (const path of ['/connectors/http/calls?minutes=61', '/connectors/http/calls?minutes=0', '/connectors/http/calls?until=yesterday'])
      expect((await rest('GET', path, { key: rig.acme.apiKey })).status, path).toBe(400);
    expect((await rest('GET', '/connectors/No%20Name/calls', { key: rig.acme.apiKey })).status).toBe(400);
  });

  it('is forgotten with the trail', async () => {
    const { tenantId } = acme();
    const old = new Date(minuteMs - 40 * 86_400_000);
    const key = { tenantId, nodeId: node.enrolment.nodeId, processId: 'old', connector: 'old', version: '1', digest: 'd' };
    await rig.platformDb.prisma.connectorMinute.create({ data: { ...key, minute: old, shared: false, revision: 1, methods: [] } });
    await rig.platformDb.prisma.connectorEvent.create({ data: { ...key, minute: old, idx: 0, at: old, kind: 'started', reason: 'r' } });
    const client = await rig.platformDb.pool.connect();
    try {
      await createPartitions().turn(client, Date.now());
    } finally {
      client.release();
    }
    expect(await rig.platformDb.prisma.connectorMinute.count({ where: { connector: 'old' } })).toBe(0);
    expect(await rig.platformDb.prisma.connectorEvent.count({ where: { connector: 'old' } })).toBe(0);
    expect(await rig.platformDb.prisma.connectorMinute.count({ where: { connector: 'echo' } })).toBe(1);
  });
});

describe('a deleted pipeline', () => {
  it('lets what it had accepted and not delivered expire, once no node runs it, and tells the trail', async () => {
    const { tenantId } = acme();
    const { id } = await publishedPipeline(rig.acme, 'Deleted', { order: 'strict' });
    const bundle = await bundleWith(id);
    await node.lease({ stopping: false });
    await node.apply(tenantId, bundle);
    const nc = await rig.bus.tenant(rig.acme.account);
    const publisher = createStreamPublisher(nc, { timeoutMs: 5_000 });
    const [waiting, retrying, inOrder] = [newId('msg'), newId('msg'), newId('msg')];
    const answer = answerId(retrying, 'out');
    const entry = (messageId: string) =>
      encodeBatch([
        { messageId, customerId: tenantId, pipelineId: id, receivedAtUs: Date.now() * 1_000, payload: Buffer.from('{}'), contentType: 'application/json' },
      ]);
    await publisher.publish(subjects.ingest(id), { [packHeaders.pack]: '1' }, entry(waiting));
    const headers = { [packHeaders.pack]: '1', [packHeaders.origin]: '3.0', [packHeaders.attempt]: '2', [packHeaders.destination]: 'out' };
    await publisher.publish(subjects.retry(id), headers, entry(retrying));
    const ofAnswer = { [packHeaders.pack]: '1', [packHeaders.answerOf]: 'out', [packHeaders.answerTo]: retrying };
    await publisher.publish(subjects.answer(id), ofAnswer, entry(answer));
    await publisher.publish(subjects.ordered(id), { [packHeaders.pack]: '1', [packHeaders.ordered]: 'out' }, entry(inOrder));
    publisher.close();
    // A node holds it until its time, far from now.
    const held = Promise.withResolvers<void>();
    const consumer = consumePacks(nc, {
      stream: 'RETRY',
      consumer: consumerNames.retry(id),
      maxPacks: 1,
      onError: held.reject,
      onPack: (pack) => {
        pack.nak(3_600_000);
        held.resolve();
      },
    });
    await held.promise;
    await consumer.stop();

    await deletePipeline(acme(), { id });
    await eventually(async () => !(await node.bundle(tenantId))?.pipelines.some((item) => item.pipelineId === id), { what: 'a bundle without it' });
    const retiredAt = async () => (await rig.platformDb.prisma.pipeline.findFirstOrThrow({ where: { id } })).retiredAt;
    expect(await retiredAt(), 'the node still runs it').toBeNull();
    await node.apply(tenantId, (await node.bundle(tenantId)) as NonNullable<Awaited<ReturnType<typeof node.bundle>>>);
    await eventually(async () => (await retiredAt()) !== null, { timeoutMs: 30_000, what: 'it to be retired' });
    for (const [messageId, attempts] of [
      [waiting, 0],
      [retrying, 2],
      [answer, 0],
      [inOrder, 0],
    ] as const) {
      const row = await eventually(async () => (await rig.platformDb.prisma.message.findFirst({ where: { id: messageId } })) ?? false, { what: 'the message' });
      expect(row).toMatchObject({ state: 'expired', attempts, reason: 'The pipeline was deleted before this message was delivered.' });
    }
    await expect(rig.bus.removePipelineConsumer(rig.acme.account, id)).resolves.toBeUndefined();
  });
});

describe('two workers', () => {
  it('take turns: the second stands by until the first is gone', async () => {
    await using second = await startWorker(rig);
    expect(await second.metric('vrsky_worker_leading')).toBe(0);
    expect(await worker.metric('vrsky_worker_leading')).toBe(1);
    await worker[Symbol.asyncDispose]();
    await eventually(async () => (await second.metric('vrsky_worker_leading')) === 1);
    const { id, draftVersion } = await publishedPipeline(rig.acme, 'Handed over');
    await bundleWith(id);
    const { draft } = await getPipeline(acme(), { id });
    const saved = await saveDraft(acme(), { id, draftVersion, draft: { ...draft, source: { ...draft.source, name: 'Renamed' } } });
    expect(await publishPipeline(acme(), { id, draftVersion: saved.draftVersion })).toMatchObject({ ok: true, revision: 2 });
    await bundleWith(id, 2);
    worker = await startWorker(rig);
  });
});
