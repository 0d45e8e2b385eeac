import { gzipSync } from 'node:zlib';
import { createStreamPublisher } from '@vrsky/bus/publisher';
import { answerId } from '@vrsky/contracts/ids';
import { limits } from '@vrsky/contracts/limits';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { packProof } from '@vrsky/contracts/proof';
import { subjects } from '@vrsky/contracts/subjects';
import { decodeBatch, encodeBatch } from '@vrsky/proto/message-codec';
import { type BinBehaviour, type RequestBin, requestBin } from '@vrsky/testkit/request-bin';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ControlPlane, type PipelineInput, startControlPlane, type TestPipeline, type TestTenant } from './control-plane.ts';
import { type NodeProcess, startNode } from './node-process.ts';

// A real node, its real connector and a receiver: a customer is looked up, and the answer, merged, is what the next one gets.

let plane: ControlPlane;
let bin: RequestBin;
let node: NodeProcess;
let tenant: TestTenant;
const published: TestPipeline[] = [];

beforeAll(async () => {
  plane = await startControlPlane();
  bin = await requestBin();
  tenant = await plane.addTenant();
  node = await startNode(plane, { egressAllow: [`127.0.0.1:${bin.port}`] });
});
afterAll(async () => {
  await node?.[Symbol.asyncDispose]();
  await bin?.close();
  await plane?.[Symbol.asyncDispose]();
});

const retry = { attempts: 2, initialMs: 50, maxMs: 50 };

async function publish(input: PipelineInput, of?: TestPipeline): Promise<TestPipeline> {
  const made = await plane.pipeline(tenant, { retry, ...input }, of);
  const at = of === undefined ? -1 : published.indexOf(of);
  published.splice(at === -1 ? published.length : at, at === -1 ? 0 : 1, made);
  const fence = await plane.publish(tenant, published);
  await plane.waitForReport(tenant, (report) => report.applied?.generation === fence.generation);
  bin.requests.length = 0;
  return made;
}

const merge = {
  id: 'merge',
  kind: 'convert',
  after: 'customers',
  source: `export default function (message: Message) {
    const { customer, order } = message.json() as { customer: string; order: number };
    return { customer, order, status: message.headers.get("vrsky-answer-status") ?? "" };
  }`,
} as const;

/** Looks a customer up and posts what a step makes of the answer. */
function chain(more: Partial<PipelineInput> = {}): PipelineInput {
  return { to: { customers: { url: `${bin.url}/customers` }, orders: { url: `${bin.url}/orders`, after: 'customers' } }, steps: [merge], ...more };
}

function behave(byPath: Record<string, BinBehaviour | ((count: number) => BinBehaviour)>): void {
  const counts = new Map<string, number>();
  bin.behave(({ url }) => {
    const count = (counts.get(url) ?? 0) + 1;
    counts.set(url, count);
    const behaviour = byPath[url] ?? {};
    return typeof behaviour === 'function' ? behaviour(count) : behaviour;
  });
}

const found: BinBehaviour = {
  headers: { 'content-type': 'application/json', 'customer-id': 'cus_evil', 'x-request-id': 'theirs' },
  body: '{"customer":"Ann","order":7}',
};

async function accepted(made: TestPipeline, headers?: Record<string, string>): Promise<{ id: string; answer: string }> {
  const { status, body } = await node.post(made.path, '{"order":7}', headers);
  expect(status).toBe(202);
  const id = String(body['messageId']);
  return { id, answer: answerId(id, 'customers') };
}

const to = (path: string) => bin.requests.filter(({ url }) => url === path);

test('the answer of one destination, reshaped by a step, is what the next one gets, in our name and in one trace', async () => {
  const made = await publish(chain());
  behave({ '/customers': { ...found, body: gzipSync(found.body ?? ''), headers: { ...found.headers, 'content-encoding': 'gzip' } } });
  const { id, answer } = await accepted(made, { 'x-request-id': 'ours' });
  const trail = await plane.waitForOutcome(tenant, answer);
  const original = await plane.waitForOutcome(tenant, id);
  const [first, second] = [to('/customers')[0], to('/orders')[0]];
  expect(first?.body.toString()).toBe('{"order":7}');
  expect(JSON.parse(second?.body.toString() ?? '')).toEqual({ customer: 'Ann', order: 7, status: '200' });
  expect(second?.headers).toMatchObject({
    'customer-id': tenant.tenantId,
    'x-request-id': 'ours',
    'content-type': 'application/json',
    'idempotency-key': expect.stringContaining(answer),
  });
  expect(second?.headers['traceparent']?.slice(3, 35)).toBe(first?.headers['traceparent']?.slice(3, 35));
  expect(original).toMatchObject({ steps: [], destinations: [{ id: 'customers', state: 'delivered', answerId: answer }] });
  expect(trail).toMatchObject({
    answerOf: { messageId: id, destinationId: 'customers' },
    contentType: 'application/json',
    bytes: 28,
    traceId: original.traceId,
    steps: [{ id: 'merge', result: 'ok' }],
    destinations: [{ id: 'orders', state: 'delivered', attempt: 1 }],
  });
  const { spec: _spec, hash: _hash, ...runnable } = made.bundlePipeline;
  const run = await plane.run(tenant, {
    pipeline: { ...runnable, steps: [{ id: 'merge', name: 'merge', kind: 'convert' }] },
    input: { seq: trail.seq, index: trail.index },
  });
  expect(run).toMatchObject({ ok: true, input: { messageId: answer, headers: { 'vrsky-answer-status': '200' } }, steps: [{ id: 'merge', result: 'ok' }] });
});

test('a retry of the second one asks the first one nothing again, and its dead letter is sent again from there', async () => {
  const made = await publish(chain());
  behave({ '/customers': found, '/orders': (count) => (count <= 2 ? { status: 500 } : {}) });
  const { id, answer } = await accepted(made);
  const trail = await plane.waitForOutcome(tenant, answer);
  expect(trail.destinations).toMatchObject([{ id: 'orders', state: 'dead_lettered', attempt: 2, code: 'http_500' }]);
  expect(trail).toMatchObject({ answerOf: { messageId: id, destinationId: 'customers' }, steps: [{ id: 'merge', result: 'ok' }] });

  const again = answerId('msg_again', 'x');
  await resend(made, trail.destinations[0]?.dlqSeq ?? 0, 'orders', again);
  expect(await plane.waitForOutcome(tenant, again)).toMatchObject({
    answerOf: { messageId: id, destinationId: 'customers' },
    steps: [{ id: 'merge', result: 'ok' }],
    destinations: [{ id: 'orders', state: 'delivered' }],
  });
  expect(to('/customers')).toHaveLength(1);
  expect(to('/orders').map(({ body }) => JSON.parse(body.toString()).customer)).toEqual(['Ann', 'Ann', 'Ann']);
});

/** As the console does it. */
async function resend({ pipelineId }: TestPipeline, seq: number, destinationId: string, messageId: string): Promise<void> {
  const letter = await plane.dlq(tenant, seq);
  const [entry] = decodeBatch(letter?.data ?? new Uint8Array());
  const own = { [packHeaders.msgId]: messageId, [packHeaders.destination]: destinationId, [packHeaders.replayOf]: String(seq) };
  const proof = packProof(tenant.proofKey, tenant.tenantId, pipelineId, [messageId]);
  const nc = await plane.admin.tenant({ tenantId: tenant.tenantId, accountSeed: tenant.accountSeed });
  const publisher = createStreamPublisher(nc, { timeoutMs: 5_000 });
  const headers = { ...letter?.headers, ...own, [packHeaders.proof]: proof };
  await publisher.publish(subjects.resend(pipelineId), headers, encodeBatch([{ ...entry, messageId }])).finally(publisher.close);
}

test('an empty answer is an empty message, and three in a row pass one on to the other', async () => {
  const made = await publish({
    to: {
      customers: { url: `${bin.url}/customers` },
      orders: { url: `${bin.url}/orders`, after: 'customers' },
      mail: { url: `${bin.url}/mail`, after: 'orders' },
    },
  });
  behave({ '/customers': { status: 204, body: '' }, '/orders': { body: 'stored as 9', headers: { 'content-type': 'text/plain' } } });
  const { answer } = await accepted(made);
  expect(await plane.waitForOutcome(tenant, answer)).toMatchObject({ bytes: 0, contentType: '', destinations: [{ id: 'orders', state: 'delivered' }] });
  const last = await plane.waitForOutcome(tenant, answerId(answer, 'orders'));
  expect(last).toMatchObject({ answerOf: { messageId: answer, destinationId: 'orders' }, destinations: [{ id: 'mail', state: 'delivered' }] });
  expect(to('/orders')[0]?.body).toHaveLength(0);
  expect(to('/mail')[0]?.body.toString()).toBe('stored as 9');
});

test('an answer that is too large is a dead letter that says so, and the largest one goes on', async () => {
  const made = await publish(chain({ steps: [] }));
  behave({ '/customers': (count) => ({ body: Buffer.alloc(limits.wholeAnswerBytesMax + (count === 1 ? 1 : 0), 'x') }) });
  const { id } = await accepted(made);
  expect(await plane.waitForOutcome(tenant, id)).toMatchObject({
    destinations: [{ id: 'customers', state: 'dead_lettered', code: 'answer_too_large', peerStatus: 200, reason: expect.stringContaining('has the message') }],
  });
  const { answer } = await accepted(made);
  expect(await plane.waitForOutcome(tenant, answer)).toMatchObject({ bytes: limits.wholeAnswerBytesMax, destinations: [{ state: 'delivered' }] });
  expect(to('/orders').map(({ body }) => body.length)).toEqual([limits.wholeAnswerBytesMax]);
});

test('an answer whose next stage is gone is a dead letter, and goes on when it is sent again to a pipeline that has it', async () => {
  const withStage = await publish(chain({ steps: [] }));
  // The answer waits for its second attempt while the pipeline is published anew.
  behave({ '/customers': found, '/orders': (count) => (count === 1 ? { status: 429, headers: { 'retry-after': '1' } } : {}) });
  const { answer } = await accepted(withStage);
  await plane.waitForOutcome(tenant, answer, ({ destinations }) => destinations[0]?.state === 'retrying');
  const without = await publish({ to: { customers: { url: `${bin.url}/customers` }, orders: { url: `${bin.url}/orders` } } }, withStage);
  const trail = await plane.waitForOutcome(tenant, answer);
  expect(trail.destinations).toMatchObject([{ id: 'orders', state: 'dead_lettered', code: 'stage_removed', reason: expect.stringContaining('another input') }]);
  await publish(chain({ steps: [] }), without);
  const again = answerId('msg_later', 'x');
  await resend(without, trail.destinations[0]?.dlqSeq ?? 0, 'orders', again);
  await plane.waitForOutcome(tenant, again);
  expect(to('/orders').map(({ body }) => body.toString())).toEqual([found.body]);
});
