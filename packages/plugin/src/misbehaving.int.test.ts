import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { publicMessageOf } from '@vrsky/kernel/errors';
import { Connector } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { eventually } from '@vrsky/testkit/eventually';
import { isRunning, type Leftovers, watchLeftovers } from '@vrsky/testkit/leftovers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type OpenOptions, openPlugin, type PluginHandle } from './client.ts';
import { connectorCookie } from './handshake.ts';
import type { PluginLogRecord } from './plugin-log.ts';
import { callUnary } from './rpc.ts';

// What the host's half guarantees whatever the plugin does. How the node carries on is in apps/node/src/plugins/misbehaving.int.test.ts.

const program = join(import.meta.dirname, 'misbehaving', 'plugin.ts');
const CALL_MS = 5_000;

let leftovers: Leftovers;
const handles: PluginHandle[] = [];
beforeEach(() => {
  leftovers = watchLeftovers();
});
afterEach(async () => {
  for (const handle of handles.splice(0)) await handle.kill();
  await leftovers.expectNone();
});

describe('a plugin that never comes to a handshake is refused, with the reason, and nothing of it is left', () => {
  test.each<[manner: string, code: string, forTheCustomer: RegExp, forUs: RegExp]>([
    ['silent', 'PLUGIN.TIMEOUT', /was not ready within 0.5 s/, /no handshake within 500 ms/],
    ['of-another-application', 'PLUGIN.COOKIE', /plugin of another application/, /does not know our cookie/],
    ['of-another-version', 'PLUGIN.VERSION', /speaks versions 7, 8 .*speaks versions 1, 2/, /speaks versions 7, 8, we speak 1, 2/],
    ['of-another-version-without-a-list', 'PLUGIN.VERSION', /speaks version 9 .*speaks versions 1, 2/, /speaks version 9, we speak 1, 2/],
    ['of-another-core-version', 'PLUGIN.HANDSHAKE', /first words are not those of a connector/, /version "2" of the plugin protocol, we speak 1/],
    ['prints-garbage', 'PLUGIN.HANDSHAKE', /first words are not those of a connector/, /not a handshake: "\\u0000/],
    ['prints-before-its-handshake', 'PLUGIN.HANDSHAKE', /prints something before it starts/, /not a handshake: "Starting up…"/],
    ['never-ends-its-first-line', 'PLUGIN.HANDSHAKE', /first words are not those of a connector/, /first line has more than 16384 bytes/],
    ['is-late', 'PLUGIN.TIMEOUT', /was not ready within 0.5 s/, /no handshake within 500 ms/],
    ['dies-before-its-handshake', 'PLUGIN.EXITED', /ended before it was ready/, /status 3/],
    ['dies-in-the-middle-of-its-handshake', 'PLUGIN.EXITED', /ended before it was ready/, /SIGKILL/],
    ['ends-with-status-0', 'PLUGIN.EXITED', /ended before it was ready/, /status 0/],
    ['freezes-before-its-handshake', 'PLUGIN.TIMEOUT', /was not ready within 0.5 s/, /no handshake within 500 ms/],
    ['closes-its-output-before-its-handshake', 'PLUGIN.HANDSHAKE', /first words are not those of a connector/, /closed its output/],
    ['names-a-socket-elsewhere', 'PLUGIN.HANDSHAKE', /first words are not those of a connector/, /not in the directory it was given/],
    ['never-listens', 'PLUGIN.CONNECT', /does not let the node connect/, /does not accept our connection/],
    ['is-unhealthy-from-the-start', 'PLUGIN.UNHEALTHY', /says that it cannot work now/, /reports health 2/],
  ])('%s', async (manner, code, forTheCustomer, forUs) => {
    const startedMs = performance.now();
    const error = await open(manner, {
      versions: [1, 2],
      startTimeoutMs: code === 'PLUGIN.TIMEOUT' ? 500 : 20_000,
      env: { LATE_MS: '2000', ELSEWHERE: '/run/other.sock' },
    }).then(
      () => expect.unreachable('it was let in'),
      (refusal) => refusal,
    );
    expect(error).toMatchObject({ code, message: expect.stringMatching(forUs), source: 'plugin' });
    expect(publicMessageOf(error)).toMatch(forTheCustomer);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  test('its last words are kept for the operator', async () => {
    await expect(open('dies-before-its-handshake')).rejects.toMatchObject({ details: { stderr: 'cannot open the door\n' } });
  });

  test('links-its-socket-elsewhere: nobody is connected to', async () => {
    const path = join(leftovers.dir, 'other.sock');
    let connections = 0;
    const other = createServer(() => connections++).listen(path);
    await once(other, 'listening');
    try {
      await expect(open('links-its-socket-elsewhere', { env: { ELSEWHERE: path } })).rejects.toMatchObject({
        code: 'PLUGIN.HANDSHAKE',
        message: expect.stringContaining('what it named is no socket'),
      });
      expect(connections).toBe(0);
    } finally {
      other.close();
      await once(other, 'close');
    }
  });

  test('an argument that no program can be given leaves no directory behind', async () => {
    await expect(openPlugin({ ...base([]), command: program, args: ['zero\0byte'] })).rejects.toMatchObject({ code: 'PLUGIN.START' });
  });

  test('one that is slow, and in time, is let in', async () => {
    const { handle } = await openWithLog('is-late', { env: { LATE_MS: '300' } });
    expect(handle.handshakeMs).toBeGreaterThan(300);
    await handle.ping(CALL_MS);
  });
});

describe('a plugin’s log', () => {
  test.each(['floods-its-log', 'floods-its-log-with-empty-words', 'floods-its-log-without-an-end-of-line'])(
    'of one that %s is read and bounded: calls are answered, memory does not grow, and it is said once',
    async (manner) => {
      const { handle, logs } = await openWithLog(manner);
      const beforeBytes = process.memoryUsage().rss;
      const startedMs = performance.now();
      // Longer than two of the seconds in which lines are counted.
      while (performance.now() - startedMs < 2_200) await handle.ping(CALL_MS);
      const { message } = await close(handle, logs, /bytes of what the plugin wrote were left out/);
      const seconds = (performance.now() - startedMs) / 1_000;
      const megabytes = Number(/^\d+/.exec(message)?.[0]) / 1e6;
      expect(megabytes / seconds).toBeGreaterThan(5); // it did get rid of what it wrote
      expect(process.memoryUsage().rss - beforeBytes).toBeLessThan(256 * 1_048_576);
      expect(logs.length).toBeLessThan(200 * (seconds + 2));
      expect(logs.filter(({ message }) => message.startsWith('the plugin writes more than'))).toHaveLength(1);
    },
  );

  test('of one that writes-no-utf-8 is text', async () => {
    const { logs } = await openWithLog('writes-no-utf-8');
    await eventually(() => logs.length >= 3);
    expect(logs.map(({ level, message }) => [level, message])).toEqual([
      ['debug', '���'],
      ['debug', '�'],
      ['debug', '\u001b[2J'],
    ]);
  });

  test('of one that writes-odd-log-lines is text where it has the wrong types, and sets no key of ours', async () => {
    const { logs } = await openWithLog('writes-odd-log-lines');
    await eventually(() => logs.length >= 8);
    for (const record of logs) expect(Object.keys(record).sort()).toEqual(['fields', 'level', 'message', 'module']);
    expect(logs.map(({ level, message, module }) => [level, message.slice(0, 30), module])).toEqual([
      ['debug', '{"@level":1,"@message":"a numb', ''],
      ['debug', '{"@level":"info","@message":{"', ''],
      ['info', 'a list for a module', ''],
      ['info', 'keys of the host', ''],
      ['info', 'deep', ''],
      ['debug', 'null', ''],
      ['debug', '[]', ''],
      ['debug', '{', ''],
    ]);
    expect(logs[3]?.fields).toMatchObject({ level: 'fatal', time: 0, tenant: 'cus_other', pid: 1 });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('a plugin that is up', () => {
  test.each(['closes-its-output', 'closes-its-log', 'removes-its-socket'])('and %s goes on working, and ends in order', async (manner) => {
    const { handle } = await openWithLog(manner);
    await callUnary(handle.client, Connector.method.describe, {}, CALL_MS);
    await handle.ping(CALL_MS);
    await callUnary(handle.client, Connector.method.configure, { generation: 1n }, CALL_MS);
    expect(await handle.close()).toEqual({ code: 0, signal: null });
  });

  test('and becomes-unhealthy is told apart from one that does not answer', async () => {
    const { handle } = await openWithLog('becomes-unhealthy');
    await expect(handle.ping(CALL_MS)).rejects.toMatchObject({ code: 'PLUGIN.UNHEALTHY', message: 'the plugin reports health 2' });
  });

  test('and ignores-shutdown is killed when its time is over', async () => {
    const { handle } = await openWithLog('ignores-shutdown', { exitMs: 300 });
    const startedMs = performance.now();
    expect((await handle.close()).signal).toBe('SIGKILL');
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  test('and freezes is killed when its time is over', async () => {
    const { handle } = await openWithLog('healthy', { shutdownMs: 200, exitMs: 200 });
    process.kill(handle.pid, 'SIGSTOP');
    const startedMs = performance.now();
    expect((await handle.close()).signal).toBe('SIGKILL');
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  test('and escapes its process group takes its children with it, also one without a parent', async () => {
    const { handle, logs } = await openWithLog('escapes');
    const { fields } = await eventually(() => logs.find(({ message }) => message === 'escaped') ?? false);
    const pids = fields.pids as number[];
    expect(pids.map(isRunning)).toEqual([true, true]);
    await handle.close();
    expect(pids.map(isRunning)).toEqual([false, false]);
  });

  test('and dies does not leave its escaped children to live on', async () => {
    const { handle, logs } = await openWithLog('escapes');
    const { fields } = await eventually(() => logs.find(({ message }) => message === 'escaped') ?? false);
    process.kill(handle.pid, 'SIGKILL');
    await handle.exited;
    await handle.kill();
    expect((fields.pids as number[]).map(isRunning)).toEqual([false, false]);
  });

  test('finds nothing of ours in its own environment', async () => {
    process.env.VRSKY_TEST_CANARY = 'canary-5151';
    try {
      const { handle, logs } = await openWithLog('spies');
      await callUnary(handle.client, Connector.method.describe, {}, CALL_MS);
      const { fields } = await eventually(() => logs.find(({ message }) => message === 'spied') ?? false);
      expect(fields.own).toContain('PLUGIN_CLIENT_CERT');
      expect(fields.own).not.toContain('canary-5151');
    } finally {
      delete process.env.VRSKY_TEST_CANARY;
    }
  });
});

describe('a plugin with less of the protocol, or on another line', () => {
  test('that listens-on-tcp is met there, and ends when asked', async () => {
    const { handle } = await openWithLog('listens-on-tcp');
    expect(handle.client.getChannel().getTarget()).toMatch(/127\.0\.0\.1:\d+$/);
    await handle.ping(CALL_MS);
    expect(await handle.close()).toEqual({ code: 0, signal: null });
  });

  test('that has-no-controller-and-no-stdio is no error, and is ended when its time is over', async () => {
    const { handle, logs } = await openWithLog('has-no-controller-and-no-stdio', { exitMs: 300 });
    await handle.ping(CALL_MS);
    expect((await handle.close()).signal).toBe('SIGKILL');
    expect(logs).toEqual([]);
  });
});

function base(logs: PluginLogRecord[]): OpenOptions {
  return { command: program, cookie: connectorCookie, versions: [1], onLog: (record) => void logs.push(record) };
}

async function open(manner: string, options: Partial<OpenOptions> = {}, logs: PluginLogRecord[] = []): Promise<PluginHandle> {
  const handle = await openPlugin({ ...base(logs), ...options, env: { MISBEHAVE: manner, ...options.env } });
  handles.push(handle);
  return handle;
}

async function openWithLog(manner: string, options: Partial<OpenOptions> = {}): Promise<{ handle: PluginHandle; logs: PluginLogRecord[] }> {
  const logs: PluginLogRecord[] = [];
  return { handle: await open(manner, options, logs), logs };
}

/** Ends the plugin; answers the last record that its log ends with. */
async function close(handle: PluginHandle, logs: PluginLogRecord[], message: RegExp): Promise<PluginLogRecord> {
  await handle.kill();
  return await eventually(() => logs.findLast((record) => message.test(record.message)) ?? false);
}
