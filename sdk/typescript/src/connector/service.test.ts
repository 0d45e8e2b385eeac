import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import type { UnaryMethod } from '@vrsky/plugin/rpc';
import { Connector, Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { CheckFailed, type Connection, type ConnectorDefinition, type DestinationDefinition, defineConnector, runCheck, secret } from '../connector.ts';
import { createIntake } from './intake.ts';
import { createOutlet } from './outlet.ts';
import { createConnectorService } from './service.ts';

const manifest = { name: 'test', version: '1.2.3', title: 'Test', description: 'For tests.' };
const settings = z.strictObject({
  url: z.url('Not a URL').meta({ title: 'URL' }),
  size: z.int().default(3),
  token: secret({ title: 'Token' }).optional(),
});

function start(o: { destination?: Partial<DestinationDefinition<typeof settings>>; more?: Partial<ConnectorDefinition<never, typeof settings>> } = {}) {
  const applied: Connection<z.infer<typeof settings>>[][] = [];
  const logged: string[] = [];
  const definition = defineConnector({
    manifest,
    ...(o.more as object),
    destination: {
      settings,
      configure(connections) {
        applied.push(connections);
      },
      send: (_, done) => done({ status: 'ok' }),
      ...o.destination,
    },
  });
  const log = (_: string, text: string) => void logged.push(text);
  const service = createConnectorService({ definition, intake: createIntake(log), outlet: createOutlet(null, log), log });
  const call = <I extends DescMessage, O extends DescMessage>(
    method: UnaryMethod<I, O>,
    request: MessageInitShape<I>,
    deadlineMs = 1_000,
  ): Promise<MessageShape<O>> =>
    new Promise((resolve, reject) => {
      const handler = service[method.localName] as (call: object, answer: (error: object | null, response: MessageShape<O>) => void) => void;
      handler({ request: create(method.input, request), getDeadline: () => new Date(Date.now() + deadlineMs) }, (error, response) =>
        error === null ? resolve(response) : reject(error),
      );
    });
  return { call, applied, logged };
}

const url = 'https://a.test/';
const wire = (connectionId: string, settings: object | string, role: Role = Role.DESTINATION) => ({
  connectionId,
  customerId: 'cus_1',
  role,
  settings: typeof settings === 'string' ? settings : JSON.stringify(settings),
});
const token = { name: 'api', hosts: ['a.test'], versions: [2, 1].map((version) => ({ version, value: Buffer.from(`value ${version}`) })) };

describe('describe', () => {
  test('says what the connector is, for machines and for people; its roles are those that are there', async () => {
    expect(await start().call(Connector.method.describe, {})).toMatchObject({ ...manifest, roles: [Role.DESTINATION], sourceSettingsSchema: '' });
  });

  test('has the schema of what a customer enters, with secrets marked', async () => {
    const { destinationSettingsSchema } = await start().call(Connector.method.describe, {});
    expect(JSON.parse(destinationSettingsSchema)).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      required: ['url'],
      properties: {
        url: { title: 'URL' },
        size: { default: 3 },
        token: { type: 'object', title: 'Token', 'x-vrsky': 'secret', required: ['$secret'], properties: { $secret: { type: 'string' } } },
      },
    });
  });

  test('takes the words that are only known when it runs', async () => {
    const { call } = start({ more: { describe: () => ({ title: 'Later' }) } });
    expect(await call(Connector.method.describe, {})).toMatchObject({ ...manifest, title: 'Later' });
  });
});

describe('configure', () => {
  test('applies the connections that can be used, and names the others with what is wrong with which field', async () => {
    const { call, applied } = start({
      more: {
        validate: ({ connectionId }) => {
          if (connectionId === 'p/throws') throw new Error('secret');
          return connectionId === 'p/own' ? [{ path: '/size', message: 'Does not fit.' }] : [];
        },
      },
    });
    const response = await call(Connector.method.configure, {
      generation: 1n,
      connections: [
        wire('p/good', { url }),
        wire('p/json', '{'),
        wire('p/source', {}, Role.SOURCE),
        wire('p/role', {}, Role.UNSPECIFIED),
        wire('p/schema', { url: 'x', 'a/b': 1 }),
        wire('p/missing', {}),
        wire('p/own', { url }),
        wire('p/throws', { url }),
        wire('p/secret', { url, token: { $secret: 'gone' } }),
      ],
    });
    expect(applied).toMatchObject([[{ connectionId: 'p/good', customerId: 'cus_1', role: 'destination', settings: { url, size: 3 } }]]);
    expect(response.errors.map(({ connectionId, errors }) => [connectionId, ...errors.map(({ path, message }) => `${path}: ${message}`)])).toEqual([
      ['p/json', ': The settings are not JSON.'],
      ['p/source', ': This connector cannot be used as a source.'],
      ['p/role', ': This connector cannot be used as a part of an unknown kind.'],
      ['p/schema', '/url: Not a URL', '/a~1b: There is no such setting'],
      ['p/missing', '/url: This is required'],
      ['p/own', '/size: Does not fit.'],
      ['p/throws', ': The connector failed while it checked these settings; the log of the node says why.'],
      ['p/secret', '/token: There is no secret with the name gone.'],
    ]);
  });

  test('refuses an older generation with both numbers and takes the same one again', async () => {
    const { call, applied } = start();
    await call(Connector.method.configure, { generation: 5n, connections: [] });
    await call(Connector.method.configure, { generation: 5n, connections: [] });
    await expect(call(Connector.method.configure, { generation: 4n, connections: [] })).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: 'generation 4 is older than 5, which is applied',
    });
    expect(applied).toHaveLength(2);
  });

  test('gives each reference its secret: every version, the newest first, and where it may go', async () => {
    const { call, applied } = start();
    await call(Connector.method.configure, { generation: 1n, connections: [{ ...wire('p/a', { url, token: { $secret: 'api' } }), secrets: [token] }] });
    const connection = applied[0]?.[0];
    const given = connection?.secret(connection.settings.token ?? { $secret: '' });
    expect(given?.hosts).toEqual(['a.test']);
    expect(given?.newest.bytes()).toEqual(Buffer.from('value 2'));
    expect(given?.versions.map((version) => [version.version, version.text()])).toEqual([
      [2, 'value 2'],
      [1, 'value 1'],
    ]);
    expect(() => connection?.secret({ $secret: 'other' })).toThrow('was not given the secret other');
  });

  test('runs one at a time, in the order of the calls', async () => {
    const order: string[] = [];
    const { call } = start({
      destination: {
        async configure([connection]) {
          order.push(`start ${connection?.connectionId}`);
          await new Promise((resolve) => setImmediate(resolve));
          order.push(`end ${connection?.connectionId}`);
          return [];
        },
      },
    });
    await Promise.all([1n, 2n].map((generation) => call(Connector.method.configure, { generation, connections: [wire(`c${generation}`, { url })] })));
    expect(order).toEqual(['start c1', 'end c1', 'start c2', 'end c2']);
  });

  test('that throws is an error without its text, and the next one works', async () => {
    let fail = true;
    const { call } = start({
      destination: {
        configure() {
          if (fail) throw new Error('secret');
        },
      },
    });
    await expect(call(Connector.method.configure, { generation: 1n, connections: [] })).rejects.toMatchObject({
      code: status.INTERNAL,
      details: expect.not.stringContaining('secret'),
    });
    fail = false;
    await call(Connector.method.configure, { generation: 1n, connections: [] });
  });
});

describe('validate', () => {
  test('says what is wrong with which field and applies nothing', async () => {
    const { call, applied } = start();
    expect((await call(Connector.method.validate, { connection: wire('p/a', { url: 'x' }) })).errors).toMatchObject([{ path: '/url', message: 'Not a URL' }]);
    expect((await call(Connector.method.validate, { connection: wire('p/a', { url }) })).errors).toEqual([]);
    await expect(call(Connector.method.validate, {})).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(applied).toEqual([]);
  });

  test('needs no value of a secret, a probe does', async () => {
    const { call } = start({ more: { test: () => [] } });
    const connection = wire('p/a', { url, token: { $secret: 'api' } });
    expect((await call(Connector.method.validate, { connection })).errors).toEqual([]);
    expect((await call(Connector.method.validate, { connection, probe: true })).errors).toMatchObject([{ path: '/token' }]);
    expect((await call(Connector.method.validate, { connection: { ...connection, secrets: [token] }, probe: true })).errors).toEqual([]);
  });

  test('tries the outside world only when asked to, and not with settings that are wrong', async () => {
    let tried = 0;
    const { call, logged } = start({
      more: {
        test: async () => {
          tried++;
          return [
            await runCheck('Resolve', () => 'It is 192.0.2.1.'),
            await runCheck('Connect', () => Promise.reject(new CheckFailed('Nothing listens there.'))),
            await runCheck('Sign in', () => Promise.reject(new Error('of the code'))),
          ];
        },
      },
    });
    await call(Connector.method.validate, { connection: wire('p/a', { url }) });
    await call(Connector.method.validate, { connection: wire('p/a', { url: 'x' }), probe: true });
    expect(tried).toBe(0);
    const { checks } = await call(Connector.method.validate, { connection: wire('p/a', { url }), probe: true });
    expect(checks).toMatchObject([
      { name: 'Resolve', passed: true, detail: 'It is 192.0.2.1.', durationUs: expect.any(Number) },
      { name: 'Connect', passed: false, detail: 'Nothing listens there.' },
      { name: 'Sign in', passed: false, detail: expect.not.stringContaining('of the code') },
    ]);
    expect(logged).toEqual([]);
  });
});

test('drain ends with its deadline, also when the connector does not', async () => {
  let aborted = false;
  const { call } = start({
    destination: {
      drain: (deadline) =>
        new Promise(() => {
          deadline.addEventListener('abort', () => {
            aborted = true;
          });
        }),
    },
  });
  await call(Connector.method.drain, {}, 50);
  expect(aborted).toBe(true);
});

describe('a definition', () => {
  test('gives settings their type in either role, told apart by the role', () => {
    const defined = defineConnector({
      manifest,
      validate(connection) {
        return connection.role === 'source' ? [{ path: '', message: connection.settings.path }] : [{ path: '', message: connection.settings.url.slice(1) }];
      },
      source: {
        settings: z.strictObject({ path: z.string() }),
        receive: () => undefined,
        configure: (connections) => connections.map(({ connectionId, settings }) => ({ connectionId, errors: [{ path: settings.path, message: '' }] })),
      },
      destination: { settings, configure: () => undefined, send: () => undefined },
    });
    expect(defined.manifest).toEqual(manifest);
  });

  test('takes plain JSON Schema, too: errors have their pointers, defaults are filled in', async () => {
    const applied: unknown[] = [];
    const definition = defineConnector({
      manifest,
      destination: {
        settings: {
          type: 'object',
          required: ['a'],
          additionalProperties: false,
          properties: { a: { type: 'array', items: { type: 'integer' } }, b: { type: 'string', default: 'x' } },
        },
        configure: (connections) => void applied.push(...connections.map(({ settings }) => settings.b)),
        send: () => undefined,
      },
    });
    const service = createConnectorService({
      definition,
      intake: createIntake(() => undefined),
      outlet: createOutlet(null, () => undefined),
      log: () => undefined,
    });
    const request = { generation: 1n, connections: [wire('p/a', { a: [1] }), wire('p/b', { a: [1, 'x'] }), wire('p/c', {})] };
    const answer = await new Promise<MessageShape<typeof Connector.method.configure.output>>((resolve) =>
      (service.configure as unknown as (call: object, done: (error: null, answer: never) => void) => void)(
        { request: create(Connector.method.configure.input, request), getDeadline: () => Number.POSITIVE_INFINITY },
        (_, answer) => resolve(answer),
      ),
    );
    expect(answer.errors).toMatchObject([
      { connectionId: 'p/b', errors: [{ path: '/a/1' }] },
      { connectionId: 'p/c', errors: [{ path: '/a', message: 'This is required' }] },
    ]);
    expect(applied).toEqual(['x']);
  });

  test.each([
    ['a name with capitals', { manifest: { ...manifest, name: 'Test' } }, /manifest\.name is "Test"/],
    ['a version that is none', { manifest: { ...manifest, version: '1.0' } }, /manifest\.version is "1\.0"/],
    ['no role', { destination: undefined }, /neither a source nor a destination/],
    [
      'a schema that cannot be said in JSON',
      { destination: { settings: z.object({ at: z.date() }), configure: () => undefined, send: () => undefined } },
      /of its destination cannot be used/,
    ],
  ])('with %s is refused', (_, wrong, sentence) => {
    expect(() => defineConnector({ manifest, destination: { settings, configure: () => undefined, send: () => undefined }, ...(wrong as object) })).toThrow(
      sentence,
    );
  });
});
