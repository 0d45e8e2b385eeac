import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { InterceptingCall, Metadata, status } from '@grpc/grpc-js';
import { Health, HealthCheckRequestSchema } from '@vrsky/proto/gen/goplugin/health_pb';
import { Connector, Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { toBuffer } from '@vrsky/proto/wire';
import { eventually } from '@vrsky/testkit/eventually';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectorCalls, createCallCounters } from './call-gate.ts';
import { openPlugin, type PluginHandle } from './client.ts';
import { connectorCookie } from './handshake.ts';
import { callUnary, methodPath } from './rpc.ts';

const fixture = join(import.meta.dirname, 'fixtures', 'plugin.ts');
const check = methodPath(Health.method.check);
const watch = methodPath(Health.method.watch);

let plugin: PluginHandle;
const refused: string[] = [];
const ended: [method: string, status: string][] = [];
const calls = createCallCounters({ refused: (method) => refused.push(method), ended: (method, code) => ended.push([method, code]) });
const counter = (method: string) => calls.list().find((one) => one.method === method);

beforeAll(async () => {
  plugin = await openPlugin({
    command: process.execPath,
    args: [fixture, 'print'],
    cookie: connectorCookie,
    versions: [1],
    onLog: () => undefined,
    calls,
  });
});
afterAll(() => plugin.close());

describe('every call to a plugin', () => {
  test('is counted with its sizes, its status and its time', async () => {
    const before = { ...counter(check) };
    const request = { service: 'plugin' };
    await callUnary(plugin.client, Health.method.check, request, 5_000);
    const bytes = toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, request)).length;
    const after = counter(check);
    expect(after).toMatchObject({
      calls: Number(before.calls) + 1,
      requestBytes: Number(before.requestBytes) + bytes,
      responseBytes: Number(before.responseBytes) + 2,
      framesSent: Number(before.framesSent) + 1,
      framesReceived: Number(before.framesReceived) + 1,
    });
    expect(after?.results['OK']).toBe(after?.calls);
    expect(after?.totalUs).toBeGreaterThan(Number(before.totalUs));
    expect(after?.maxUs).toBeGreaterThan(0);
  });

  test('that fails is counted under its status', async () => {
    await expect(callUnary(plugin.client, Health.method.check, { service: 'nobody' }, 5_000)).rejects.toMatchObject({ code: status.NOT_FOUND });
    expect(counter(check)?.results['NOT_FOUND']).toBe(1);
    expect(ended).toContainEqual([check, 'NOT_FOUND']);
  });

  test('also those of the host itself: what the plugin prints comes over a counted stream', async () => {
    await eventually(() => (counter('/plugin.GRPCStdio/StreamStdio')?.framesReceived ?? 0) > 0);
    expect(counter('/plugin.GRPCStdio/StreamStdio')).toMatchObject({ calls: 1, framesSent: 1, results: {} });
  });
});

describe('a call that is not allowed', () => {
  test.each<[string, () => unknown]>([
    ['as a stream', () => plugin.client.makeServerStreamRequest(watch, toBuffer, (bytes) => bytes, Buffer.alloc(0))],
    [
      'as a single call',
      () =>
        plugin.client.makeUnaryRequest(
          watch,
          toBuffer,
          (bytes) => bytes,
          Buffer.alloc(0),
          () => undefined,
        ),
    ],
    ['both ways', () => plugin.client.makeBidiStreamRequest(watch, toBuffer, (bytes) => bytes, {})],
    ['past the client, at its channel', () => plugin.client.getChannel().createCall(watch, Number.POSITIVE_INFINITY, null, null, null)],
    [
      'with interceptors of its own',
      () =>
        plugin.client.makeUnaryRequest(
          watch,
          toBuffer,
          (bytes) => bytes,
          Buffer.alloc(0),
          new Metadata(),
          {
            interceptors: [(options, next) => new InterceptingCall(next(options))],
          },
          () => undefined,
        ),
    ],
  ])('is refused, recorded and never sent: %s', (_, call) => {
    const before = refused.length;
    expect(call).toThrow(expect.objectContaining({ code: 'PLUGIN.NOT_ALLOWED' }));
    expect(refused.slice(before)).toEqual([watch]);
    expect(counter(watch)).toMatchObject({ calls: 0, framesSent: 0, requestBytes: 0, results: {} });
  });

  test('is refused after the roles are known, and cannot be allowed again', async () => {
    const send = methodPath(Connector.method.send);
    plugin.narrow(connectorCalls([Role.SOURCE]));
    plugin.narrow(connectorCalls());
    expect(() => plugin.client.makeBidiStreamRequest(send, toBuffer, (bytes) => bytes, {})).toThrow(expect.objectContaining({ code: 'PLUGIN.NOT_ALLOWED' }));
    await plugin.ping(5_000);
  });

  test('has names without end and counters with one', () => {
    for (let i = 0; i < 1_000; i++) expect(() => plugin.client.makeBidiStreamRequest(`/made.up/Method${i}`, toBuffer, (bytes) => bytes, {})).toThrow();
    expect(calls.list().length).toBeLessThanOrEqual(32);
    expect(calls.list().reduce((total, one) => total + one.refused, 0)).toBe(refused.length);
  });
});

test('shutdown, the last call of all, is counted too', async () => {
  expect(await plugin.close()).toEqual({ code: 0, signal: null });
  expect(counter('/plugin.GRPCController/Shutdown')).toMatchObject({ calls: 1, results: { OK: 1 } });
  expect(Object.values(counter('/plugin.GRPCStdio/StreamStdio')?.results ?? {})).toEqual([1]);
});

test('a plugin that may be asked nothing is not used', async () => {
  await expect(
    openPlugin({ command: process.execPath, args: [fixture], cookie: connectorCookie, versions: [1], onLog: () => undefined, allow: new Set() }),
  ).rejects.toMatchObject({ code: 'PLUGIN.CONNECT', cause: { code: 'PLUGIN.NOT_ALLOWED' } });
});
