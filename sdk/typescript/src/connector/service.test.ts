import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import type { UnaryMethod } from '@vrsky/plugin/rpc';
import { Connector, Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { describe, expect, test } from 'vitest';
import type { Connection, ConnectorDefinition } from '../connector.ts';
import { createIntake } from './intake.ts';
import { createOutlet } from './outlet.ts';
import { createConnectorService } from './service.ts';

function start(more: Partial<ConnectorDefinition> = {}) {
  const applied: Connection[][] = [];
  const definition: ConnectorDefinition = {
    name: 'test',
    version: '1.2.3',
    roles: ['destination'],
    settingsSchemas: { destination: { type: 'object' } },
    validate: ({ settings }) => (settings === 'wrong' ? [{ path: '/a', message: 'Wrong.' }] : []),
    configure(connections) {
      applied.push(connections);
      return [];
    },
    ...more,
  };
  const log = () => undefined;
  const service = createConnectorService({ definition, intake: createIntake(log), outlet: createOutlet(definition, log), log });
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
  return { call, applied };
}

const wire = (connectionId: string, settings: string, role: Role = Role.DESTINATION) => ({ connectionId, role, settings });

test('a connector says what it is', async () => {
  expect(await start().call(Connector.method.describe, {})).toMatchObject({
    name: 'test',
    version: '1.2.3',
    roles: [Role.DESTINATION],
    sourceSettingsSchema: '',
    destinationSettingsSchema: '{"type":"object"}',
  });
});

describe('configure', () => {
  test('applies the connections that can be used, and names the others with what is wrong', async () => {
    const { call, applied } = start();
    const response = await call(Connector.method.configure, {
      generation: 1n,
      connections: [wire('p/a', '{"x":1}'), wire('p/b', '{'), wire('p/c', '{}', Role.SOURCE), wire('p/d', '{}', Role.UNSPECIFIED)],
    });
    expect(applied).toEqual([[{ connectionId: 'p/a', role: 'destination', settings: { x: 1 } }]]);
    expect(response.errors.map(({ connectionId, errors }) => [connectionId, errors[0]?.message])).toEqual([
      ['p/b', 'The settings are not JSON.'],
      ['p/c', 'This connector cannot be used as a source.'],
      ['p/d', 'This connector cannot be used as a part of an unknown kind.'],
    ]);
  });

  test('refuses an older generation and takes the same one again', async () => {
    const { call, applied } = start();
    await call(Connector.method.configure, { generation: 5n, connections: [] });
    await call(Connector.method.configure, { generation: 5n, connections: [] });
    await expect(call(Connector.method.configure, { generation: 4n, connections: [] })).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    expect(applied).toHaveLength(2);
  });

  test('runs one at a time, in the order of the calls', async () => {
    const order: string[] = [];
    const { call } = start({
      async configure([connection]) {
        order.push(`start ${connection?.connectionId}`);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`end ${connection?.connectionId}`);
        return [];
      },
    });
    await Promise.all([1n, 2n].map((generation) => call(Connector.method.configure, { generation, connections: [wire(`c${generation}`, '{}')] })));
    expect(order).toEqual(['start c1', 'end c1', 'start c2', 'end c2']);
  });

  test('that throws is an error without its text, and the next one works', async () => {
    let fail = true;
    const { call } = start({
      configure() {
        if (fail) throw new Error('secret');
        return [];
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

test('validate says what is wrong with which field and applies nothing', async () => {
  const { call, applied } = start();
  expect((await call(Connector.method.validate, { connection: wire('p/a', '"wrong"') })).errors).toMatchObject([{ path: '/a', message: 'Wrong.' }]);
  expect((await call(Connector.method.validate, { connection: wire('p/a', '{}') })).errors).toEqual([]);
  await expect(call(Connector.method.validate, {})).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  expect(applied).toEqual([]);
});

test('drain ends with its deadline, also when the connector does not', async () => {
  let aborted = false;
  const { call } = start({
    drain: (deadline) =>
      new Promise(() => {
        deadline.addEventListener('abort', () => {
          aborted = true;
        });
      }),
  });
  await call(Connector.method.drain, {}, 50);
  expect(aborted).toBe(true);
});
