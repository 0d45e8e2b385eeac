import { headers as newHeaders } from '@nats-io/transport-node';
import { REPLY_MESSAGE } from '@vrsky/contracts/message-headers';
import { subjects } from '@vrsky/contracts/subjects';
import { encodeReply } from '@vrsky/proto/reply-codec';
import { eventually } from '@vrsky/testkit/eventually';
import { type BinBehaviour, type RequestBin, requestBin } from '@vrsky/testkit/request-bin';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ControlPlane, type PipelineInput, startControlPlane, type TestPipeline, type TestTenant } from './control-plane.ts';
import { type NodeProcess, startNode } from './node-process.ts';

// Senders that wait for what their pipeline makes of a message: real nodes, NATS, connectors and receivers.

let plane: ControlPlane;
let bin: RequestBin;
let node: NodeProcess;
let tenant: TestTenant;
let other: TestTenant;
let steps: TestPipeline;
let answer: TestPipeline;
let slow: TestPipeline;
let chain: TestPipeline;
let echo: TestPipeline;

const code = `
export default (message: Message) => {
  const order = message.json() as { order: number; say?: string };
  if (order.say === 'fail') throw new Error('no price for this order');
  return { order: order.order, price: order.order * 2 };
};`;

beforeAll(async () => {
  plane = await startControlPlane();
  bin = await requestBin();
  bin.behave(({ url }) => behaviours[url]?.() ?? {});
  [tenant, other] = [await plane.addTenant(), await plane.addTenant()];
  const make = (reply: PipelineInput['reply'], url: string, more: Partial<PipelineInput> = {}) =>
    plane.pipeline(tenant, { to: { out: { url: `${bin.url}${url}` } }, ...(reply && { reply }), ...more });
  steps = await make({ from: 'steps', withinMs: 5_000 }, '/taken', {
    steps: [
      { id: 'wanted', kind: 'filter', source: 'export default (message: Message) => (message.json() as { say?: string }).say !== "drop";' },
      { id: 'price', kind: 'convert', source: code },
    ],
  });
  answer = await make({ from: 'out', withinMs: 8_000 }, '/answer', { retry: { attempts: 3, initialMs: 50, maxMs: 50 } });
  slow = await make({ from: 'out', withinMs: 1_000 }, '/slow');
  chain = await plane.pipeline(tenant, {
    to: { orders: { url: `${bin.url}/orders` }, mail: { url: `${bin.url}/mail`, after: 'orders' } },
    steps: [{ id: 'note', kind: 'convert', source: 'export default (message: Message) => "mail about " + message.text();', after: 'orders' }],
    reply: { from: 'mail', withinMs: 8_000 },
    retry: { attempts: 2, initialMs: 50, maxMs: 50 },
  });
  echo = await make({ from: 'steps', withinMs: 5_000 }, '/taken');
  await plane.publish(tenant, [steps, answer, slow, chain, echo]);
  await plane.publish(other, [await plane.pipeline(other, { to: { out: { url: `${bin.url}/other` } } })]);
  node = await startNode(plane, { egressAllow: [`127.0.0.1:${bin.port}`], env: { VRSKY_DRAIN_MS: '2000' } });
  await plane.waitForReport(tenant, ({ pipelines }) => pipelines.length === 5 && pipelines.every(({ state }) => state === 'running'));
});
afterAll(async () => {
  await node?.[Symbol.asyncDispose]();
  await bin?.[Symbol.asyncDispose]();
  await plane?.[Symbol.asyncDispose]();
});

/** How the receiver behaves at a path. */
const behaviours: Record<string, () => BinBehaviour> = {};

async function ask(pipeline: TestPipeline, body: object | string, headers: Record<string, string> = {}, through = node) {
  const response = await fetch(`${through.ingestUrl}${pipeline.path}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
    signal: AbortSignal.timeout(30_000),
  });
  return {
    status: response.status,
    result: response.headers.get('vrsky-result'),
    id: response.headers.get('vrsky-message-id') ?? '',
    type: response.headers.get('content-type'),
    text: await response.text(),
  };
}
const repliesOf = async (result: string) =>
  Number(new RegExp(`vrsky_replies_total\\{tenant="${tenant.tenantId}",result="${result}"\\} (\\d+)`).exec(await node.metrics())?.[1] ?? 0);

describe('from the steps', () => {
  test('a sender gets what they made, before any receiver has it', async () => {
    expect(await ask(steps, { order: 7 })).toMatchObject({ status: 200, result: 'done', type: 'application/json', text: '{"order":7,"price":14}' });
    expect(await repliesOf('done')).toBe(1);
  });

  test('many senders at once get each their own', async () => {
    const asked = await Promise.all(Array.from({ length: 200 }, (_, i) => ask(steps, { order: i })));
    expect(asked.map(({ status, text }) => [status, text])).toEqual(asked.map((_, i) => [200, JSON.stringify({ order: i, price: i * 2 })]));
    expect(new Set(asked.map(({ id }) => id)).size).toBe(200);
  });

  test('without steps it gets its message back, as large as one may be', async () => {
    const body = 'x'.repeat(1_048_576);
    const { text, ...rest } = await ask(echo, body, { 'content-type': 'text/plain; charset=utf-8' });
    expect(rest).toMatchObject({ status: 200, result: 'done', type: 'text/plain; charset=utf-8' });
    expect(text === body).toBe(true);
  });

  test('of a message that is filtered out it gets nothing but that, and of one that fails why, once it is kept', async () => {
    expect(await ask(steps, { order: 7, say: 'drop' })).toMatchObject({ status: 204, result: 'filtered', text: '' });
    const { text, ...failed } = await ask(steps, { order: 7, say: 'fail' });
    expect(failed).toMatchObject({ status: 502, result: 'failed', type: 'application/problem+json' });
    expect(JSON.parse(text)).toMatchObject({ code: 'pipeline_failed', messageId: failed.id, detail: expect.stringContaining('no price for this order') });
    const [destination] = (await plane.waitForOutcome(tenant, failed.id)).destinations;
    expect(destination).toMatchObject({ state: 'dead_lettered' });
    expect(await plane.dlq(tenant, destination?.dlqSeq ?? 0)).not.toBeNull();
  });

  test('what the sender itself says about where a result goes changes nothing', async () => {
    const answer = await ask(steps, { order: 7 }, { 'vrsky-reply-to': 'nod_elsewhere', 'vrsky-message': 'msg_x' });
    expect(answer).toMatchObject({ status: 200, text: '{"order":7,"price":14}' });
  });
});

describe('from a destination', () => {
  test('a sender gets its status, content type and body, also when that took another attempt', async () => {
    let calls = 0;
    behaviours['/answer'] = () =>
      ++calls === 2 ? { status: 500 } : { status: 201, headers: { 'content-type': 'application/xml', 'set-cookie': 'a=1' }, body: `<order n="${calls}"/>` };
    expect(await ask(answer, { order: 1 })).toMatchObject({ status: 201, result: 'done', type: 'application/xml', text: '<order n="1"/>' });
    expect(await ask(answer, { order: 2 })).toMatchObject({ status: 201, result: 'done', text: '<order n="3"/>' });
  });

  test('that refuses the message it gets the reason, in the words of the trail', async () => {
    behaviours['/answer'] = () => ({ status: 400, body: 'internal: no such table' });
    const { text, ...refused } = await ask(answer, { order: 1 });
    expect(refused).toMatchObject({ status: 502, result: 'failed' });
    const [destination] = (await plane.waitForOutcome(tenant, refused.id)).destinations;
    expect(JSON.parse(text)).toMatchObject({ reasonCode: 'http_400', detail: expect.stringContaining(destination?.reason ?? 'nothing') });
    expect(text).not.toContain('no such table');
  });

  test('that takes the answer of another one it gets its answer, also over retries, and is told when the way there is cut', async () => {
    let calls = 0;
    behaviours['/orders'] = () => ({ headers: { 'content-type': 'text/plain' }, body: 'order 12' });
    behaviours['/mail'] = () => (++calls === 1 ? { status: 500 } : { status: 201, headers: { 'content-type': 'text/plain' }, body: 'sent' });
    expect(await ask(chain, 'hello')).toMatchObject({ status: 201, result: 'done', text: 'sent' });
    expect(bin.requests.filter(({ url }) => url === '/mail').map(({ body }) => body.toString())).toEqual(['mail about order 12', 'mail about order 12']);
    behaviours['/orders'] = () => ({ status: 400 });
    const cut = await ask(chain, 'hello');
    expect(cut).toMatchObject({ status: 502, result: 'failed' });
    expect(JSON.parse(cut.text)).toMatchObject({ reasonCode: 'http_400', messageId: cut.id });
  });

  test('whose answer is too large it is told that the message is delivered, and it is', async () => {
    behaviours['/answer'] = () => ({ body: Buffer.alloc(1_100_000, 'x') });
    const large = await ask(answer, { order: 1 });
    expect(large).toMatchObject({ status: 202, result: 'too_large' });
    expect((await plane.waitForOutcome(tenant, large.id)).destinations).toMatchObject([{ state: 'delivered', attempt: 1 }]);
    behaviours['/answer'] = () => ({ body: Buffer.alloc(1_000_000, 'x') });
    expect((await ask(answer, { order: 1 })).text).toHaveLength(1_000_000);
  });

  test('that is slow it is told in time that the result is pending; a stranger cannot answer meanwhile, and the message is delivered', async () => {
    behaviours['/slow'] = () => ({ delayMs: 1_500 });
    const asked = ask(slow, { order: 1 });
    const request = await eventually(() => bin.requests.findLast(({ url }) => url === '/slow') ?? false);
    const messageId = String(request.headers['idempotency-key'] ?? '').split('/')[0] ?? '';
    // All rights in the account of another tenant.
    const stranger = await plane.admin.tenant({ tenantId: other.tenantId, accountSeed: other.accountSeed });
    const forged = newHeaders();
    forged.set(REPLY_MESSAGE, messageId);
    const content = { status: 'done' as const, peerStatus: 0, contentType: 'text/plain', payload: Buffer.from('forged'), code: '', reason: '' };
    for (const { nodeId } of plane.enrolled) stranger.publish(subjects.reply(nodeId), encodeReply({ seq: 0, ...content }), { headers: forged });
    await stranger.flush();
    const pending = await asked;
    expect(pending).toMatchObject({ status: 202, result: 'pending', text: JSON.stringify({ messageId: pending.id }) });
    expect(pending.id).toBe(messageId);
    expect((await plane.waitForOutcome(tenant, pending.id)).destinations).toMatchObject([{ state: 'delivered', attempt: 1 }]);
    await eventually(async () => (await repliesOf('timeout')) === 1 && (await repliesOf('late')) === 1);
  });
});

describe('on bad days', () => {
  test('a sender that goes away leaves nothing behind: its message is delivered, and others are answered', async () => {
    behaviours['/answer'] = () => ({ delayMs: 300, body: 'late' });
    const impatient = new AbortController();
    const gone = fetch(`${node.ingestUrl}${answer.path}`, { method: 'POST', body: '{"order":99}', signal: impatient.signal });
    await eventually(() => bin.requests.some(({ body }) => body.toString() === '{"order":99}'));
    impatient.abort();
    await expect(gone).rejects.toThrow();
    expect(await ask(answer, { order: 2 })).toMatchObject({ status: 200, text: 'late' });
  });

  test('a result whose connector died meanwhile is nobody’s, and the next connector answers its own senders', async () => {
    behaviours['/answer'] = () => ({ delayMs: 500, body: 'late' });
    const lost = ask(answer, { order: 98 }).catch(() => 'lost');
    await eventually(() => bin.requests.some(({ body }) => body.toString() === '{"order":98}'));
    const before = await repliesOf('late');
    const lease = await plane.lease(plane.enrolled[0]?.nodeId ?? '');
    process.kill(lease?.connectors.find(({ name }) => name === 'http source')?.pid as number, 'SIGKILL');
    expect(await lost).toBe('lost');
    await eventually(async () => (await repliesOf('late')) === before + 1);
    behaviours['/answer'] = () => ({ body: 'here' });
    const isBack = async () => {
      const asked = await ask(answer, { order: 3 });
      return asked.status !== 503 && asked;
    };
    expect(await eventually(() => isBack().catch(() => false as const))).toMatchObject({ status: 200, text: 'here' });
  });

  test('whichever node of the pool works on a message, the sender at another one gets its result', async () => {
    const second = await startNode(plane, { egressAllow: [`127.0.0.1:${bin.port}`] });
    try {
      const [first] = plane.enrolled;
      await eventually(async () => (await plane.report(plane.enrolled[1]?.nodeId ?? '', tenant.tenantId))?.pipelines[0]?.state === 'running');
      const askMany = async () => {
        const asked = await Promise.all(Array.from({ length: 4 }, (_, i) => ask(steps, { order: i })));
        for (const [i, { status, text }] of asked.entries()) expect([status, text]).toEqual([200, JSON.stringify({ order: i, price: i * 2 })]);
        return asked.map(({ id }) => id);
      };
      const sent: string[] = [];
      const isOfAnother = () => tenant.trail.some(({ nodeId, messages }) => nodeId !== first?.nodeId && messages.some(({ id }) => sent.includes(id)));
      await eventually(async () => {
        if (!isOfAnother()) sent.push(...(await askMany()));
        return isOfAnother();
      });
    } finally {
      await second[Symbol.asyncDispose]();
    }
  });

  test('a node that stops tells those who still wait that their result is pending', async () => {
    behaviours['/answer'] = () => ({ hang: true });
    const asked = ask(answer, { order: 97 });
    await eventually(() => bin.requests.some(({ body }) => body.toString() === '{"order":97}'));
    const stopped = node.stop();
    expect(await asked).toMatchObject({ status: 202, result: 'pending' });
    await stopped;
  });
});
