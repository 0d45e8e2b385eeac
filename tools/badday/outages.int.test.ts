import { eventually } from '@vrsky/testkit/eventually';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Platform, START_MS, startPlatform } from './platform.ts';
import type { Inbox } from './receiver.ts';
import { type Answer, type Pipeline, post, send } from './tenant.ts';

// Parts of the platform are away for a while, one after the other, and come back.

let platform: Platform;
let inbox: Inbox;
let pipeline: Pipeline;

beforeAll(async () => {
  platform = await startPlatform();
  inbox = platform.receiver.at('orders');
  pipeline = await platform.acme.publish({
    name: 'Orders',
    steps: [{ id: 'same', kind: 'convert', source: 'export default (message: Message) => message.json();' }],
    to: { out: { url: inbox.url } },
  });
}, START_MS);
afterAll(() => platform?.[Symbol.asyncDispose]());
beforeEach(({ onTestFailed }) => onTestFailed(() => console.error(platform.logs())));

/** Sends so many messages, each of which has to be accepted and to arrive; gives back their ids. */
async function delivers(count: number, name: string): Promise<string[]> {
  const names = Array.from({ length: count }, (_, i) => `${name} ${i}`);
  const ids = await Promise.all(names.map((text) => send(pipeline.ingestUrl, JSON.stringify({ name: text }))));
  await eventually(() => names.every((text) => timesArrived(text) > 0), { timeoutMs: 30_000, what: `${count} messages "${name}" to arrive` });
  return ids;
}

function timesArrived(name: string): number {
  return inbox.requests().filter(({ body }) => (JSON.parse(body.toString()) as { name: string }).name === name).length;
}

describe('without console, worker and Postgres', () => {
  const ids: string[] = [];

  test('messages flow, and a node that crashes serves again from its last good bundle', { timeout: 180_000 }, async () => {
    const { console: web, worker, postgres, node } = platform.stack.parts;
    await Promise.all([web.kill(), worker.kill()]);
    await postgres.kill();
    ids.push(...(await delivers(50, 'no control plane')));
    await node.kill();
    await node.start();
    ids.push(...(await delivers(50, 'node started alone')));
    await node.stop();
    await node.start();
    ids.push(...(await delivers(50, 'node restarted in order')));
  });

  test('once they are back, the trail has every one of these messages', { timeout: 180_000 }, async () => {
    const { console: web, worker, postgres } = platform.stack.parts;
    await postgres.start();
    await Promise.all([worker.start(), web.start()]);
    const states = await eventually(
      async () => {
        const rows = new Map((await platform.acme.messages(pipeline)).map((row) => [row.id, row.state]));
        const found = ids.map((id) => rows.get(id));
        if (found.includes(undefined)) throw new Error(`${found.filter((state) => state === undefined).length} of ${ids.length} are missing`);
        return found;
      },
      { timeoutMs: 60_000, everyMs: 200, what: 'the trail to catch up' },
    );
    expect(states).toEqual(ids.map(() => 'delivered'));
    await platform.acme.waitUntilApplied(pipeline);
  });
});

test('Postgres away alone: the API says so for the moment, traffic flows, and both recover by themselves', { timeout: 180_000 }, async () => {
  const { acme, stack } = platform;
  await stack.parts.postgres.kill();
  const refused = await eventually(
    async () => {
      const answer = await acme.call('GET', '/pipelines');
      return answer.status === 503 && answer;
    },
    { timeoutMs: 30_000, what: 'the API to answer 503' },
  );
  expect(refused.headers.get('content-type')).toContain('application/problem+json');
  expect(refused.body).toMatchObject({ status: 503, detail: expect.stringMatching(/\w{3,} \w+/), requestId: expect.any(String) });
  expect((await fetch(`${stack.dev.console}/api/health/ready`)).status).toBe(503);
  const [id] = (await delivers(1, 'no database')) as [string];
  await stack.parts.postgres.start();
  await acme.trail(id, undefined, 60_000);
  expect((await acme.call('GET', '/pipelines')).status).toBe(200);
});

describe('without NATS', () => {
  test('a sender hears 503 with Retry-After and a problem; what was refused never arrives by itself, and arrives once when it is sent again', {
    timeout: 180_000,
  }, async () => {
    const { nats } = platform.stack.parts;
    await nats.kill();
    // From the first refusal on the node knows. Before it, a message may lie in the stream although its sender heard 503: nobody can tell.
    await eventually(async () => (await post(pipeline.ingestUrl, '{"name":"probe"}')).status === 503, { timeoutMs: 30_000, what: 'a refusal' });
    const names = Array.from({ length: 100 }, (_, i) => `refused ${i}`);
    const answers = await Promise.all(names.map((name) => post(pipeline.ingestUrl, JSON.stringify({ name }))));
    for (const answer of answers) expectRefusal(answer);
    expect((await nodeReadiness()).status).toBe(503);

    await nats.start();
    await eventually(async () => (await post(pipeline.ingestUrl, '{"name":"probe"}')).status === 202, { timeoutMs: 30_000, what: 'NATS to be used again' });
    await eventually(async () => (await nodeReadiness()).status === 200, { timeoutMs: 30_000, what: 'the node to be ready' });
    // Packs of a pipeline arrive in order of their storage, so whatever had been kept of the refused ones would be here by now.
    await delivers(20, 'after the outage');
    expect(names.map(timesArrived)).toEqual(names.map(() => 0));
    const ids = await Promise.all(names.map((name) => send(pipeline.ingestUrl, JSON.stringify({ name }))));
    await Promise.all(ids.map((id) => platform.acme.trail(id, undefined, 60_000)));
    expect(names.map(timesArrived)).toEqual(names.map(() => 1));
  });

  test('a pipeline can be published, and runs as soon as NATS is back', { timeout: 180_000 }, async () => {
    const { acme, stack } = platform;
    await stack.parts.nats.stop();
    pipeline = await acme.release(
      {
        name: 'Orders',
        steps: [{ id: 'mark', kind: 'convert', source: 'export default (message: Message) => ({ ...message.json(), marked: true });' }],
        to: { out: { url: inbox.url } },
      },
      pipeline,
    );
    expect((await acme.rollout(pipeline)).map(({ state }) => state)).not.toContain('applied');
    await stack.parts.nats.start();
    await acme.waitUntilApplied(pipeline);
    await delivers(1, 'new revision');
    expect(JSON.parse(inbox.requests().at(-1)?.body.toString() ?? '')).toEqual({ name: 'new revision 0', marked: true });
  });

  test('the API says what it cannot do now and when to come again', { timeout: 180_000 }, async () => {
    const { acme, receiver, stack } = platform;
    const strict = receiver.at('strict');
    strict.behave({ status: 400 });
    const made = await acme.publish({ name: 'Strict', to: { out: { url: strict.url } } });
    const id = await send(made.ingestUrl, '{}');
    await acme.trail(id);
    await stack.parts.nats.kill();
    const answer = await eventually(
      async () => {
        const tried = await acme.call('POST', `/dead-letters/${id}/out/resend`);
        return tried.status === 503 && tried;
      },
      { timeoutMs: 30_000, what: 'the API to answer 503' },
    );
    expectRefusal(answer);
    // What was read before is still there to read.
    expect((await acme.call('GET', `/messages/${id}`)).status).toBe(200);
    await stack.parts.nats.start();
    strict.behave({});
    const sent = await eventually(
      async () => {
        const tried = await acme.call('POST', `/dead-letters/${id}/out/resend`);
        return tried.status === 202 && (tried.body as { messageId: string });
      },
      { timeoutMs: 30_000, what: 'the dead letter to be taken' },
    );
    expect((await acme.trail(sent.messageId)).state).toBe('delivered');
  });
});

function expectRefusal({ status, headers, body }: Answer): void {
  expect(status).toBe(503);
  expect(headers.get('content-type')).toContain('application/problem+json');
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  expect(body).toMatchObject({ status: 503, title: expect.any(String), detail: expect.stringMatching(/again/) });
}

async function nodeReadiness(): Promise<{ status: number }> {
  const ready = new URL('/ready', platform.stack.dev.metrics.node);
  const response = await fetch(ready);
  await response.body?.cancel();
  return { status: response.status };
}
