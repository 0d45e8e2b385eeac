import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import type { AnyConnection, SecretRef } from '@vrsky/sdk/connector';
import { scratchDir } from '@vrsky/testkit/scratch';
import { expect, test } from 'vitest';
import { createHttpConnector } from './connector.ts';
import { secretOf } from './destination/destination.test-support.ts';
import { destinationSettingsSchema } from './destination/settings.ts';
import { connectionOf } from './source/source.test-support.ts';

const definition = createHttpConnector({ roles: ['destination'], listen: { host: '127.0.0.1', port: 0 }, egressAllow: new Set(), dataDir: null });

function connection(settings: object, hosts: string[] | null): AnyConnection {
  const secret = ({ $secret }: SecretRef) => {
    if (hosts === null) throw new Error('its values are not here yet');
    return secretOf($secret, hosts, 'tok-123456');
  };
  const parsed = destinationSettingsSchema.parse({ url: 'https://api.example.com/', ...settings });
  return {
    connectionId: 'p/out',
    customerId: 'cus_a',
    role: 'destination',
    settings: parsed,
    answerBytesMax: 0,
    answerOptional: false,
    replyWithinMs: 0,
    secret,
  };
}

const auth = { scheme: 'bearer', token: { $secret: 'api' } };

test('a secret that may not go to the receiver is a problem of its field, wherever settings are checked', async () => {
  const problem = { path: '/auth/token', message: expect.stringContaining('may not be sent to api.example.com') };
  expect(await definition.validate?.(connection({ auth }, ['elsewhere.test']))).toEqual([problem]);
  expect(await definition.validate?.(connection({ auth }, []))).toEqual([problem]);
  expect(await definition.validate?.(connection({ auth }, ['api.example.com']))).toEqual([]);
  expect(await definition.test?.(connection({ auth }, ['elsewhere.test']), new AbortController().signal)).toMatchObject([
    { passed: false, detail: problem.message },
  ]);
});

test('a source whose senders wait for the result takes a body as one message', async () => {
  const source = createHttpConnector({ roles: ['source'], listen: { host: '127.0.0.1', port: 0 }, egressAllow: new Set(), dataDir: null });
  const check = (split: 'no' | 'lines', replyWithinMs: number) => source.validate?.({ ...connectionOf({ split }), replyWithinMs });
  expect(await check('lines', 0)).toEqual([]);
  expect(await check('no', 1_000)).toEqual([]);
  expect(await check('lines', 1_000)).toEqual([{ path: '/split', message: expect.stringContaining('Take a body as one message') }]);
});

test('settings can be checked before anybody gives their secrets away', async () => {
  expect(await definition.validate?.(connection({ auth }, null))).toEqual([]);
});

test('Test connection does not reach inside, not for a token either', async () => {
  let connects = 0;
  const server = createServer((socket) => {
    connects++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const oauth = { scheme: 'oauth2', tokenUrl: `http://127.0.0.1:${port}/token`, clientId: 'c', clientSecret: { $secret: 's' } };
  const checks = await definition.test?.(connection({ url: `http://127.0.0.1:${port}/`, auth: oauth }, ['127.0.0.1']), new AbortController().signal);
  expect(checks?.map(({ name, passed }) => [name, passed])).toEqual([
    [`Connect to 127.0.0.1:${port}`, false],
    [`Get a token from 127.0.0.1:${port}`, false],
  ]);
  expect(connects).toBe(0);
  // The server does count: one that is let through is seen.
  await new Promise((resolve) =>
    connect(port, '127.0.0.1')
      .on('close', resolve)
      .on('error', () => undefined),
  );
  expect(connects).toBe(1);
  await new Promise((resolve) => server.close(resolve));
});

test('the folder for files is left alone before the first configuration: until then it may be the one of the process before', async () => {
  const dataDir = join(scratchDir('data'), 'mine');
  const { source } = createHttpConnector({ roles: ['source'], listen: { host: '127.0.0.1', port: 0 }, egressAllow: new Set(), dataDir });
  await source?.receive({ offer: () => undefined, submit: () => new Promise(() => undefined), room: 0 });
  expect(existsSync(dataDir)).toBe(false);
  await source?.configure([]);
  expect(existsSync(dataDir)).toBe(true);
  await source?.drain?.(new AbortController().signal);
});
