import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { CUSTOMER_ID, packHeaders } from '@vrsky/contracts/message-headers';
import { eventually } from '@vrsky/testkit/eventually';
import { type RequestBin, requestBin } from '@vrsky/testkit/request-bin';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ControlPlane, type PipelineInput, startControlPlane, type TestPipeline, type TestTenant } from './control-plane.ts';
import { type NodeProcess, startNode } from './node-process.ts';

// A real node and its real connector: from a POST to the delivered request.

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

/** A pipeline of its own for the test, applied by the node. */
async function pipeline(input: Omit<PipelineInput, 'to'> & { to?: PipelineInput['to'] }): Promise<TestPipeline> {
  const made = await plane.pipeline(tenant, { to: { out: { url: `${bin.url}/${published.length}` } }, ...input });
  published.push(made);
  const fence = await plane.publish(tenant, published);
  await plane.waitForReport(tenant, (report) => report.applied?.generation === fence.generation);
  bin.requests.length = 0;
  bin.behave({});
  return made;
}

async function accepted(made: TestPipeline, body: string | Buffer<ArrayBuffer>, headers?: Record<string, string>): Promise<string> {
  const answer = await node.post(made.path, body, headers);
  expect(answer).toMatchObject({ status: 202 });
  return String(answer.body['messageId']);
}

describe('a message', () => {
  test('is accepted with its id, arrives byte for byte, and leaves a trail', async () => {
    const made = await pipeline({});
    const body = Buffer.from(Array.from({ length: 2_048 }, (_, i) => i % 256));
    const id = await accepted(made, body, { 'content-type': 'application/octet-stream' });
    const [request] = await bin.waitFor(1);
    expect(request?.body.equals(body)).toBe(true);
    expect(request?.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'customer-id': tenant.tenantId,
      'idempotency-key': expect.stringContaining(id),
    });
    const trail = await plane.waitForOutcome(tenant, id);
    expect(trail).toMatchObject({
      bytes: 2_048,
      contentType: 'application/octet-stream',
      steps: [],
      destinations: [{ id: 'out', state: 'delivered', attempt: 1, peerStatus: 200 }],
    });
    expect(trail.storedAtMs).toBeGreaterThanOrEqual(trail.receivedAtMs);
  });

  test("carries the platform's Customer-ID, whatever the sender claims", async () => {
    const made = await pipeline({});
    await accepted(made, '{}', { [CUSTOMER_ID]: 'cus_evil' });
    const [request] = await bin.waitFor(1);
    expect(request?.headers['customer-id']).toBe(tenant.tenantId);
    expect(JSON.stringify(request?.headers)).not.toContain('cus_evil');
  });

  test('is reshaped by one step and dropped with a reason by the next', async () => {
    const made = await pipeline({
      steps: [
        {
          id: 'reshape',
          kind: 'convert',
          source:
            'export default function (message: Message) { const order = message.json() as { no: number; status: string }; return { orderId: order.no, status: order.status, customer: message.customerId }; }',
        },
        {
          id: 'paid',
          kind: 'filter',
          source:
            'export default function (message: Message) { const { status } = message.json() as { status: string }; return status === "paid" || "status is " + status + ", not paid"; }',
        },
      ],
    });
    const kept = await accepted(made, '{"no":1,"status":"paid"}');
    const dropped = await accepted(made, '{"no":2,"status":"open"}');
    const [request] = await bin.waitFor(1);
    expect(JSON.parse(request?.body.toString() ?? '')).toEqual({ orderId: 1, status: 'paid', customer: tenant.tenantId });
    const keptTrail = await plane.waitForOutcome(tenant, kept);
    expect(keptTrail.steps).toMatchObject([
      { id: 'reshape', result: 'ok' },
      { id: 'paid', result: 'ok' },
    ]);
    expect(keptTrail.steps.every(({ instructions }) => instructions > 0)).toBe(true);
    const droppedTrail = await plane.waitForOutcome(tenant, dropped);
    expect(droppedTrail.destinations).toMatchObject([{ id: 'out', state: 'filtered', reason: 'status is open, not paid' }]);
    expect(bin.requests).toHaveLength(1);

    const { spec: _spec, hash: _hash, ...runnable } = made.bundlePipeline;
    const run = await plane.run(tenant, {
      pipeline: { ...runnable, steps: made.spec.steps.map(({ id, name, kind }) => ({ id, name, kind })) },
      input: { seq: droppedTrail.seq, index: droppedTrail.index },
    });
    expect(run).toMatchObject({
      ok: true,
      input: { messageId: dropped },
      steps: [
        { id: 'reshape', result: 'ok', instructions: droppedTrail.steps[0]?.instructions },
        { id: 'paid', result: 'filtered', reason: 'status is open, not paid' },
      ],
    });
    if (run.ok) expect(JSON.parse(Buffer.from(run.steps[0]?.output?.base64 ?? '', 'base64').toString())).toMatchObject({ orderId: 2 });
  });

  test('is tried again and then lies in the dead letters, where its destination answers 500', async () => {
    const made = await pipeline({ retry: { attempts: 3, initialMs: 100, maxMs: 200 } });
    bin.behave({ status: 500, body: 'on fire' });
    const id = await accepted(made, '{"a":1}');
    const trail = await plane.waitForOutcome(tenant, id);
    expect(trail.destinations).toMatchObject([
      { state: 'dead_lettered', attempt: 3, peerStatus: 500, peerAnswer: 'on fire', reason: expect.stringContaining('500') },
    ]);
    expect(bin.requests).toHaveLength(3);
    const letter = await plane.dlq(tenant, trail.destinations[0]?.dlqSeq ?? 0);
    expect(letter?.headers[packHeaders.destination]).toBe('out');
    expect(new Set(bin.requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  });

  test('waits as long as a receiver that answers 429 asks for', async () => {
    const made = await pipeline({ retry: { attempts: 3, initialMs: 50, maxMs: 50 } });
    bin.behave((_request, count) => (count === 1 ? { status: 429, headers: { 'retry-after': '2' } } : {}));
    const id = await accepted(made, '{}');
    const trail = await plane.waitForOutcome(tenant, id);
    expect(trail.destinations).toMatchObject([{ state: 'delivered', attempt: 2 }]);
    const [first, second] = bin.requests;
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(1_900);
  });

  test('that a receiver refuses for good is not tried again', async () => {
    const made = await pipeline({});
    bin.behave({ status: 422, body: 'no such product' });
    const trail = await plane.waitForOutcome(tenant, await accepted(made, '{}'));
    expect(trail.destinations).toMatchObject([{ state: 'dead_lettered', attempt: 1, peerStatus: 422, peerAnswer: 'no such product' }]);
    expect(bin.requests).toHaveLength(1);
  });

  test('for an address that is not allowed is refused before any connection', async () => {
    const made = await pipeline({ to: { out: { url: 'http://127.0.0.1:9/secret' } } });
    const trail = await plane.waitForOutcome(tenant, await accepted(made, '{}'));
    expect(trail.destinations).toMatchObject([{ state: 'dead_lettered' }]);
    expect(trail.destinations[0]?.reason).toMatch(/not allowed|private|refus/i);
  });
});

describe('a step that misbehaves costs only its message', () => {
  test.each([
    ['an endless loop', 'for (;;);'],
    ['a throw', 'throw new Error("no such field");'],
    ['100 MB of output', 'return "x".repeat(100_000_000);'],
    ['a regular expression that does not end', 'return /^(a+)+$/.test("a".repeat(40) + "!");'],
  ])('%s', async (name, code) => {
    const made = await pipeline({
      steps: [
        {
          id: 'step',
          kind: 'convert',
          source: `export default function (message: Message) { if (message.text() === "bad") { ${code} } return message.text(); }`,
        },
      ],
    });
    const bad = await plane.waitForOutcome(tenant, await accepted(made, 'bad', { 'content-type': 'text/plain' }), undefined, 30_000);
    expect(bad.destinations).toMatchObject([
      { state: 'dead_lettered', attempt: 0, reason: expect.stringMatching(/^Step "step": ./), dlqSeq: expect.any(Number) },
    ]);
    expect(bad.steps, name).toMatchObject([{ id: 'step', result: 'failed' }]);
    await accepted(made, 'good', { 'content-type': 'text/plain' });
    const [request] = await bin.waitFor(1);
    expect(request?.body.toString()).toBe('good');
  });
});

describe('what a node tells', () => {
  test('its lease names its connectors, and its metrics count what happened', async () => {
    const nodeId = plane.enrolled[0]?.nodeId ?? '';
    expect(await eventually(async () => (await plane.lease(nodeId)) ?? false)).toMatchObject({
      nodeId,
      name: 'test node',
      pool: 'shared',
      stopping: false,
      connectors: [
        { name: 'http source', state: 'running' },
        { name: 'http destination', state: 'running' },
      ],
    });
    const text = await node.metrics();
    for (const name of [
      'vrsky_messages_total',
      'vrsky_intake_messages_total',
      'vrsky_step_duration_seconds_bucket',
      'vrsky_step_instructions_total',
      'vrsky_queue_age_seconds',
      'vrsky_plugin_cpu_seconds_total',
      'vrsky_plugin_rss_bytes',
      'vrsky_plugin_handshake_seconds',
      'vrsky_config_generation',
      'vrsky_pub_ack_seconds_bucket',
      'vrsky_pack_messages_bucket',
    ]) {
      expect(text).toMatch(new RegExp(`^${name}({| )`, 'm'));
    }
    expect(text).toContain(`vrsky_messages_total{tenant="${tenant.tenantId}",outcome="delivered"}`);
    expect(await node.ready()).toMatchObject({ status: 200 });
  });

  test('its keys on disk are for its owner alone', async () => {
    for (const file of ['identity.json', 'enrolment.json', path.join('bundles', `${tenant.tenantId}.json`)]) {
      expect((await stat(path.join(node.stateDir, file))).mode & 0o077, file).toBe(0);
    }
    expect(await readFile(path.join(node.stateDir, 'bundles', `${tenant.tenantId}.json`), 'utf8')).not.toContain(tenant.proofKey.toString('base64url'));
  });
});
