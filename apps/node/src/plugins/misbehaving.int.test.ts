import { join } from 'node:path';
import type { Log } from '@vrsky/kernel/log';
import { repositoryRoot } from '@vrsky/testkit/config';
import { eventually } from '@vrsky/testkit/eventually';
import { buildGoPrograms, goMissing } from '@vrsky/testkit/go';
import { type Leftovers, watchLeftovers } from '@vrsky/testkit/leftovers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ConnectorHost, createConnectorHost, type ReceivedEntry } from './connector-host.ts';
import type { ConnectorTimes } from './connector-times.ts';
import { releaseAt } from './fixtures/release.test-support.ts';
import type { OutgoingMessage, SendOutcome } from './sends.ts';

// What the node guarantees whatever one of its connectors does: the others go on, every message has exactly one outcome, the customer is
// told why, and nothing is left. What a plugin may do before it is a connector is in packages/plugin/src/misbehaving.int.test.ts.

const program = join(repositoryRoot, 'packages', 'plugin', 'src', 'misbehaving', 'plugin.ts');
const connection = { connectionId: 'p/out', tenantId: 'cus_a', role: 'destination' as const, settings: {} };
const SEND_MS = 20_000;

const missing = goMissing();
const unless = missing === null ? '' : ` (skipped: ${missing})`;
/** Without a cache Go compiles for minutes on a busy machine. */
const BUILD_MS = 600_000;

let goProgram: string;
let neighbour: ConnectorHost;
let leftovers: Leftovers;
const hosts: ConnectorHost[] = [];
beforeAll(async () => {
  neighbour = create('healthy').host;
  await neighbour.start?.(new AbortController().signal);
  if (missing === null) goProgram = (await buildGoPrograms(['misbehave'])).misbehave;
}, BUILD_MS);
beforeEach(() => {
  leftovers = watchLeftovers();
});
afterEach(async () => {
  for (const host of hosts.splice(0)) await host[Symbol.asyncDispose]();
  await leftovers.expectNone();
  expect(await neighbour.send(message(), SEND_MS)).toMatchObject({ status: 'ok' });
  expect(neighbour.state()).toMatchObject({ state: 'running', restarts: 0 });
});
afterAll(async () => {
  await neighbour[Symbol.asyncDispose]();
});

describe('a connector that does not come up is tried again, and it is said why', () => {
  test.each<[manner: string, code: string, reason: RegExp]>([
    ['of-another-version', 'PLUGIN.VERSION', /^This connector was built for another version .* versions 7, 8 .* version 1\./],
    ['of-another-application', 'PLUGIN.COOKIE', /^This program is a plugin of another application/],
    ['prints-before-its-handshake', 'PLUGIN.HANDSHAKE', /^The connector’s first words are not those of a connector/],
    ['dies-in-describe', 'PLUGIN.DESCRIBE', /^The connector started, but does not say what it is. .* The connector ended by itself \(status 9\)./],
    ['describes-itself-in-garbage', 'PLUGIN.DESCRIBE', /^The connector started, but does not say what it is/],
    ['silent', 'PLUGIN.TIMEOUT', /^The connector was not ready within 0.5 s/],
  ])('%s', async (manner, code, reason) => {
    const host = begin(manner, { startMs: manner === 'silent' ? 500 : 20_000 });
    await eventually(() => host.state().reasonCode !== undefined);
    expect(host.state()).toMatchObject({ reasonCode: code, reason: expect.stringMatching(reason), pid: null });
    const outcome = await host.send(message(), 200);
    expect(outcome).toMatchObject({ status: 'retryable', source: 'plugin', code: 'connector_unavailable', reason: expect.stringMatching(reason) });
  });

  test('dies-in-configure', async () => {
    const host = await begun('dies-in-configure', { configureWaitMs: 2_000 });
    await expect(host.configure(1, [connection])).rejects.toMatchObject({ code: 'PLUGIN.UNAVAILABLE' });
    await eventually(() => host.state().reasonCode !== undefined);
    expect(host.state()).toMatchObject({
      reasonCode: 'PLUGIN.CONFIGURE',
      reason: expect.stringMatching(/^The connector could not take the new configuration. The connector ended by itself \(status 9\)\./),
    });
  });
});

describe('a connector that breaks the protocol is replaced, and nothing of what it said gets through', () => {
  test.each<[manner: string, code: string, reason: RegExp]>([
    ['exceeds-its-credit', 'PLUGIN.PROTOCOL', /^The connector broke the rules/],
    ['sends-what-cannot-be-read', 'PLUGIN.PROTOCOL', /^The connector broke the rules/],
    ['sends-empty-frames', 'PLUGIN.PROTOCOL', /^The connector broke the rules/],
    ['counts-too-far', 'PLUGIN.PROTOCOL', /^The connector broke the rules/],
    ['hangs-up', 'PLUGIN.HUNG_UP', /^The connector closed its line/],
    ['sends-100-megabytes-at-once', 'PLUGIN.FRAME_TOO_LARGE', /^The connector sent more at once than the platform takes/],
  ])('%s', async (manner, code, reason) => {
    const before = process.memoryUsage().rss;
    const host = begin(manner);
    const received: ReceivedEntry[] = [];
    host.onReceive((entries) => received.push(...entries));
    await eventually(() => host.state().restarts > 0 && host.state().reasonCode !== undefined);
    expect(host.state()).toMatchObject({ reasonCode: code, reason: expect.stringMatching(reason) });
    expect(received).toEqual([]);
    expect(process.memoryUsage().rss - before).toBeLessThan(90 * 1_048_576);
  });
});

describe('a connector that dies', () => {
  test('dies-in-the-middle-of-a-batch: every message has one outcome, and what had no result is for later', async () => {
    const host = await begun('dies-in-the-middle-of-a-batch');
    const outcomes = await sendMany(host, 10);
    const delivered = outcomes.filter(({ status }) => status === 'ok');
    const lost = outcomes.filter(({ status }) => status !== 'ok');
    expect(delivered.length).toBeLessThanOrEqual(5);
    for (const outcome of lost)
      expect(outcome).toMatchObject({ status: 'retryable', source: 'plugin', code: 'connector_stopped', reason: 'The connector ended by itself (status 9).' });
    expect(host.stats()).toMatchObject({ sendsInFlight: 0, sendsWaiting: 0 });
    await eventually(() => host.state().restarts > 0 && host.state().state === 'running', { what: 'the next process' });
  });

  test('dies-while-it-hands-over: what it handed over has its place, and late words for it meet nobody', async () => {
    const host = begin('dies-while-it-hands-over');
    const received: ReceivedEntry[] = [];
    host.onReceive((entries) => received.push(...entries));
    await eventually(() => host.state().restarts > 1 && host.state().reasonCode !== undefined);
    expect(host.state()).toMatchObject({ reasonCode: 'PLUGIN.ENDED', reason: expect.stringMatching(/^The connector ended by itself \(status 9\)\./) });
    expect(new Set(received.map(({ seq }) => seq)).size).toBe(received.length);
    for (const { seq } of received) host.ack(seq, 'stored', { messageId: 'msg_1' });
  });
});

describe('a connector that hangs is replaced, and what it had is for later', () => {
  test.each(['freezes-in-send', 'blocks-in-send'])('%s', async (manner) => {
    const host = await begun(manner, { pingEveryMs: 100, pingMs: 1_000 });
    const startedMs = performance.now();
    const outcomes = await sendMany(host, 5);
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: 'retryable', source: 'plugin', code: 'connector_stopped', reason: 'The connector stopped answering.' });
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });

  test('becomes-unhealthy: its own word is enough, and is passed on', async () => {
    const host = begin('becomes-unhealthy', { pingEveryMs: 100 });
    await eventually(() => host.state().reasonCode !== undefined);
    expect(host.state()).toMatchObject({ reasonCode: 'PLUGIN.UNHEALTHY', reason: expect.stringMatching(/^The connector says that it cannot work now\./) });
  });
});

describe('a connector that does not keep count', () => {
  test('gives-no-results: each message is answered for when its time is over, and the process is replaced', async () => {
    const host = await begun('gives-no-results');
    const outcomes = await sendMany(host, 40, 300);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'retryable', source: 'plugin', code: 'no_result' });
    await eventually(() => host.state().reasonCode !== undefined || host.state().restarts > 0);
    expect(await reasons(host)).toContain('PLUGIN.NO_RESULTS The connector takes messages, but gives no results.');
  });

  test.each<[string, 'unknown' | 'twice']>([
    ['answers-for-unknown-messages', 'unknown'],
    ['answers-twice', 'twice'],
  ])('%s: it is counted and said once, and beyond a bound the process is replaced', async (manner, kind) => {
    const { host, lines } = create(manner);
    hosts.push(host);
    await host.start?.(new AbortController().signal);
    for (const outcome of await sendMany(host, 3)) expect(outcome).toMatchObject({ status: 'ok' });
    await eventually(() => host.stats().strays[kind] === 3);
    expect(host.state()).toMatchObject({ state: 'running', restarts: 0 });
    for (const { status, code } of await sendMany(host, 1_200)) expect(status === 'ok' || code === 'connector_stopped').toBe(true);
    await eventually(() => host.state().restarts > 0 || host.state().reasonCode !== undefined);
    expect(lines.filter((line) => line.includes('further ones are only counted'))).toHaveLength(1);
    expect(lines.some((line) => line.includes('PLUGIN.PROTOCOL'))).toBe(true);
  });
});

test('answers-with-empty-frames: results count, and so many frames with none of them break the rules', async () => {
  const host = await begun('answers-with-empty-frames');
  for (const { status, code } of await sendMany(host, 3)) expect(status === 'ok' || code === 'connector_stopped').toBe(true);
  expect((await reasons(host))[0]).toMatch(/^PLUGIN.PROTOCOL/);
});

describe('a connector that does not want to end', () => {
  test('ignores-drain: it is waited for no longer than its time', async () => {
    const host = await begun('ignores-drain', { drainMs: 300 });
    await expect(host.drain?.(new AbortController().signal)).rejects.toMatchObject({ code: 'PLUGIN.DRAIN' });
  });

  test('ignores-drain: nor than the node has', async () => {
    const host = await begun('ignores-drain');
    const startedMs = performance.now();
    await host.drain?.(AbortSignal.timeout(200));
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  test('ignores-shutdown: it is killed', async () => {
    const host = await begun('ignores-shutdown', { exitMs: 300 });
    const startedMs = performance.now();
    await host[Symbol.asyncDispose]();
    expect(performance.now() - startedMs).toBeLessThan(3_000);
  });
});

describe('a connector that does more than it should', () => {
  test('floods-its-log: its neighbour’s messages go on, and our log stays small', async () => {
    const { host, lines } = create('floods-its-log');
    hosts.push(host);
    await host.start?.(new AbortController().signal);
    const startedMs = performance.now();
    for (let i = 0; i < 20; i++) for (const outcome of await sendMany(neighbour, 50)) expect(outcome).toMatchObject({ status: 'ok' });
    for (const outcome of await sendMany(host, 50)) expect(outcome).toMatchObject({ status: 'ok' });
    expect(lines.length).toBeLessThan(200 * (2 + (performance.now() - startedMs) / 1_000) + 20);
  });

  test('writes-odd-log-lines: what it says is under a key of its own', async () => {
    const { host, fields } = create('writes-odd-log-lines');
    hosts.push(host);
    await host.start?.(new AbortController().signal);
    const line = await eventually(
      () => fields.find((one) => (one.plugin as { fields?: { tenant?: string } } | undefined)?.fields?.tenant === 'cus_other') ?? false,
    );
    expect(Object.keys(line)).toEqual(['plugin']);
    expect(line.plugin).toMatchObject({ name: 'writes-odd-log-lines', fields: { level: 'fatal', plugin: { name: 'other' } } });
  });

  test.each(['closes-its-output', 'closes-its-log', 'removes-its-socket'])('%s: it goes on working', async (manner) => {
    const host = await begun(manner);
    await host.configure(1, [connection]);
    for (const outcome of await sendMany(host, 10)) expect(outcome).toMatchObject({ status: 'ok' });
    expect(host.state()).toMatchObject({ state: 'running', restarts: 0 });
  });

  test('escapes: when it is replaced, its children are gone too', async () => {
    const host = await begun('escapes');
    process.kill(host.state().pid as number, 'SIGKILL');
    expect(await host.send(message(), SEND_MS)).toMatchObject({ source: expect.any(String) });
  });
});

describe.skipIf(missing !== null)(`a connector in Go${unless}`, () => {
  test.each<[manner: string, code: string, reason: RegExp]>([
    ['exceeds-its-credit', 'PLUGIN.PROTOCOL', /The connector broke the rules/],
    ['sends-100-megabytes-at-once', 'PLUGIN.FRAME_TOO_LARGE', /The connector sent more at once than the platform takes/],
  ])('%s: is replaced, and nothing of what it said gets through', async (manner, code, reason) => {
    const host = begin(manner, {}, goProgram);
    const received: ReceivedEntry[] = [];
    host.onReceive((entries) => received.push(...entries));
    expect((await reasons(host))[0]).toMatch(new RegExp(`^${code} ${reason.source}`));
    expect(received).toEqual([]);
  });

  test.each<[manner: string, reason: RegExp]>([
    ['dies-in-the-middle-of-a-batch', /^PLUGIN.ENDED The connector ended by itself \(status 9\)/],
    ['panics', /^PLUGIN.ENDED The connector ended by itself \(status 2\)/],
    ['freezes-in-send', /^PLUGIN.DEAF The connector stopped answering/],
  ])('%s: every message has one outcome, and what had no result is for later', async (manner, reason) => {
    const host = await begun(manner, { pingEveryMs: 100, pingMs: 1_000 }, goProgram);
    const outcomes = await sendMany(host, 10);
    const lost = outcomes.filter(({ status }) => status !== 'ok');
    expect(lost.length).toBeGreaterThanOrEqual(5);
    for (const outcome of lost) expect(outcome).toMatchObject({ status: 'retryable', source: 'plugin', code: 'connector_stopped' });
    expect((await reasons(host))[0]).toMatch(reason);
  });

  test('panics: its stack is in our log as errors', async () => {
    const { host, levels } = create('panics', {}, goProgram);
    hosts.push(host);
    await host.start?.(new AbortController().signal);
    await sendMany(host, 1);
    await eventually(() => levels.some(([level, sentence]) => level === 'error' && sentence === 'panic: the message said so'));
    await eventually(() => levels.some(([level, sentence]) => level === 'error' && sentence.includes('misbehave/main.go')));
  });

  test('gives-no-results: each message is answered for when its time is over, and the process is replaced', async () => {
    const host = await begun('gives-no-results', {}, goProgram);
    for (const outcome of await sendMany(host, 40, 300)) expect(outcome).toMatchObject({ status: 'retryable', source: 'plugin', code: 'no_result' });
    expect((await reasons(host))[0]).toMatch(/^PLUGIN.NO_RESULTS/);
  });

  test.each<[string, 'unknown' | 'twice']>([
    ['answers-for-unknown-messages', 'unknown'],
    ['answers-twice', 'twice'],
  ])('%s: it is counted, and beyond a bound the process is replaced', async (manner, kind) => {
    const host = await begun(manner, {}, goProgram);
    for (const outcome of await sendMany(host, 3)) expect(outcome).toMatchObject({ status: 'ok' });
    expect(host.stats().strays[kind]).toBe(3);
    for (const { status, code } of await sendMany(host, 1_200)) expect(status === 'ok' || code === 'connector_stopped').toBe(true);
    expect((await reasons(host))[0]).toMatch(/^PLUGIN.PROTOCOL/);
  });

  test('ignores-drain and is then stopped: neither takes longer than its time', async () => {
    const host = await begun('ignores-drain', { drainMs: 300 }, goProgram);
    await expect(host.drain?.(new AbortController().signal)).rejects.toMatchObject({ code: 'PLUGIN.DRAIN' });
  });
});

/** A host and all that it logs: sentences with their code and cause, and the fields as they are. */
function create(manner: string, times: Partial<ConnectorTimes> = {}, executable = program) {
  const lines: string[] = [];
  const fields: Record<string, unknown>[] = [];
  const levels: [level: string, sentence: string][] = [];
  const recordAt =
    (level: string) =>
    (more: Record<string, unknown>, sentence: string): void => {
      fields.push(more);
      levels.push([level, sentence]);
      lines.push([sentence, more.code, more.cause].filter((word) => word !== undefined).join(' '));
    };
  const log = Object.fromEntries(['trace', 'debug', 'info', 'warn', 'error'].map((level) => [level, recordAt(level)])) as unknown as Log;
  const host = createConnectorHost({ name: manner, tenantId: null, release: releaseAt(executable), env: { MISBEHAVE: manner }, credit: 10, log, times });
  logs.set(host, lines);
  return { host, lines, fields, levels };
}
const logs = new WeakMap<ConnectorHost, string[]>();

/** Begins to start a host and does not wait for it. */
function begin(manner: string, times: Partial<ConnectorTimes> = {}, executable = program): ConnectorHost {
  const { host } = create(manner, times, executable);
  hosts.push(host);
  host.start?.(new AbortController().signal).catch(() => undefined); // its state says so
  return host;
}

async function begun(manner: string, times: Partial<ConnectorTimes> = {}, executable = program): Promise<ConnectorHost> {
  const { host } = create(manner, times, executable);
  hosts.push(host);
  await host.start?.(new AbortController().signal);
  return host;
}

/** Code and words of every end of a process so far; waits for the first. */
async function reasons(host: ConnectorHost): Promise<string[]> {
  const said = 'the connector is gone and will be started again ';
  return await eventually(() => {
    const ends = (logs.get(host) ?? []).filter((line) => line.startsWith(said)).map((line) => line.slice(said.length));
    return ends.length > 0 && ends;
  });
}

function sendMany(host: ConnectorHost, count: number, deadlineMs = SEND_MS): Promise<SendOutcome[]> {
  return Promise.all(Array.from({ length: count }, () => host.send(message(), deadlineMs)));
}

function message(): OutgoingMessage {
  return {
    connectionId: 'p/out',
    customerId: 'cus_a',
    pipelineId: 'p',
    messageId: 'msg_1',
    traceparent: '',
    tracestate: '',
    attempt: 1,
    headers: [],
    payload: Buffer.from('x'),
    contentType: 'text/plain',
  };
}
