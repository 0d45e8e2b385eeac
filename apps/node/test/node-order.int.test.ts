import { jetstreamManager } from '@nats-io/jetstream';
import { answerId } from '@vrsky/contracts/ids';
import { consumerNames, streamNames } from '@vrsky/contracts/subjects';
import { eventually } from '@vrsky/testkit/eventually';
import { type BinBehaviour, type RequestBin, requestBin } from '@vrsky/testkit/request-bin';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type ControlPlane, type PipelineInput, startControlPlane, type TestPipeline, type TestTenant } from './control-plane.ts';
import { type NodeProcess, startNode } from './node-process.ts';

// Real nodes, their real connector and a receiver that refuses: what a destination in strict order gets, and when.

let plane: ControlPlane;
let bin: RequestBin;
const nodes: NodeProcess[] = [];

beforeAll(async () => {
  plane = await startControlPlane();
  bin = await requestBin();
  for (let i = 0; i < 2; i++) nodes.push(await startNode(plane, { egressAllow: [`127.0.0.1:${bin.port}`] }));
});
afterEach(() => bin.behave({}));
afterAll(async () => {
  for (const node of nodes) await node[Symbol.asyncDispose]();
  await bin?.close();
  await plane?.[Symbol.asyncDispose]();
});

const [one, two] = [() => nodes[0] as NodeProcess, () => nodes[1] as NodeProcess];
const retry = { attempts: 4, initialMs: 300, maxMs: 300 };

interface Started {
  tenant: TestTenant;
  pipeline: TestPipeline;
  /** What the destination got so far. */
  got(to?: string): string[];
  /** One after the other, so that each is a pack of its own. */
  post(from: number, to: number, by?: NodeProcess): Promise<string[]>;
  publish(input: Partial<PipelineInput>): Promise<void>;
}

async function start(input: Partial<PipelineInput> = {}): Promise<Started> {
  const tenant = await plane.addTenant();
  const whole = { to: { out: { url: `${bin.url}/${tenant.tenantId}/out` } }, strict: ['out'], retry, ...input };
  let pipeline: TestPipeline | undefined;
  const publish = async (next: PipelineInput): Promise<void> => {
    pipeline = await plane.pipeline(tenant, next, pipeline);
    const { generation } = await plane.publish(tenant, [pipeline]);
    await eventually(async () => {
      const running = plane.enrolled.filter((_, i) => nodes[i]?.child().exit() === null);
      const reports = await Promise.all(running.map(({ nodeId }) => plane.report(nodeId, tenant.tenantId)));
      return reports.every((report) => report?.applied?.generation === generation);
    });
  };
  await publish(whole);
  return {
    tenant,
    pipeline: pipeline as unknown as TestPipeline,
    got: (to = 'out') => bin.requests.filter(({ url }) => url === `/${tenant.tenantId}/${to}`).map(({ body }) => body.toString()),
    async post(from, to, by = one()) {
      const ids: string[] = [];
      for (let i = from; i <= to; i++) {
        const answer = await by.post((pipeline as TestPipeline).path, String(i));
        expect(answer.status).toBe(202);
        ids.push(String(answer.body.messageId));
      }
      return ids;
    },
    publish: (change) => publish({ ...whole, ...change }),
  };
}

/** Refuses these messages so many times. */
function refuse(times: Record<string, number>, answer: BinBehaviour = { status: 503 }): void {
  const left = { ...times };
  bin.behave(({ url, body }) => {
    const text = body.toString();
    if (!url.endsWith('/out') || (left[text] ?? 0) === 0) return {};
    left[text] = (left[text] as number) - 1;
    return answer;
  });
}
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => String(from + i));

test('later messages wait behind one that is tried again, and another destination has them all meanwhile; trail and metrics say so', async () => {
  const to = { out: { url: '' }, other: { url: '' } };
  const { tenant, got, post, publish } = await start();
  for (const id of Object.keys(to) as (keyof typeof to)[]) to[id].url = `${bin.url}/${tenant.tenantId}/${id}`;
  await publish({ to });
  // As long as the test takes for its look; a new revision ends each wait.
  refuse({ 3: 2 }, { status: 503, headers: { 'retry-after': '600' } });
  const ids = await post(1, 10);
  await eventually(() => got('other').length === 10);
  expect(got()).toEqual(['1', '2', '3']);
  const waiting = await plane.waitForOutcome(tenant, ids[2] as string, ({ destinations }) =>
    destinations.some(({ id, attempt }) => id === 'out' && attempt === 1),
  );
  expect(waiting.destinations).toMatchObject([{ state: 'retrying', peerStatus: 503, nextAtMs: expect.any(Number), behind: expect.any(Number) }]);
  const behind = await plane.waitForOutcome(tenant, ids[9] as string, ({ destinations }) => destinations.length === 2);
  expect(behind.destinations).toMatchObject([
    { id: 'out', state: 'retrying', attempt: 0, code: 'waits_in_order' },
    { id: 'other', state: 'delivered' },
  ]);
  const metrics = (await Promise.all(nodes.map((node) => node.metrics()))).join('\n');
  expect(metrics).toMatch(new RegExp(`vrsky_ordered_blocked_seconds\\{tenant="${tenant.tenantId}"`));
  await publish({ to });
  const second = await plane.waitForOutcome(tenant, ids[2] as string, ({ destinations }) => destinations.some(({ attempt }) => attempt === 2));
  expect(second.destinations[0]?.behind).toBe(7);
  expect(got()).toEqual(['1', '2', '3', '3']);
  await publish({ to });
  await eventually(() => got().length === 12);
  expect(got()).toEqual(['1', '2', '3', '3', ...numbers(3, 10)]);
  for (const id of ids) await plane.waitForOutcome(tenant, id);
});

test('after its last attempt a message is a dead letter, and the next goes', async () => {
  const { tenant, pipeline, got } = await start({ from: { split: 'lines' }, retry: { attempts: 2, initialMs: 100, maxMs: 100 } });
  refuse({ 3: 9 });
  const answer = await one().post(pipeline.path, numbers(1, 5).join('\n'));
  expect(answer.status).toBe(202);
  const ids = answer.body.messageIds as string[];
  expect(await plane.waitForOutcome(tenant, ids[2] as string)).toMatchObject({ destinations: [{ state: 'dead_lettered', attempt: 2, code: 'http_503' }] });
  expect(await plane.waitForOutcome(tenant, ids[4] as string)).toMatchObject({ destinations: [{ state: 'delivered', attempt: 1 }] });
  expect(got()).toEqual(['1', '2', '3', '3', '4', '5']);
});

test('two nodes of a pool keep the order in which messages were stored; when the one with the blocked message is killed, the other goes on where it was', async () => {
  const { tenant, pipeline, got, post, publish } = await start();
  const account = { tenantId: tenant.tenantId, accountSeed: tenant.accountSeed };
  const jsm = await jetstreamManager(await plane.admin.tenant(account), { checkAPI: false });
  refuse({ 6: 1 }, { status: 503, headers: { 'retry-after': '600' } });
  const ids: string[] = [];
  for (let i = 1; i <= 10; i++) ids.push(...(await post(i, i, i % 2 === 0 ? one() : two())));
  await plane.waitForOutcome(tenant, ids[5] as string, ({ destinations }) => destinations[0]?.attempt === 1);
  const isBlocked = async (node: NodeProcess) => (await node.metrics()).includes(`vrsky_ordered_blocked_seconds{tenant="${tenant.tenantId}"`);
  const holder = (await isBlocked(one())) ? one() : two();
  const other = holder === one() ? two() : one();
  // What a dead node had in hand is given to another after this time.
  await jsm.consumers.update(streamNames.ingest, consumerNames.ordered(pipeline.pipelineId), { ack_wait: 1_000_000_000 });
  await holder.kill();
  await post(11, 20, other);
  await eventually(() => isBlocked(other), { timeoutMs: 40_000 });
  await publish({});
  await eventually(() => got().includes('20'), { timeoutMs: 20_000 });
  expect(got()).toEqual([...numbers(1, 6), ...numbers(6, 20)]);
  expect(await plane.waitForOutcome(tenant, ids[5] as string)).toMatchObject({ destinations: [{ state: 'delivered', attempt: 2 }] });
  await holder.start();
}, 60_000);

test('a stop does not wait for the next attempt; who goes on knows what was done, how often it was tried, and until when it is to wait', async () => {
  const { tenant, got, post, publish } = await start();
  refuse({ 3: 1 }, { status: 503, headers: { 'retry-after': '600' } });
  const ids = await post(1, 5);
  await plane.waitForOutcome(tenant, ids[2] as string, ({ destinations }) => destinations[0]?.attempt === 1);
  const startedMs = performance.now();
  await Promise.all(nodes.map((node) => node.stop()));
  expect(performance.now() - startedMs).toBeLessThan(4_000);
  await Promise.all(nodes.map((node) => node.start()));
  await eventually(async () =>
    (await Promise.all(nodes.map((node) => node.metrics()))).join('\n').includes(`vrsky_queue_age_seconds{tenant="${tenant.tenantId}"`),
  );
  expect(got()).toEqual(['1', '2', '3']);
  // Another revision may be the cure: it is tried at once.
  await publish({});
  await eventually(() => got().length === 6);
  expect(got()).toEqual(['1', '2', '3', '3', '4', '5']);
  expect(await plane.waitForOutcome(tenant, ids[2] as string)).toMatchObject({ destinations: [{ state: 'delivered', attempt: 2 }] });
}, 60_000);

test('without strict order what waits goes out at once, and later ones pass; with it again they wait again', async () => {
  const { tenant, pipeline, got, post, publish } = await start();
  const account = { tenantId: tenant.tenantId, accountSeed: tenant.accountSeed };
  const jsm = await jetstreamManager(await plane.admin.tenant(account), { checkAPI: false });
  const atOnce = async () => (await jsm.consumers.info(streamNames.ingest, consumerNames.ordered(pipeline.pipelineId))).config.max_ack_pending;
  expect(await atOnce()).toBe(1);
  refuse({ 2: 3 }, { status: 503, headers: { 'retry-after': '2' } });
  await post(1, 4);
  await eventually(() => got().length === 2);
  await publish({ strict: [] });
  expect(await atOnce()).toBe(1_024);
  await eventually(() => got().includes('4'));
  await post(5, 6);
  await eventually(() => got().includes('6'));
  expect(got().filter((text) => text !== '2')).toEqual(['1', '3', '4', '5', '6']);
  await publish({});
  expect(await atOnce()).toBe(1);
  refuse({ 8: 1 });
  await post(7, 9);
  await eventually(() => got().includes('9'));
  expect(got().filter((text) => Number(text) > 6)).toEqual(['7', '8', '8', '9']);
});

test('answers go on in strict order too: of a destination in strict order, and to one', async () => {
  const { tenant, got, post, publish } = await start();
  const url = (id: string): string => `${bin.url}/${tenant.tenantId}/${id}`;
  await publish({ to: { out: { url: url('out') }, next: { url: url('next'), after: 'out' } }, strict: ['out', 'next'] });
  const failures = new Map<string, number>();
  bin.behave(({ url: to, body }) => {
    const text = body.toString();
    const at = `${to.split('/').at(-1)} ${text}`;
    failures.set(at, (failures.get(at) ?? 0) + 1);
    const refused = (at === 'out 2' || at === 'next 4') && failures.get(at) === 1;
    return refused ? { status: 503 } : { body: text, headers: { 'content-type': 'text/plain' } };
  });
  const ids = await post(1, 6);
  const answers = await Promise.all(
    ids.map((id) => plane.waitForOutcome(tenant, answerId(id, 'out'), ({ destinations }) => destinations[0]?.state === 'delivered')),
  );
  expect(answers.map(({ answerOf }) => answerOf?.messageId)).toEqual(ids);
  expect(got()).toEqual(['1', '2', ...numbers(2, 6)]);
  expect(got('next')).toEqual([...numbers(1, 4), ...numbers(4, 6)]);
});

test('a sender may wait for a destination in strict order, and for steps without waiting for anybody’s turn', async () => {
  const { pipeline, publish, got } = await start({ reply: { from: 'out', withinMs: 5_000 } });
  bin.behave({ body: '{"stored":1}', headers: { 'content-type': 'application/json' } });
  expect(await one().post(pipeline.path, '1')).toMatchObject({ status: 200, body: { stored: 1 } });
  const step = { id: 'mark', kind: 'convert', source: 'export default (message) => ({ marked: message.json() });' } as const;
  await publish({ reply: { from: 'steps', withinMs: 5_000 }, steps: [step], retry: { attempts: 2, initialMs: 2_000, maxMs: 2_000 } });
  bin.behave({ status: 503 });
  expect(await one().post(pipeline.path, '2')).toMatchObject({ status: 200, body: { marked: 2 } });
  const startedMs = performance.now();
  expect(await one().post(pipeline.path, '3')).toMatchObject({ status: 200, body: { marked: 3 } });
  expect(performance.now() - startedMs).toBeLessThan(1_500);
  expect(got().map((text) => text.slice(0, 12))).not.toContain('{"marked":3}');
  bin.behave({});
});
