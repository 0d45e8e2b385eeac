import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '@vrsky/kernel/log';
import { decodeMessage } from '@vrsky/proto/message-codec';
import { eventually } from '@vrsky/testkit/eventually';
import { afterEach, describe, expect, test } from 'vitest';
import { type ConnectorHost, createConnectorHost, type ReceivedEntry } from './connector-host.ts';
import { releaseAt } from './fixtures/release.test-support.ts';
import type { OutgoingMessage } from './sends.ts';

interface Line {
  level: string;
  message: string;
  fields: Record<string, unknown>;
}

const executable = join(import.meta.dirname, 'fixtures', 'echo-connector.ts');
const hosts: ConnectorHost[] = [];
const dirs: string[] = [];
afterEach(async () => {
  for (const host of hosts.splice(0)) await host[Symbol.asyncDispose]();
  for (const dir of dirs.splice(0)) await rm(dir, { recursive: true, force: true });
});

describe('a connector', () => {
  test('is started, configured, and reports what it is and uses', async () => {
    const { host } = await start();
    expect(
      await host.configure(1, [
        { connectionId: 'p/good', tenantId: 'cus_a', role: 'destination', settings: {} },
        { connectionId: 'p/bad', tenantId: 'cus_a', role: 'destination', settings: { wrong: true } },
      ]),
    ).toEqual([{ connectionId: 'p/bad', errors: [{ path: '/wrong', message: 'This is wrong.' }] }]);
    expect(host.state()).toMatchObject({ name: 'echo', version: '1.2.3', state: 'running', restarts: 0, pid: expect.any(Number) });
    expect(host.state().cpuSeconds).toBeGreaterThan(0);
    expect(host.state().rssBytes).toBeGreaterThan(10_000_000);
    expect(host.stats().handshakeMs).toBeGreaterThan(1);
  });

  test('delivers messages and answers each once, with the ids we gave', async () => {
    const { host } = await start();
    const outcomes = await Promise.all(Array.from({ length: 1_000 }, (_, i) => host.send(message(`text ${i}`, `msg_${i}`), 10_000)));
    for (const [i, outcome] of outcomes.entries()) {
      expect(outcome).toMatchObject({ status: 'ok', source: 'downstream', peerStatus: 200, startedAtMs: 1, durationUs: 5 });
      expect(Buffer.from(outcome.peerAnswer).toString()).toBe(`cus_a msg_${i} 3 text ${i}`);
    }
  });

  test('says why a delivery failed', async () => {
    const { host } = await start();
    expect(await host.send(message('permanent'), 5_000)).toMatchObject({
      status: 'permanent',
      source: 'downstream',
      code: 'http_400',
      reason: 'The receiver refuses it.',
      peerStatus: 400,
    });
    expect(await host.send(message('throw'), 5_000)).toMatchObject({ status: 'retryable', source: 'plugin', code: 'connector_fault' });
  });

  test('that gives no result in time is answered for', async () => {
    const { host } = await start();
    expect(await host.send(message('hang'), 200)).toMatchObject({ status: 'retryable', source: 'plugin', code: 'no_result' });
    expect(host.stats().sendsInFlight).toBe(0);
  });

  test('hands messages over within its credit, and hears what became of each', async () => {
    const { host, lines } = await start({ credit: 10 });
    const held: ReceivedEntry[] = [];
    let mostHeld = 0;
    host.onReceive((entries) => {
      held.push(...entries);
      mostHeld = Math.max(mostHeld, held.length);
      setImmediate(() => {
        for (const entry of held.splice(0)) host.ack(entry.seq, 'stored', { messageId: `msg_${decodeMessage(entry.raw).headers[0]?.[1]}` });
      });
    });
    await host.configure(1, [{ connectionId: 'p/source', tenantId: 'cus_a', role: 'source', settings: { messages: 150 } }]);
    await eventually(() => receipts(lines).length === 150);
    expect(mostHeld).toBeLessThanOrEqual(10);
    expect(receipts(lines).every(({ text, status, messageId }) => status === 'stored' && messageId === `msg_${text}`)).toBe(true);
  });

  test.each(['unavailable', 'exhausted', 'too_large', 'not_found'] as const)('hears `%s` as it is', async (status) => {
    const { host, lines } = await start();
    host.onReceive((entries) => {
      for (const entry of entries) host.ack(entry.seq, status, { messageId: 'msg_not_for_it', retryAfterMs: 1_234 });
    });
    await host.configure(1, [{ connectionId: 'p/source', tenantId: 'cus_a', role: 'source', settings: { messages: 1 } }]);
    const receipt = await eventually(() => receipts(lines)[0] ?? false);
    expect(receipt).toMatchObject({ status, messageId: '', retryAfterMs: 1_234 });
  });
});

describe('a connector that dies', () => {
  test('by kill -9 under load is replaced; every pending send is answered, and messages flow again both ways', async () => {
    const { host, lines } = await start({ credit: 100 });
    const received: ReceivedEntry[] = [];
    host.onReceive((entries) => {
      received.push(...entries);
      for (const entry of entries) host.ack(entry.seq, 'stored', { messageId: 'msg_1' });
    });
    await host.configure(4, [{ connectionId: 'p/source', tenantId: 'cus_a', role: 'source', settings: { messages: 20 } }]);
    await eventually(() => receipts(lines).length === 20);
    const firstPid = host.state().pid as number;

    const pending = Array.from({ length: 500 }, () => host.send(message('hang'), 30_000));
    const load = loadUntil(host, () => host.state().restarts > 0 && host.state().state === 'running');
    await eventually(() => host.stats().sendsInFlight >= 500);
    process.kill(firstPid, 'SIGKILL');

    for (const outcome of await Promise.all(pending)) expect(outcome).toMatchObject({ status: 'retryable', source: 'plugin', code: 'connector_stopped' });
    for (const outcome of await load) expect(outcome.status === 'ok' || outcome.code === 'connector_stopped').toBe(true);
    const state = host.state();
    expect(state).toMatchObject({ state: 'running', restarts: 1 });
    expect(state.pid).not.toBe(firstPid);
    await eventually(() => received.length >= 40, { what: 'the same source, configured anew, to hand over again' });
    expect(await host.send(message('after'), 10_000)).toMatchObject({ status: 'ok' });
  });

  test('takes an older acknowledgement with it: the new process never hears it', async () => {
    const { host, lines } = await start();
    const received: ReceivedEntry[] = [];
    host.onReceive((entries) => received.push(...entries));
    await host.configure(1, [{ connectionId: 'p/source', tenantId: 'cus_a', role: 'source', settings: { messages: 3 } }]);
    await eventually(() => received.length === 3);
    process.kill(host.state().pid as number, 'SIGKILL');
    await eventually(() => received.length === 6, { what: 'the new process to hand over' });
    for (const entry of received.slice(0, 3)) host.ack(entry.seq, 'too_large', { messageId: '' });
    for (const entry of received.slice(3)) host.ack(entry.seq, 'stored', { messageId: 'msg_new' });
    await eventually(() => receipts(lines).length === 3);
    expect(receipts(lines).map((receipt) => receipt.status)).toEqual(['stored', 'stored', 'stored']);
  });

  test('a message sent while there is no process waits for the next one', async () => {
    const { host } = await start();
    expect(await host.send(message('exit'), 10_000)).toMatchObject({ status: 'retryable', source: 'plugin' });
    expect(await host.send(message('waits'), 10_000)).toMatchObject({ status: 'ok' });
  });

  test('a new set of connections asked for while there is no process is applied to the next one', async () => {
    const { host, lines } = await start();
    process.kill(host.state().pid as number, 'SIGKILL');
    await host.configure(9, [{ connectionId: 'p/new', tenantId: 'cus_a', role: 'destination', settings: {} }]);
    await eventually(() => lines.some((line) => line.message === 'configured' && JSON.stringify(line.fields).includes('p/new')));
  });
});

describe('an upgrade in place', () => {
  test('gives every message under load one good outcome, from one of the two versions', async () => {
    const { host, events } = await start();
    await host.configure(1, [{ connectionId: 'p/out', tenantId: 'cus_a', role: 'destination', settings: {} }]);
    const before = host.state();
    let upgraded = false;
    const load = loadUntil(host, () => upgraded);
    await eventually(() => host.stats().sendsInFlight > 0);
    expect(await host.upgrade(await version('1.3.0'))).toBe(true);
    upgraded = true;
    const outcomes = await load;
    expect(outcomes.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(host.state()).toMatchObject({ version: '1.3.0', state: 'running', restarts: 0 });
    expect(host.state().pid).not.toBe(before.pid);
    expect(() => process.kill(before.pid as number, 0)).toThrow();
    expect(host.state().cpuSeconds).toBeGreaterThan(before.cpuSeconds);
    expect(await host.send(message('after'), 10_000)).toMatchObject({ status: 'ok' });
    expect(events).toContainEqual({ kind: 'upgraded', version: '1.3.0', reason: expect.stringContaining('from 1.2.3 to 1.3.0') });
  });

  test('is refused when the new version does not accept what runs, and the old process goes on untouched', async () => {
    const { host, events } = await start();
    await host.configure(1, [{ connectionId: 'p/out', tenantId: 'cus_a', role: 'destination', settings: { old: true } }]);
    const { pid } = host.state();
    expect(await host.upgrade(await version('2.0.0'))).toBe(false);
    expect(host.state()).toMatchObject({ pid, version: '1.2.3', state: 'running', reason: expect.stringContaining('no longer supported') });
    expect(events).toContainEqual({ kind: 'refused', version: '1.2.3', reason: expect.stringContaining('The version before it goes on.') });
    expect(await host.send(message('goes on'), 10_000)).toMatchObject({ status: 'ok' });
  });

  test('to a program that does not start is refused with its reason, and the old process goes on', async () => {
    const { host } = await start();
    const { pid } = host.state();
    expect(await host.upgrade(releaseAt('/bin/false'))).toBe(false);
    expect(host.state()).toMatchObject({ pid, state: 'running', reason: expect.stringMatching(/new version did not start.*ended before it was ready/) });
    expect(host.state().reason).not.toContain('/bin/false');
  });

  test('is tried at once when the old version does not even start', async () => {
    const { host, starting } = create({ executable: '/bin/false' });
    await eventually(() => host.state().state === 'restarting');
    await host.upgrade(releaseAt(executable));
    await starting;
    expect(host.state()).toMatchObject({ state: 'running', version: '1.2.3' });
  });

  test('gives what the old version does not finish in time to the new one as a retry, never silently', async () => {
    const { host } = await start();
    const pending = host.send(message('hang'), 60_000);
    await eventually(() => host.stats().sendsInFlight === 1);
    const upgrading = host.upgrade(await version('1.3.0'));
    process.kill(host.state().pid as number, 'SIGKILL');
    expect(await pending).toMatchObject({ status: 'retryable', source: 'plugin', code: 'connector_stopped' });
    await upgrading;
    await eventually(() => host.state().version === '1.3.0' && host.state().state === 'running');
  });
});

describe('the host', () => {
  test('gives up to start what fails again and again, with the reason', async () => {
    const { host, starting } = create({ executable: '/bin/false' });
    await expect(starting).rejects.toMatchObject({ code: 'PLUGIN.UNAVAILABLE', message: expect.stringContaining('PLUGIN.EXITED') });
    expect(host.state()).toMatchObject({ state: 'stopped', pid: null, reason: expect.stringContaining('again and again'), reasonCode: 'PLUGIN.EXITED' });
  });

  test('stops in the middle of a start', async () => {
    const { host, starting, stop } = create({ executable: '/bin/cat' });
    stop.abort();
    await starting;
    await host[Symbol.asyncDispose]();
    expect(host.state().state).toBe('stopped');
  });

  test('leaves no process behind and answers every message when it is disposed of', async () => {
    const { host } = await start();
    const { pid } = host.state();
    const pending = host.send(message('hang'), 60_000);
    await host[Symbol.asyncDispose]();
    expect(await pending).toMatchObject({ status: 'retryable', code: 'node_stopping' });
    expect(() => process.kill(pid as number, 0)).toThrow();
    expect(await host.send(message('late'), 1_000)).toMatchObject({ status: 'retryable', source: 'plugin' });
  });
});

/** The same connector under the name of another version. */
async function version(number: string) {
  const dir = await mkdtemp(join(tmpdir(), 'vrsky-version-'));
  dirs.push(dir);
  const link = join(dir, `echo@${number}`);
  await symlink(executable, link);
  return releaseAt(link);
}

function create(o: { credit?: number; executable?: string } = {}) {
  const lines: Line[] = [];
  const events: unknown[] = [];
  const host = createConnectorHost({
    name: 'echo',
    tenantId: null,
    release: releaseAt(o.executable ?? executable),
    env: {},
    credit: o.credit ?? 4_096,
    onEvent: (event) => events.push(event),
    log: recorder(lines),
  });
  hosts.push(host);
  const stop = new AbortController();
  return { host, lines, events, stop, starting: host.start?.(stop.signal) };
}

async function start(o: { credit?: number } = {}) {
  const created = create(o);
  await created.starting;
  return created;
}

/** Keeps ten sends going until `enough`; gives back all outcomes. */
async function loadUntil(host: ConnectorHost, enough: () => boolean) {
  const outcomes: Awaited<ReturnType<ConnectorHost['send']>>[] = [];
  const worker = async (): Promise<void> => {
    while (!enough()) outcomes.push(await host.send(message('load'), 20_000));
  };
  await Promise.all(Array.from({ length: 10 }, worker));
  return outcomes;
}

function message(text: string, messageId = 'msg_1'): OutgoingMessage {
  return {
    connectionId: 'p/out',
    customerId: 'cus_a',
    pipelineId: 'p',
    messageId,
    traceparent: '',
    tracestate: '',
    attempt: 3,
    headers: [],
    payload: Buffer.from(text),
    contentType: 'text/plain',
  };
}

function receipts(lines: Line[]): Record<string, unknown>[] {
  return lines.filter((line) => line.message === 'receipt').map((line) => (line.fields.plugin as { fields: Record<string, unknown> }).fields);
}

function recorder(lines: Line[]): Log {
  const at = (level: string) => (fields: Record<string, unknown>, message: string) => void lines.push({ level, message, fields });
  return { trace: at('trace'), debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } as unknown as Log;
}
