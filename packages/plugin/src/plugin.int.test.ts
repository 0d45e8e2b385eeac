import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { Health } from '@vrsky/proto/gen/goplugin/health_pb';
import { eventually } from '@vrsky/testkit/eventually';
import { afterEach, describe, expect, test } from 'vitest';
import { certToPem, createIdentity, type Identity } from './certificate.ts';
import { openPlugin, type PluginHandle } from './client.ts';
import { connectorCookie } from './handshake.ts';
import { type LaunchedPlugin, launchPlugin } from './launch.ts';
import { expectNoOrphan, nodeHost } from './orphan.test-support.ts';
import type { PluginLogRecord } from './plugin-log.ts';
import { callUnary, channelOptions } from './rpc.ts';

const fixture = join(import.meta.dirname, 'fixtures', 'plugin.ts');
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('a plugin and its host', () => {
  test('meet, talk and part: health answers, its log and its prints arrive, it ends by itself when asked', async () => {
    const { handle, logs } = await open(['print']);
    expect(handle.version).toBe(1);
    await handle.ping(1_000);
    await eventually(() => logs.some((record) => record.message === 'printed after the handshake' && record.module === 'stdout'));
    expect(logs.find((record) => record.message === 'environment')).toMatchObject({ level: 'info', module: 'fixture' });
    expect(await handle.close()).toEqual({ code: 0, signal: null });
    await expect(handle.ping(1_000)).rejects.toThrow();
  });

  test('the plugin gets an environment of its own, nothing of ours', async () => {
    process.env.VRSKY_TEST_SECRET = 'x';
    const { logs } = await open([], { EXTRA: '1' });
    delete process.env.VRSKY_TEST_SECRET;
    const record = await eventually(() => logs.find((item) => item.message === 'environment') ?? false);
    expect(record.fields.names).toEqual([
      'EXTRA',
      'HOME',
      'LANG',
      'PATH',
      'PLUGIN_CLIENT_CERT',
      'PLUGIN_MAX_PORT',
      'PLUGIN_MIN_PORT',
      'PLUGIN_PROTOCOL_VERSIONS',
      'PLUGIN_UNIX_SOCKET_DIR',
      'TMPDIR',
      'TZ',
      'VRSKY_PLUGIN',
    ]);
  });

  test('a plugin that prints 22 MB is not held up by anybody who reads it', async () => {
    const { handle, logs } = await open(['flood']);
    await eventually(() => logs.length > 200);
    await handle.ping(10_000);
    expect((await handle.close()).signal).toBeNull();
    await eventually(() => logs.some((record) => /what is beyond is left out/.test(record.message)));
  });

  test('its sockets are in a directory that only we can enter, and are removed with it', async () => {
    const { handle, logs } = await open([]);
    await eventually(() => logs.length > 0);
    const dir = dirname(handle.client.getChannel().getTarget().replace('unix:', ''));
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    await handle.close();
    expect(existsSync(dir)).toBe(false);
  });
});

describe('nobody but its host gets in', () => {
  test.each<[string, (launched: LaunchedPlugin) => ReturnType<typeof credentials.createSsl>]>([
    ['a client without a certificate', (launched) => credentials.createSsl(Buffer.from(certToPem(launched.handshake.serverCert)))],
    ['a client with a certificate of its own', (launched) => withIdentity(launched, createIdentity())],
  ])('%s is refused', async (_, make) => {
    const launched = await launch();
    const client = new Client(launched.handshake.target, make(launched), { ...channelOptions, 'grpc.ssl_target_name_override': 'localhost' });
    const refusal = await callUnary(client, Health.method.check, { service: 'plugin' }, 3_000).then(
      () => expect.unreachable('it was let in'),
      (error: ServiceError) => error,
    );
    client.close();
    expect(refusal.code).toBe(status.UNAVAILABLE);
  });

  test('a client without TLS is refused', async () => {
    const launched = await launch();
    const client = new Client(launched.handshake.target, credentials.createInsecure(), channelOptions);
    await expect(callUnary(client, Health.method.check, { service: 'plugin' }, 3_000)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    client.close();
  });

  test('the host does not talk to somebody who answers on the socket with another certificate', async () => {
    const launched = await launch();
    const client = new Client(launched.handshake.target, credentials.createSsl(Buffer.from(createIdentity().certPem)), {
      ...channelOptions,
      'grpc.ssl_target_name_override': 'localhost',
    });
    await expect(callUnary(client, Health.method.check, { service: 'plugin' }, 3_000)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    client.close();
  });
});

// What a plugin may do wrong beyond these is in misbehaving.int.test.ts.
describe('a plugin that does not start', () => {
  test.each([
    ['that wants old net/rpc', 'echo "1|1|unix|$PLUGIN_UNIX_SOCKET_DIR/p|netrpc"; sleep 60'],
    ['that has no certificate', 'echo "1|1|unix|$PLUGIN_UNIX_SOCKET_DIR/p|grpc|"; sleep 60'],
  ])('%s is refused', async (_, script) => {
    await expect(openPlugin({ ...base(), command: '/bin/sh', args: ['-c', script] })).rejects.toMatchObject({ code: 'PLUGIN.HANDSHAKE' });
  });

  test('an executable that is not there', async () => {
    await expect(openPlugin({ ...base(), command: '/nonexistent/connector' })).rejects.toMatchObject({
      code: expect.stringMatching(/^PLUGIN\.(START|EXITED)$/),
    });
  });

  test('one whose certificate is not a certificate', async () => {
    const script = `echo "1|1|unix|$PLUGIN_UNIX_SOCKET_DIR/p|grpc|${'QUJD'.repeat(40)}"; sleep 60`;
    await expect(openPlugin({ ...base(), command: '/bin/sh', args: ['-c', script] })).rejects.toMatchObject({ code: 'PLUGIN.CONNECT' });
  });

  test('started by hand it says what it is and fails', async () => {
    const child = spawn(process.execPath, [fixture], { env: { PATH: process.env.PATH }, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk) => (said += String(chunk)));
    const [code] = await once(child, 'close');
    expect(code).not.toBe(0);
    expect(said).toContain('This program is a plugin of VRSky');
  });
});

describe('a plugin always ends', () => {
  test('`kill -9` of the host leaves no plugin behind', async () => {
    await expectNoOrphan(nodeHost('kernel'));
  });

  test('also where the kernel was not asked: the plugin sees that its parent is another', async () => {
    await expectNoOrphan(nodeHost('plain'));
  });
});

function base() {
  return { cookie: connectorCookie, versions: [1], onLog: (_: PluginLogRecord) => undefined };
}

async function open(args: string[], env: Record<string, string> = {}): Promise<{ handle: PluginHandle; logs: PluginLogRecord[] }> {
  const logs: PluginLogRecord[] = [];
  const handle = await openPlugin({ ...base(), command: process.execPath, args: [fixture, ...args], env, onLog: (record) => logs.push(record) });
  cleanups.push(() => handle.kill());
  return { handle, logs };
}

async function launch(): Promise<LaunchedPlugin> {
  const launched = await launchPlugin({ ...base(), command: process.execPath, args: [fixture], identity: createIdentity() });
  cleanups.push(() => launched.kill());
  return launched;
}

function withIdentity(launched: LaunchedPlugin, identity: Identity): ReturnType<typeof credentials.createSsl> {
  return credentials.createSsl(Buffer.from(certToPem(launched.handshake.serverCert)), Buffer.from(identity.keyPem), Buffer.from(identity.certPem));
}
