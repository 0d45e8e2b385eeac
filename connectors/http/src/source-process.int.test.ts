import { createHmac, randomBytes } from 'node:crypto';
import path from 'node:path';
import { type ConnectorHarness, startConnector } from '@vrsky/sdk/connector-test';
import { eventually } from '@vrsky/testkit/eventually';
import { freePort } from '@vrsky/testkit/ports';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';

// The connector as a node runs it: a process of its own, secrets by Configure.

const [before, after] = [randomBytes(20).toString('hex'), randomBytes(20).toString('hex')];
const inlet = 'in_rotation_0123';
let connector: ConnectorHarness;
let url: string;
let isOver = false;

beforeAll(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}/in/${inlet}`;
  connector = await startConnector(
    { command: path.join(import.meta.dirname, '../dist/http-connector') },
    { env: { VRSKY_HTTP_ROLES: 'source', VRSKY_HTTP_LISTEN: `127.0.0.1:${port}` }, timeoutMs: 60_000 },
  );
  connector.credit(100);
  void (async () => {
    while (!isOver) (await connector.received()).ack();
  })().catch(() => undefined); // it ends with the connector
});
afterAll(async () => {
  isOver = true;
  await connector?.[Symbol.asyncDispose]();
});

const configure = (...values: string[]) =>
  connector.configure([
    {
      connectionId: 'pip/src',
      role: 'source',
      settings: { path: inlet, auth: { scheme: 'github', secret: { $secret: 'webhook' } } },
      secrets: { webhook: { values } },
    },
  ]);
async function send(key: string): Promise<number> {
  const body = '{"zen":"Design for failure."}';
  const signature = createHmac('sha256', key).update(body).digest('hex');
  const response = await request(url, { method: 'POST', headers: { 'x-hub-signature-256': `sha256=${signature}` }, body });
  await response.body.dump();
  return response.statusCode;
}

test('a secret is rotated while requests flow, and none of them is refused; afterwards the old one is, counted in the log that has no value', async () => {
  await configure(before);
  const statuses: number[] = [];
  let key = before;
  let isRotated = false;
  const flow = (async () => {
    while (!isRotated) statuses.push(await send(key));
  })();
  const seen = async (): Promise<void> => {
    const from = statuses.length;
    await eventually(() => statuses.length > from + 5);
  };
  await seen();
  await configure(after, before);
  await seen();
  key = after;
  await seen();
  await configure(after);
  await seen();
  isRotated = true;
  await flow;
  expect(new Set(statuses)).toEqual(new Set([202]));
  expect([await send(before), await send(before)]).toEqual([401, 401]);
  const counted = await eventually(() => {
    const lines = connector.logs.filter(({ fields }) => fields.vrsky_refused === 'pip/src');
    return lines.length > 0 ? lines : false;
  });
  const sum = counted.reduce((total, { fields }) => total + ((fields.reasons as Record<string, number>).signature_mismatch ?? 0), 0);
  expect(sum).toBeGreaterThan(0);
  const everything = JSON.stringify(connector.logs);
  for (const value of [before, after]) expect(everything).not.toContain(value);
});

test('keys of an issuer over plain http are refused at their field, unless the operator lists the host', async () => {
  const jwt = (jwksUrl: string) => ({
    role: 'source' as const,
    settings: { path: inlet, auth: { scheme: 'jwt', jwksUrl, issuer: 'https://issuer.test', audience: 'orders' } },
  });
  const { errors } = await connector.validate(jwt('http://issuer.test/keys'));
  expect(errors).toEqual([{ path: '/auth/jwksUrl', message: expect.stringContaining('https') }]);
  expect((await connector.validate(jwt('https://issuer.test/keys'))).errors).toEqual([]);
});

test('Test connection says which version of a secret cannot be used, without its value, and fetches the keys of an issuer', async () => {
  const settings = { path: 'in_another_path', auth: { scheme: 'standard-webhooks', secret: { $secret: 'webhook' } } };
  const probe = (values: string[]) => connector.validate({ role: 'source', settings, secrets: { webhook: { values } } }, { probe: true });
  const good = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  expect((await probe([good])).checks).toMatchObject([{ passed: true }, { name: 'Read the secret', passed: true }]);
  const { checks } = await probe(['mistyped value', good]);
  expect(checks[1]).toMatchObject({ passed: false, detail: expect.stringMatching(/^Version 2: The secret is not one of Standard Webhooks/) });
  expect(JSON.stringify(checks)).not.toContain('mistyped value');
  const auth = { scheme: 'jwt', jwksUrl: 'https://127.0.0.1:1/keys', issuer: 'i', audience: 'a' };
  const inside = await connector.validate({ role: 'source', settings: { ...settings, auth } }, { probe: true });
  expect(inside.checks[1]).toMatchObject({ passed: false, detail: expect.stringContaining('127.0.0.1 is not allowed') });
});
