import { issueTenantJwt } from '@vrsky/bus/admin';
import { createUserKey } from '@vrsky/bus/platform-keys';
import { createStreamPublisher } from '@vrsky/bus/publisher';
import { getStored } from '@vrsky/bus/stored';
import type { TenantStorage } from '@vrsky/bus/stream-configs';
import { answerId } from '@vrsky/contracts/ids';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { streamNames, subjects } from '@vrsky/contracts/subjects';
import { createLog } from '@vrsky/kernel/log';
import { decodeBatch, encodeMessage, joinEntries, splitBatch } from '@vrsky/proto/message-codec';
import { eventually } from '@vrsky/testkit/eventually';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { packHeadersOf } from '../src/core/pack-headers.ts';
import { planPipelines } from '../src/core/pipeline-plan.ts';
import { createDelivery } from '../src/delivery/delivery.ts';
import type { OutgoingMessage, SendOutcome } from '../src/delivery/ports.ts';
import { createIntake } from '../src/ingest/intake.ts';
import { createMetrics } from '../src/metrics.ts';
import { createReplies } from '../src/replies/replies.ts';
import type { Tenant } from '../src/tenant.ts';
import { openTenantBus, type TenantBus } from '../src/tenant-bus.ts';
import { createTracing } from '../src/tracing.ts';
import { type ControlPlane, startControlPlane, type TestPipeline, type TestTenant } from './control-plane.ts';

// Intake and delivery on a real server, with a connector whose every word the test chooses: a real one does not lie.

let plane: ControlPlane;
beforeAll(async () => {
  plane = await startControlPlane();
});
afterAll(() => plane?.[Symbol.asyncDispose]());

const log = createLog('test', 'fatal');
const ok: SendOutcome = {
  status: 'ok',
  source: 'downstream',
  code: '',
  reason: '',
  retryAfterMs: 0,
  peerStatus: 200,
  peerAnswer: Buffer.from('ok'),
  peerAnswerType: 'text/plain',
  peerAnswerCut: false,
  startedAtMs: 1,
  durationUs: 1_000,
};
const failing = (part: Partial<SendOutcome>): SendOutcome => ({
  ...ok,
  status: 'retryable',
  code: 'http_500',
  reason: 'The receiver answered 500.',
  peerStatus: 500,
  ...part,
});

let cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
  cleanups = [];
});

async function path(
  options: {
    send?: (message: OutgoingMessage, call: number) => SendOutcome | Promise<SendOutcome>;
    retry?: { attempts: number; initialMs: number; maxMs: number };
    to?: string[];
    /** Destinations that take the answer of another one. */
    after?: Record<string, string>;
    /** While it says so, no trail is written, and so no pack is acknowledged. */
    holdsTrail?: () => boolean;
    storage?: TenantStorage;
  } = {},
) {
  const test = await plane.addTenant(options.storage);
  const pipeline = await plane.pipeline(test, {
    to: Object.fromEntries(
      (options.to ?? ['out']).map((id) => [id, { url: 'http://127.0.0.1:1/', ...(options.after?.[id] === undefined ? {} : { after: options.after[id] }) }]),
    ),
    ...(options.retry ? { retry: options.retry } : {}),
  });
  const user = createUserKey();
  const nodeId = `nod_${Math.random().toString(36).slice(2, 10)}`;
  const bus = openTenantBus({
    url: plane.nats.url,
    tenantId: test.tenantId,
    nodeId,
    seed: user.seed,
    jwt: await issueTenantJwt(test.accountSeed, { nodeId, pool: 'shared', publicKey: user.publicKey }),
    log,
  });
  const held: TenantBus = {
    ...bus,
    publish: (subject, headers, body) =>
      subject.startsWith('trail.') && options.holdsTrail?.() ? new Promise(() => undefined) : bus.publish(subject, headers, body),
  };
  const tenant: Tenant = { tenantId: test.tenantId, bus: held, stamp: { customerId: test.tenantId, proofKey: test.proofKey } };
  await bus.connected;
  const metrics = createMetrics();
  const tracing = createTracing(false);
  const acks = new Map<number, { status: string; messageId: string; retryAfterMs?: number }>();
  const sent: OutgoingMessage[] = [];
  const replies = createReplies({ nodeId, deliver: () => false, metrics, log });
  const intake = createIntake({ acks: { ack: (seq, status, more) => void acks.set(seq, { status, ...more }) }, replies, metrics, tracing, log });
  const sender = {
    async send(message: OutgoingMessage) {
      sent.push(message);
      return (await options.send?.(message, sent.length)) ?? ok;
    },
  };
  const steps = { run: async () => Promise.reject(new Error('bug: there are no steps')) };
  const delivery = createDelivery({ nodeId, steps, sender, replies, metrics, tracing, log });
  const plansOf = ({ bundlePipeline }: TestPipeline) =>
    planPipelines({ v: 1, tenantId: test.tenantId, pool: 'shared', epoch: 1, generation: 1, issuedAt: '', pipelines: [bundlePipeline] });
  const plans = plansOf(pipeline);
  intake.set(tenant, plans);
  await delivery.set(tenant, plans);
  cleanups.push(async () => {
    await intake.drain?.(AbortSignal.timeout(1_000));
    await delivery[Symbol.asyncDispose]();
    await replies[Symbol.asyncDispose]();
    await bus.close();
  });
  const receive = (entries: { seq: number; body: string; customerId?: string; connectionId?: string; more?: object }[]) => {
    const raws = entries.map(({ seq, body, customerId = '', connectionId = `${pipeline.pipelineId}/in`, more }) =>
      encodeMessage({
        seq,
        connectionId,
        customerId,
        receivedAtUs: Date.now() * 1_000,
        payload: Buffer.from(body),
        contentType: 'text/plain',
        headers: [['x-a', 'b']],
        ...more,
      }),
    );
    intake.receive(splitBatch(joinEntries(raws)));
  };
  const idOf = (seq: number) => eventually(() => acks.get(seq)?.messageId || false) as Promise<string>;
  /** Ends this delivery as a crash would end its work, and lets another one take over. */
  const crash = async () => {
    await delivery[Symbol.asyncDispose]();
    const next = createDelivery({ nodeId, steps, sender, replies, metrics, tracing, log });
    cleanups.push(async () => next[Symbol.asyncDispose]());
    await next.set(tenant, plans);
  };
  /** The next revision, with other destinations. */
  const republish = async (to: string[]) => {
    const next = await plane.pipeline(test, { to: Object.fromEntries(to.map((id) => [id, { url: 'http://127.0.0.1:1/' }])) }, pipeline);
    await delivery.set(tenant, plansOf(next));
  };
  return { tenant: test, republish, bus, pipeline, acks, sent, receive, idOf, metrics, delivery, intake, crash };
}

test('a message is stored before it is acknowledged, delivered once, and its trail says so', async () => {
  const { receive, acks, sent, idOf, tenant, pipeline } = await path();
  receive([{ seq: 7, body: 'hello' }]);
  const id = await idOf(7);
  expect(acks.get(7)?.status).toBe('stored');
  const trail = await plane.waitForOutcome(tenant, id);
  expect(trail).toMatchObject({
    id,
    seq: 1,
    index: 0,
    bytes: 5,
    contentType: 'text/plain',
    destinations: [{ id: 'out', state: 'delivered', attempt: 1, peerStatus: 200, peerAnswer: 'ok' }],
  });
  expect(sent).toMatchObject([
    {
      customerId: tenant.tenantId,
      pipelineId: pipeline.pipelineId,
      connectionId: `${pipeline.pipelineId}/out`,
      messageId: id,
      attempt: 1,
      headers: [['x-a', 'b']],
      contentType: 'text/plain',
    },
  ]);
  expect(Buffer.from(sent[0]?.payload ?? []).toString()).toBe('hello');
});

test('what arrives while a pack is being stored becomes the next pack', async () => {
  const { receive, acks, tenant } = await path();
  receive([{ seq: 1, body: 'a' }]);
  for (let seq = 2; seq <= 300; seq++) receive([{ seq, body: 'x' }]);
  await eventually(() => acks.size === 300);
  await eventually(() => tenant.trail.flatMap(({ messages }) => messages).length === 300);
  const sizes = tenant.trail.map(({ messages }) => messages.length);
  expect(sizes[0]).toBe(1);
  expect(Math.max(...sizes)).toBe(256);
  expect(sizes.length).toBeLessThan(5);
});

test("what a connector writes into a message's ids counts for nothing, and another tenant's name is quarantined", async () => {
  const { receive, acks, sent, idOf, tenant, bus, metrics } = await path();
  receive([
    { seq: 1, body: 'mine', customerId: tenant.tenantId, more: { pipelineId: 'pip_other', messageId: 'msg_mine', destinationId: 'nowhere', attempt: 9 } },
    { seq: 2, body: 'foreign', customerId: 'cus_other' },
    { seq: 3, body: 'nowhere', connectionId: 'pip_gone/in' },
  ]);
  const id = await idOf(1);
  const trail = await plane.waitForOutcome(tenant, id);
  expect(trail.destinations).toMatchObject([{ id: 'out', state: 'delivered', attempt: 1 }]);
  expect(id).not.toBe('msg_mine');
  expect([acks.get(2), acks.get(3)]).toEqual([
    { status: 'not_found', messageId: '' },
    { status: 'not_found', messageId: '' },
  ]);
  const kept = await eventually(async () => (await plane.dlq(tenant, 1)) ?? false);
  expect(kept.subject).toMatch(/^quarantine\./);
  expect(kept.headers[packHeaders.reasonCode]).toBe('foreign_customer_id');
  expect(sent).toHaveLength(1);
  expect(await metrics.quarantined.get()).toMatchObject({ values: [{ value: 1, labels: { hop: 'intake' } }] });
  expect(bus.isUp()).toBe(true);
});

async function publish(pipeline: TestPipeline, tenant: TestTenant, subject: string, headers: Record<string, string>, body: Uint8Array) {
  const nc = await plane.admin.tenant({ tenantId: tenant.tenantId, accountSeed: tenant.accountSeed });
  const publisher = createStreamPublisher(nc, { timeoutMs: 5_000 });
  cleanups.push(async () => publisher.close());
  return publisher.publish(subject || subjects.ingest(pipeline.pipelineId), headers, body);
}

test('a pack without a true proof, or with an entry of another tenant, is set aside and never delivered', async () => {
  const { tenant, pipeline, sent, receive, idOf } = await path();
  const entry = (customerId: string, messageId: string) =>
    encodeMessage({ seq: 1, customerId, pipelineId: pipeline.pipelineId, messageId, payload: Buffer.from('x') });
  const facts = { msgId: 'm', pipelineId: pipeline.pipelineId, revision: 1, connectionId: '', messageIds: ['msg_1'] };
  const forged = packHeadersOf({ customerId: tenant.tenantId, proofKey: Buffer.alloc(32) }, facts);
  await publish(pipeline, tenant, '', { ...forged, [packHeaders.msgId]: 'a' }, joinEntries([entry(tenant.tenantId, 'msg_1')]));
  const honest = packHeadersOf({ customerId: tenant.tenantId, proofKey: tenant.proofKey }, facts);
  await publish(pipeline, tenant, '', { ...honest, [packHeaders.msgId]: 'b' }, joinEntries([entry('cus_other', 'msg_1')]));
  await publish(pipeline, tenant, '', { ...honest, [packHeaders.msgId]: 'c' }, Buffer.from('not a pack'));
  receive([{ seq: 1, body: 'fine' }]);
  await plane.waitForOutcome(tenant, await idOf(1));
  const kept = await eventually(async () => Promise.all([1, 2, 3].map((seq) => plane.dlq(tenant, seq))).then((all) => all.every((one) => one !== null) && all));
  expect(kept.map((one) => one?.headers[packHeaders.reason])).toEqual(
    expect.arrayContaining([expect.stringMatching(/proof/), expect.stringMatching(/cus_other/), expect.stringMatching(/cannot be read/)]),
  );
  expect(sent).toHaveLength(1);
});

test('a failed delivery waits for its time, is tried again alone at its destination, and keeps its first address', async () => {
  const seen: { at: number; to: string; attempt: number }[] = [];
  const { receive, idOf, tenant, sent } = await path({
    to: ['a', 'b'],
    retry: { attempts: 5, initialMs: 400, maxMs: 400 },
    send(message) {
      seen.push({ at: Date.now(), to: message.connectionId.split('/')[1] ?? '', attempt: message.attempt });
      return message.connectionId.endsWith('/b') && message.attempt < 3 ? failing({}) : ok;
    },
  });
  receive([
    { seq: 1, body: 'first' },
    { seq: 2, body: 'second' },
  ]);
  const id = await idOf(2);
  const trail = await plane.waitForOutcome(tenant, id, (message) => message.destinations.some((one) => one.id === 'b' && one.state === 'delivered'));
  await eventually(() => seen.filter(({ to }) => to === 'b').length === 6);
  expect(trail).toMatchObject({ seq: 1, index: 1, destinations: [{ id: 'b', state: 'delivered', attempt: 3 }] });
  const toB = seen.filter(({ to }) => to === 'b');
  expect(seen.filter(({ to }) => to === 'a')).toHaveLength(2);
  expect(toB.map(({ attempt }) => attempt).toSorted()).toEqual([1, 1, 2, 2, 3, 3]);
  const [first, ...rest] = sent.filter((message) => message.messageId === id && message.connectionId.endsWith('/b'));
  for (const again of rest) expect(Buffer.from(again.payload)).toEqual(Buffer.from(first?.payload ?? []));
  const times = toB.map(({ at }) => at);
  expect(Math.max(...times) - Math.min(...times)).toBeGreaterThanOrEqual(400);
  const waiting = tenant.trail
    .flatMap(({ messages }) => messages)
    .find((message) => message.id === id && message.destinations.some(({ state }) => state === 'retrying'));
  expect(waiting?.destinations).toMatchObject([
    { id: 'a', state: 'delivered' },
    { id: 'b', state: 'retrying', attempt: 1, code: 'http_500', nextAtMs: expect.any(Number) },
  ]);
});

test('after the last attempt, and at once for a permanent failure, the message lies in the dead letters as it came in', async () => {
  const { receive, idOf, tenant, pipeline } = await path({
    retry: { attempts: 2, initialMs: 50, maxMs: 50 },
    send: (message) =>
      Buffer.from(message.payload).toString() === 'never'
        ? failing({ status: 'permanent', code: 'http_400', reason: 'The receiver answered 400.', peerStatus: 400, peerAnswer: Buffer.from('no') })
        : failing({}),
  });
  receive([
    { seq: 1, body: 'never' },
    { seq: 2, body: 'again' },
  ]);
  const [never, again] = [await plane.waitForOutcome(tenant, await idOf(1)), await plane.waitForOutcome(tenant, await idOf(2))];
  expect(never.destinations).toMatchObject([
    { state: 'dead_lettered', attempt: 1, code: 'http_400', peerStatus: 400, peerAnswer: 'no', reason: 'The receiver answered 400.' },
  ]);
  expect(again.destinations).toMatchObject([{ state: 'dead_lettered', attempt: 2, code: 'http_500', reason: expect.stringMatching(/attempt 2 of 2/) }]);
  const letter = await plane.dlq(tenant, again.destinations[0]?.dlqSeq ?? 0);
  expect(letter?.subject).toBe(subjects.dlq(pipeline.pipelineId));
  expect(letter?.headers).toMatchObject({
    [packHeaders.destination]: 'out',
    [packHeaders.attempt]: '2',
    [packHeaders.reasonCode]: 'http_500',
    [packHeaders.customerId]: tenant.tenantId,
  });
  expect(decodeBatch(letter?.data ?? new Uint8Array())).toMatchObject([{ messageId: again.id, customerId: tenant.tenantId, contentType: 'text/plain' }]);
});

test('a dead letter that was sent again goes only to its destination, as a new message that names the old one', async () => {
  let isDown = true;
  const { receive, idOf, tenant, pipeline, sent } = await path({
    to: ['a', 'b'],
    send: (message) => (isDown && message.connectionId.endsWith('/b') ? failing({ status: 'permanent' }) : ok),
  });
  receive([{ seq: 1, body: 'x' }]);
  const { destinations } = await plane.waitForOutcome(tenant, await idOf(1));
  const seq = destinations.find(({ id }) => id === 'b')?.dlqSeq ?? 0;
  isDown = false;
  sent.length = 0;
  const [letter] = decodeBatch((await plane.dlq(tenant, seq))?.data ?? new Uint8Array());
  const facts = { msgId: 'msg_again', pipelineId: pipeline.pipelineId, revision: 1, connectionId: '', messageIds: ['msg_again'] };
  const headers = {
    ...packHeadersOf({ customerId: tenant.tenantId, proofKey: tenant.proofKey }, facts),
    [packHeaders.destination]: 'b',
    [packHeaders.replayOf]: String(seq),
    [packHeaders.attempt]: '0',
  };
  await publish(pipeline, tenant, subjects.resend(pipeline.pipelineId), headers, joinEntries([encodeMessage({ ...letter, messageId: 'msg_again' })]));
  expect(await plane.waitForOutcome(tenant, 'msg_again')).toMatchObject({ replayOf: seq, seq: 2, destinations: [{ id: 'b', state: 'delivered', attempt: 1 }] });
  expect(sent.map(({ connectionId }) => connectionId)).toEqual([`${pipeline.pipelineId}/b`]);
});

test('while the connector is away no attempt is spent', async () => {
  const { receive, idOf, tenant } = await path({
    retry: { attempts: 1, initialMs: 50, maxMs: 50 },
    send: (_message, call) => (call <= 4 ? failing({ source: 'plugin', code: 'connector_stopped' }) : ok),
  });
  receive([{ seq: 1, body: 'x' }]);
  expect((await plane.waitForOutcome(tenant, await idOf(1))).destinations).toMatchObject([{ state: 'delivered', attempt: 1 }]);
});

test('a message that is given back when the node stops is delivered by the next one', async () => {
  const never = Promise.withResolvers<SendOutcome>();
  const first = await path({ send: () => never.promise });
  first.receive([{ seq: 1, body: 'x' }]);
  const id = await first.idOf(1);
  await eventually(() => first.sent.length === 1);
  const stopped = first.delivery[Symbol.asyncDispose]();
  never.resolve(failing({ source: 'plugin', code: 'node_stopping' }));
  await stopped;
  expect(first.tenant.trail).toEqual([]);
  const again = createDelivery({
    nodeId: 'nod_b',
    steps: { run: async () => [] },
    sender: { send: async () => ok },
    replies: { send: () => {} },
    metrics: createMetrics(),
    tracing: createTracing(false),
    log,
  });
  cleanups.push(() => again[Symbol.asyncDispose]());
  const plans = planPipelines({
    v: 1,
    tenantId: first.tenant.tenantId,
    pool: 'shared',
    epoch: 1,
    generation: 1,
    issuedAt: '',
    pipelines: [first.pipeline.bundlePipeline],
  });
  await again.set({ tenantId: first.tenant.tenantId, bus: first.bus, stamp: { customerId: first.tenant.tenantId, proofKey: first.tenant.proofKey } }, plans);
  expect((await plane.waitForOutcome(first.tenant, id)).destinations).toMatchObject([{ state: 'delivered' }]);
});

test('a server that dies while a message is on its way costs nothing: the books are written when it is back', async () => {
  const answer = Promise.withResolvers<SendOutcome>();
  const { receive, idOf, tenant, sent, acks } = await path({ send: () => answer.promise });
  receive([{ seq: 1, body: 'x' }]);
  const id = await idOf(1);
  await eventually(() => sent.length === 1);
  await plane.nats.kill();
  await eventually(() => {
    receive([{ seq: acks.size + 1, body: 'y' }]);
    return [...acks.values()].some(({ status, retryAfterMs }) => status === 'unavailable' && (retryAfterMs ?? 0) > 0);
  });
  answer.resolve(ok);
  await plane.nats.start();
  expect((await plane.waitForOutcome(tenant, id, undefined, 30_000)).destinations).toMatchObject([{ state: 'delivered', attempt: 1 }]);
  expect(sent.filter(({ messageId }) => messageId === id)).toHaveLength(1);
});

test('an answer that is the next input is one message, though the node crashed after it was stored and before its pack was done', async () => {
  let isHeld = true;
  const { receive, idOf, sent, tenant, pipeline, crash } = await path({
    to: ['orders', 'mail'],
    after: { mail: 'orders' },
    holdsTrail: () => isHeld,
    send: (message, call) => (message.connectionId.endsWith('/orders') ? { ...ok, peerAnswer: Buffer.from(`answer ${call}`) } : ok),
  });
  receive([{ seq: 1, body: 'order' }]);
  const id = await idOf(1);
  const answered = answerId(id, 'orders');
  await eventually(() => sent.length === 2);
  isHeld = false;
  await crash();
  const trail = await plane.waitForOutcome(tenant, answered);
  expect(await plane.waitForOutcome(tenant, id)).toMatchObject({ destinations: [{ id: 'orders', state: 'delivered', answerId: answered }] });
  expect(trail).toMatchObject({ answerOf: { messageId: id, destinationId: 'orders' }, destinations: [{ id: 'mail', state: 'delivered' }] });
  // Each pack came again, but the second answer is not a second message.
  expect(sent.map(({ messageId }) => messageId).toSorted()).toEqual([id, id, answered, answered].toSorted());
  const mails = sent.filter(({ messageId }) => messageId === answered).map(({ payload }) => Buffer.from(payload).toString());
  expect(mails).toEqual(['answer 1', 'answer 1']);
  const nc = await plane.admin.tenant({ tenantId: tenant.tenantId, accountSeed: tenant.accountSeed });
  expect(await getStored(nc, streamNames.ingest, 3)).toBeNull();
  expect((await getStored(nc, streamNames.ingest, 2))?.subject).toBe(subjects.answer(pipeline.pipelineId));
});

test('answers to a pack are stored together, and those that something else came of are left out', async () => {
  const { receive, acks, sent, tenant, idOf } = await path({
    to: ['orders', 'mail'],
    after: { mail: 'orders' },
    retry: { attempts: 1, initialMs: 50, maxMs: 50 },
    send: (message) =>
      Buffer.from(message.payload).toString() === 'no' ? failing({ status: 'permanent' }) : { ...ok, peerAnswer: Buffer.from(`to ${message.payload}`) },
  });
  receive([{ seq: 1, body: 'first' }]);
  for (let seq = 2; seq <= 101; seq++) receive([{ seq, body: seq % 10 === 0 ? 'no' : `${seq}` }]);
  await eventually(() => acks.size === 101);
  const ids = await Promise.all(Array.from({ length: 101 }, (_, i) => idOf(i + 1)));
  const expected = ids.filter((_, i) => (i + 1) % 10 !== 0);
  const answers = () => tenant.trail.flatMap(({ messages }) => messages).filter(({ answerOf }) => answerOf !== undefined);
  await eventually(() => answers().length === expected.length);
  expect(
    answers()
      .map(({ answerOf }) => answerOf?.messageId)
      .toSorted(),
  ).toEqual(expected.toSorted());
  expect(sent).toHaveLength(101 + expected.length);
  // One for the first message, one for the others; the pack as it came in has the addresses 1 and 2.
  expect(new Set(answers().map(({ seq }) => seq))).toEqual(new Set([3, 4]));
  expect(sent.filter(({ connectionId }) => connectionId.endsWith('/mail')).every(({ payload }) => Buffer.from(payload).toString().startsWith('to '))).toBe(
    true,
  );
});

test('a pack that says it has other answers than it has is set aside', async () => {
  const { tenant, pipeline, sent } = await path({ to: ['orders', 'mail'], after: { mail: 'orders' } });
  const messageId = answerId('msg_one', 'orders');
  const facts = { msgId: 'a', pipelineId: pipeline.pipelineId, revision: 1, connectionId: '', messageIds: [messageId] };
  const headers = {
    ...packHeadersOf({ customerId: tenant.tenantId, proofKey: tenant.proofKey }, facts),
    [packHeaders.answerOf]: 'orders',
    [packHeaders.answerTo]: 'msg_another',
  };
  const entry = encodeMessage({ seq: 1, customerId: tenant.tenantId, pipelineId: pipeline.pipelineId, messageId, payload: Buffer.from('x') });
  await publish(pipeline, tenant, subjects.answer(pipeline.pipelineId), headers, joinEntries([entry]));
  const kept = await eventually(async () => (await plane.dlq(tenant, 1)) ?? false);
  expect(kept.headers[packHeaders.reason]).toMatch(/not the answers of "orders"/);
  expect(sent).toHaveLength(0);
});

test('an answer that nothing takes any more is a dead letter of the destination that gave it, and sent again it is for all that take it then', async () => {
  const published = Promise.withResolvers<void>();
  const { receive, idOf, tenant, pipeline, republish, crash, sent } = await path({
    to: ['orders', 'mail'],
    after: { mail: 'orders' },
    send: async (message) => {
      await published.promise;
      return { ...ok, peerAnswer: Buffer.from(`to ${message.payload}`) };
    },
  });
  receive([{ seq: 1, body: 'x' }]);
  await eventually(() => sent.length === 1);
  await republish(['orders']);
  published.resolve();
  const trail = await plane.waitForOutcome(tenant, answerId(await idOf(1), 'orders'));
  expect(trail.destinations).toMatchObject([{ id: 'orders', state: 'dead_lettered', code: 'stage_removed', attempt: 0 }]);
  expect(trail).toMatchObject({ answerOf: { destinationId: 'orders' }, bytes: 4 });

  await crash(); // back to the revision that has the stage
  const letter = await plane.dlq(tenant, trail.destinations[0]?.dlqSeq ?? 0);
  const [entry] = decodeBatch(letter?.data ?? new Uint8Array());
  const facts = { msgId: 'msg_again', pipelineId: pipeline.pipelineId, revision: 1, connectionId: '', messageIds: ['msg_again'] };
  const headers = { ...letter?.headers, ...packHeadersOf({ customerId: tenant.tenantId, proofKey: tenant.proofKey }, facts) };
  await publish(pipeline, tenant, subjects.resend(pipeline.pipelineId), headers, joinEntries([encodeMessage({ ...entry, messageId: 'msg_again' })]));
  expect(await plane.waitForOutcome(tenant, 'msg_again')).toMatchObject({ destinations: [{ id: 'mail', state: 'delivered' }] });
  expect(Buffer.from(sent.at(-1)?.payload ?? []).toString()).toBe('to x');
});

test('a stream full of messages does not keep the answers to them from going on', async () => {
  const storage = { ingestBytes: 1_000_000, retryBytes: 10_000_000, dlqBytes: 1_000_000, trailBytes: 1_000_000 };
  const full = Promise.withResolvers<void>();
  const { receive, acks, tenant } = await path({
    to: ['orders', 'mail'],
    after: { mail: 'orders' },
    storage,
    send: async () => {
      await full.promise;
      return { ...ok, peerAnswer: Buffer.alloc(60_000) };
    },
  });
  const isFull = () => [...acks.values()].some(({ status }) => status === 'exhausted');
  for (let seq = 1; !isFull(); seq++) {
    receive([{ seq, body: 'x'.repeat(60_000) }]);
    await eventually(() => acks.size === seq);
  }
  full.resolve();
  const stored = [...acks.values()].filter(({ status }) => status === 'stored');
  for (const { messageId } of stored) {
    const answer = await plane.waitForOutcome(tenant, answerId(messageId, 'orders'));
    expect(answer).toMatchObject({ answerOf: { messageId }, destinations: [{ id: 'mail', state: 'delivered' }] });
  }
});
