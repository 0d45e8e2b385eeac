import { streamNames } from '@vrsky/contracts/subjects';
import { eventually } from '@vrsky/testkit/eventually';
import { freePort } from '@vrsky/testkit/ports';
import { type RequestBin, requestBin } from '@vrsky/testkit/request-bin';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Platform, START_MS, startPlatform } from './platform.ts';
import { rawRequest } from './raw-request.ts';
import type { Inbox } from './receiver.ts';
import { type Pipeline, send } from './tenant.ts';

// What customers and their peers do wrong: steps that misbehave, receivers that fail, requests that are none.

let platform: Platform;
/** On a port where at first nobody listens. */
let absentPort: number;

beforeAll(async () => {
  absentPort = await freePort();
  platform = await startPlatform({ egressAllow: [`127.0.0.1:${absentPort}`] });
}, START_MS);
afterAll(() => platform?.[Symbol.asyncDispose]());
beforeEach(({ onTestFailed }) => onTestFailed(() => console.error(platform.logs())));

describe('a step that misbehaves costs its message and no other', () => {
  const wrongs: Record<string, { code: string; says: RegExp }> = {
    'an endless loop': { code: 'for (;;);', says: /more than 20,000,000 instructions and was stopped/ },
    'a throw': { code: "throw new Error('no customer in this order');", says: /no customer in this order/ },
    'a throw of something that is no error': { code: "throw 'plain words';", says: /plain words/ },
    'a mistake that types do not catch': { code: 'return message.json().customer.name;', says: /cannot read property 'name'/ },
    '100 MB of output': { code: "return 'x'.repeat(100_000_000);", says: /more than 16 MiB of memory and was stopped/ },
    'a little too much output': { code: 'return new Uint8Array(1_048_577);', says: /made 1,048,577 bytes; at most 1,048,576 are allowed/ },
    'a catastrophic regular expression': {
      code: "return String(/^(a+)+$/.test('a'.repeat(40) + '!'));",
      says: /more than 20,000,000 instructions and was stopped/,
    },
    'endless recursion': { code: 'const dig = (depth: number): number => dig(depth + 1) + 1; return String(dig(0));', says: /too deep/ },
    'more memory than there is': { code: 'const kept: Uint8Array[] = []; for (;;) kept.push(new Uint8Array(1_000_000));', says: /more than 16 MiB of memory/ },
    'a promise that is never kept': { code: 'return new Promise<string>(() => {});', says: /promise that nothing settles/ },
    'an output that is no JSON': { code: 'const ring: Record<string, unknown> = {}; ring.ring = ring; return ring;', says: /cannot be written as JSON/ },
    'no output': { code: 'return undefined as unknown as string;', says: /returned undefined/ },
  };
  const names = Object.keys(wrongs);
  const source = `export default function (message: Message): string | object | Promise<string> {
  switch (message.headers.get('x-wrong')) {
${names.map((name, i) => `    case '${i}': { ${wrongs[name]?.code} }`).join('\n')}
    default: return message.text();
  }
}`;

  let inbox: Inbox;
  let pipeline: Pipeline;
  beforeAll(async () => {
    inbox = platform.receiver.at('steps');
    pipeline = await platform.acme.publish({ name: 'Misbehaving', steps: [{ id: 'work', kind: 'convert', source }], to: { out: { url: inbox.url } } });
  });

  test.each(names)('%s', { timeout: 60_000 }, async (name) => {
    const { acme } = platform;
    const before = inbox.requests().length;
    const [bad, good] = [await send(pipeline.ingestUrl, '{}', { 'x-wrong': String(names.indexOf(name)) }), await send(pipeline.ingestUrl, `"after ${name}"`)];
    const trail = await acme.trail(bad);
    expect(trail).toMatchObject({
      state: 'dead_lettered',
      steps: [{ id: 'work', result: 'failed' }],
      destinations: [{ id: 'out', state: 'dead_lettered', attempts: [{ peerStatus: null, reason: expect.stringMatching(wrongs[name]?.says as RegExp) }] }],
    });
    const letter = (await acme.deadLetters(pipeline)).find(({ messageId }) => messageId === bad);
    expect(letter).toMatchObject({ destinationId: 'out', code: expect.stringMatching(/^[a-z_]+$/), reason: trail.destinations[0]?.attempts[0]?.reason });
    // In a customer's words: which step, and nothing of our insides.
    expect(letter?.reason).toMatch(/^Step "work": \S.{10,}/);
    expect(letter?.reason).not.toMatch(/quickjs|wasm|worker|sandbox|node_modules|\bat \S+:\d+:\d+/i);

    expect((await acme.trail(good)).state).toBe('delivered');
    expect(
      inbox
        .requests()
        .slice(before)
        .map(({ body }) => body.toString()),
    ).toEqual([`"after ${name}"`]);
  });
});

test('the payloads of a message that failed name the line of the step', { timeout: 60_000 }, async () => {
  const { acme, receiver } = platform;
  const source = `export default function (message: Message) {
  const order = message.json();
  if (order.id % 2 === 1) throw new Error('order ' + order.id + ' is odd');
  return order;
}`;
  const pipeline = await acme.publish({ name: 'Odd', steps: [{ id: 'work', kind: 'convert', source }], to: { out: { url: receiver.at('odd').url } } });
  const id = await send(pipeline.ingestUrl, '{"id":7}');
  await acme.trail(id);
  const payloads = await acme.get(`/messages/${id}/payloads`);
  expect(payloads).toMatchObject({
    ok: true,
    input: { text: '{"id":7}' },
    steps: [{ id: 'work', result: 'failed', line: 3, reason: expect.stringContaining('order 7 is odd'), output: null }],
  });
});

describe('a destination that fails', () => {
  const attempts = 4;
  const retry = { attempts, initialMs: 300, maxMs: 5_000 };
  let pipeline: Pipeline;
  let id: string;
  const inboxes = {} as Record<'good' | 'slow' | 'broken' | 'busy' | 'strict', Inbox>;

  beforeAll(async () => {
    const { acme, receiver } = platform;
    for (const name of ['good', 'slow', 'broken', 'busy', 'strict'] as const) inboxes[name] = receiver.at(name);
    inboxes.slow.behave({ hang: true });
    inboxes.broken.behave({ status: 500, body: 'out of order' });
    inboxes.busy.behave({ status: 429, headers: { 'retry-after': '2' } });
    inboxes.strict.behave({ status: 400, body: '{"error":"no such customer"}' });
    pipeline = await acme.publish({
      name: 'To six',
      to: {
        good: { url: inboxes.good.url },
        down: { url: `http://127.0.0.1:${absentPort}/down`, retry },
        slow: { url: inboxes.slow.url, timeoutMs: 300, retry },
        broken: { url: inboxes.broken.url, retry },
        busy: { url: inboxes.busy.url, retry: { ...retry, attempts: 2 } },
        strict: { url: inboxes.strict.url, retry },
      },
    });
    id = await send(pipeline.ingestUrl, '{"order":1}');
  });

  test('shows while it is tried again: the attempts so far, why, and when the next one is', async () => {
    const trail = await platform.acme.trail(id, ({ destinations }) =>
      destinations.some(({ state, attempts: tried }) => state === 'retrying' && tried.length > 0),
    );
    const waiting = trail.destinations.find(({ state }) => state === 'retrying')?.attempts.at(-1);
    expect(waiting).toMatchObject({ reason: expect.stringMatching(/\w/), nextAt: expect.any(String) });
    expect(trail.state).toMatch(/retrying|dead_lettered/);
  });

  test('holds up no other', async () => {
    const trail = await platform.acme.trail(id, ({ destinations }) => destinations.some(({ id: name, state }) => name === 'good' && state === 'delivered'));
    expect(trail.destinations.find(({ id: name }) => name === 'good')).toMatchObject({ attempts: [{ attempt: 1, state: 'delivered', peerStatus: 200 }] });
  });

  test.each([
    ['down', attempts, null, null, /Nothing accepts connections at 127\.0\.0\.1/],
    ['slow', attempts, null, null, /did not answer within 300 ms/],
    ['broken', attempts, 500, 'out of order', /answered 500/],
    ['busy', 2, 429, null, /answered 429 and asks to wait 2 s/],
    ['strict', 1, 400, '{"error":"no such customer"}', /answered 400/],
  ] as const)('%s: %i attempts with growing waits, then the dead letters', { timeout: 60_000 }, async (name, count, peerStatus, peerAnswer, says) => {
    const { acme } = platform;
    const trail = await acme.trail(id);
    const destination = trail.destinations.find((item) => item.id === name);
    expect(destination?.state).toBe('dead_lettered');
    expect(destination?.attempts.map(({ attempt }) => attempt)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    for (const attempt of destination?.attempts ?? []) expect(attempt).toMatchObject({ peerStatus, reason: expect.stringMatching(says) });
    if (peerAnswer !== null) expect(destination?.attempts.at(-1)?.peerAnswer).toBe(peerAnswer);
    const letter = (await acme.deadLetters(pipeline)).find(({ destinationId }) => destinationId === name);
    expect(letter).toMatchObject({ messageId: id, attempts: count, peerStatus, reason: expect.stringMatching(says), resentAs: null });

    // The n-th wait is between half of 300 ms · 2ⁿ⁻¹ and all of it, or as long as the receiver asked.
    const waits = waitsOf(destination?.attempts ?? []);
    const least = waits.map((_, i) => (name === 'busy' ? 2_000 : 150 * 2 ** i));
    expect(
      waits.map((wait, i) => wait.plannedMs >= (least[i] ?? 0) - 5 && wait.actualMs >= (least[i] ?? 0) - 5),
      JSON.stringify(waits),
    ).toEqual(waits.map(() => true));
    if (waits.length > 2) expect(waits.at(-1)?.plannedMs).toBeGreaterThan(waits[0]?.plannedMs ?? 0);
  });

  test('got each attempt under one Idempotency-Key of its own', async () => {
    await platform.acme.trail(id);
    const keys = Object.entries(inboxes).map(([name, inbox]) => ({ name, keys: inbox.requests().map(({ headers }) => headers['idempotency-key']) }));
    for (const { name, keys: own } of keys) expect(new Set(own).size, name).toBe(1);
    expect(keys.map(({ keys: own }) => own.length)).toEqual([1, attempts, attempts, 2, 1]);
    expect(new Set(keys.flatMap(({ keys: own }) => own)).size).toBe(keys.length);
  });

  test('mended, takes the dead letter that is sent again; the others get nothing', { timeout: 60_000 }, async () => {
    const { acme } = platform;
    await acme.trail(id);
    const before = Object.values(inboxes).map((inbox) => inbox.requests().length);
    for (const inbox of Object.values(inboxes)) inbox.behave({});
    await using back: RequestBin = await requestBin({ port: absentPort });
    for (const name of ['down', 'slow', 'broken', 'busy', 'strict']) {
      const answer = await acme.call('POST', `/dead-letters/${id}/${name}/resend`);
      expect(answer, name).toMatchObject({ status: 202, body: { messageId: expect.stringMatching(/^msg_/) } });
      const { messageId } = answer.body as { messageId: string };
      const trail = await acme.trail(messageId);
      expect(trail, name).toMatchObject({ state: 'delivered', replayOf: id, destinations: [{ id: name, attempts: [{ attempt: 1, peerStatus: 200 }] }] });
      const letter = (await acme.deadLetters(pipeline)).find(({ destinationId, messageId: of }) => destinationId === name && of === id);
      expect(letter, name).toMatchObject({ resentAs: messageId, resentAt: expect.any(String) });
    }
    expect(Object.values(inboxes).map((inbox, i) => inbox.requests().length - (before[i] ?? 0))).toEqual([0, 1, 1, 1, 1]);
    expect(back.requests.map(({ body }) => body.toString())).toEqual(['{"order":1}']);
    expect((await acme.trail(id)).state).toBe('dead_lettered'); // what was, stays told
  });
});

describe('a request that is no message', () => {
  let inbox: Inbox;
  let pipeline: Pipeline;
  beforeAll(async () => {
    inbox = platform.receiver.at('plain');
    pipeline = await platform.acme.publish({ name: 'Plain', to: { out: { url: inbox.url } } });
  });

  /** Messages of every tenant that the streams hold: where no API looks. */
  async function storedMessages(): Promise<number> {
    let sum = 0;
    for (const tenant of [platform.acme, platform.globex]) {
      const nc = await platform.bus.tenant(await platform.account(tenant));
      for (const stream of [streamNames.ingest, streamNames.dlq]) {
        const answer = await nc.request(`$JS.API.STREAM.INFO.${stream}`);
        sum += answer.json<{ state: { messages: number } }>().state.messages;
      }
    }
    return sum;
  }

  test('is answered with a problem that says what to do, and nothing of it is stored', { timeout: 60_000 }, async () => {
    const url = pipeline.ingestUrl;
    const path = new URL(url).pathname;
    const http = (line: string, headers: string[], body = ''): string =>
      `${line} HTTP/1.1\r\nhost: x\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n${body}`;
    const big = 'x'.repeat(2 * 1_048_576);
    const requests: [name: string, bytes: string, status: number][] = [
      ['2 MB', http(`POST ${path}`, [`content-length: ${big.length}`], big), 413],
      ['2 MB in chunks', http(`POST ${path}`, ['transfer-encoding: chunked'], `${big.length.toString(16)}\r\n${big}\r\n0\r\n\r\n`), 413],
      ['one byte too many', http(`POST ${path}`, ['content-length: 1048577'], 'x'.repeat(1_048_577)), 413],
      ['GET', http(`GET ${path}`, []), 405],
      ['DELETE', http(`DELETE ${path}`, []), 405],
      ['PATCH with a body', http(`PATCH ${path}`, ['content-length: 2'], '{}'), 405],
      ['an unknown URL', http('POST /in/in_000000000000000000000000', ['content-length: 2'], '{}'), 404],
      ['a URL of nothing', http('POST /', ['content-length: 2'], '{}'), 404],
      ['a way around the path', http(`POST /x/..${path}`, ['content-length: 2'], '{}'), 404],
      ['a chunk without a length', http(`POST ${path}`, ['transfer-encoding: chunked'], 'ZZ\r\n{}\r\n0\r\n\r\n'), 400],
      ['a chunk longer than it says', http(`POST ${path}`, ['transfer-encoding: chunked'], '1\r\n{}{}{}\r\n0\r\n\r\n'), 400],
      ['length and chunks at once', http(`POST ${path}`, ['content-length: 2', 'transfer-encoding: chunked'], '0\r\n\r\n'), 400],
      ['two lengths', http(`POST ${path}`, ['content-length: 2', 'content-length: 3'], '{}'), 400],
      ['no HTTP at all', 'HELLO\r\n\r\n', 400],
      ['compressed', http(`POST ${path}`, ['content-encoding: gzip', 'content-length: 2'], '{}'), 415],
      ['headers without end', http(`POST ${path}`, [`x-much: ${'x'.repeat(20_000)}`, 'content-length: 0']), 431],
    ];
    const before = await storedMessages();
    for (const [name, bytes, status] of requests) {
      const answer = await rawRequest(url, bytes);
      expect(answer, name).toMatchObject({ status, contentType: 'application/problem+json' });
      expect(JSON.parse(answer.body), name).toMatchObject({
        status,
        title: expect.stringMatching(/\w/),
        detail: expect.stringMatching(/\w+ \w+/),
        type: expect.stringMatching(/^urn:/),
      });
    }
    // Senders that break off in the middle send nothing.
    await rawRequest(url, http(`POST ${path}`, ['content-length: 100'], '{"half":'), 500).catch(() => {});
    await rawRequest(url, http(`POST ${path}`, ['transfer-encoding: chunked'], '8\r\n{"half":\r\n'), 500).catch(() => {});
    expect(await storedMessages()).toBe(before);
    expect(await platform.acme.messages(pipeline)).toEqual([]);

    // The same counting sees a message when there is one.
    const id = await send(url, '{"whole":true}');
    await platform.acme.trail(id);
    await eventually(async () => (await storedMessages()) === before + 1);
    expect(inbox.requests().map(({ body }) => body.toString())).toEqual(['{"whole":true}']);
  });
});

interface Tried {
  at: string | null;
  durationUs: number | null;
  nextAt: string | null;
}

/** Between one attempt's end and the next: as the trail announced it, and as it was. */
function waitsOf(attempts: readonly Tried[]): { plannedMs: number; actualMs: number }[] {
  return attempts.slice(0, -1).map((tried, i) => {
    const endMs = Date.parse(tried.at ?? '') + (tried.durationUs ?? 0) / 1_000;
    return { plannedMs: Date.parse(tried.nextAt ?? '') - endMs, actualMs: Date.parse(attempts[i + 1]?.at ?? '') - endMs };
  });
}
