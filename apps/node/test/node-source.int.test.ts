import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { eventually } from '@vrsky/testkit/eventually';
import { type RequestBin, requestBin } from '@vrsky/testkit/request-bin';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ControlPlane, startControlPlane, type TestPipeline, type TestTenant } from './control-plane.ts';
import { type NodeProcess, startNode } from './node-process.ts';

// A real node whose source asks who sends: the keys come from an issuer, what is refused comes back to the tenant.

let plane: ControlPlane;
let bin: RequestBin;
let node: NodeProcess;
let tenant: TestTenant;
let other: TestTenant;
let guarded: TestPipeline;
let open: TestPipeline;
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

beforeAll(async () => {
  plane = await startControlPlane();
  bin = await requestBin();
  bin.behave(({ url }) => (url === '/keys' ? { body: JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256' }] }) } : {}));
  [tenant, other] = [await plane.addTenant(), await plane.addTenant()];
  guarded = await plane.pipeline(tenant, {
    from: {
      auth: { scheme: 'jwt', jwksUrl: `${bin.url}/keys`, issuer: 'https://issuer.test', audience: 'vrsky' },
      subpaths: true,
      answer: { status: 200, body: 'got {{messageId}}' },
    },
    to: { out: { url: `${bin.url}/out` } },
    steps: [
      {
        id: 'where',
        kind: 'convert',
        source: 'export default (message: Message) => [message.headers.get("vrsky-http-path"), message.headers.get("vrsky-http-query")].join("?");',
      },
    ],
  });
  open = await plane.pipeline(other, { from: { deduplicate: { by: 'header', header: 'Idempotency-Key' } }, to: { out: { url: `${bin.url}/other` } } });
  await plane.publish(tenant, [guarded]);
  await plane.publish(other, [open]);
  node = await startNode(plane, { egressAllow: [`127.0.0.1:${bin.port}`] });
  await plane.waitForReport(tenant, ({ pipelines }) => pipelines[0]?.state === 'running');
  await plane.waitForReport(other, ({ pipelines }) => pipelines[0]?.state === 'running');
});
afterAll(async () => {
  await node?.[Symbol.asyncDispose]();
  await bin?.[Symbol.asyncDispose]();
  await plane?.[Symbol.asyncDispose]();
});

function token(key: KeyObject): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1_000) + 60;
  const signed = `${encode({ alg: 'ES256', kid: 'one' })}.${encode({ iss: 'https://issuer.test', aud: 'vrsky', exp })}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

const send = async (headers: Record<string, string>) => {
  const response = await fetch(`${node.ingestUrl}${guarded.path}/orders/7?dry=1`, { method: 'POST', body: '{}', headers });
  return { status: response.status, text: await response.text() };
};

test('who shows a token of the issuer is let in; path and query come along, and the answer is the one that was chosen', async () => {
  const { status, text } = await send({ authorization: `Bearer ${token(privateKey)}` });
  expect(status).toBe(200);
  const messageId = /^got (msg_\w+)$/.exec(text)?.[1] as string;
  await plane.waitForOutcome(tenant, messageId);
  expect(bin.requests.find(({ url }) => url === '/out')?.body.toString()).toBe('/orders/7?dry=1');
});

test('who shows none, or a forged one, is refused; the tenant reads how many and why, another tenant nothing, and the metrics count them', async () => {
  const forged = token(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
  expect(await send({})).toMatchObject({ status: 401, text: expect.stringContaining('The header authorization is missing.') });
  for (let i = 0; i < 2; i++) expect((await send({ authorization: `Bearer ${forged}` })).status).toBe(401);
  const event = await eventually(() => tenant.calls.flatMap(({ events }) => events).find(({ kind }) => kind === 'refused') ?? false, { timeoutMs: 30_000 });
  expect(event.reason).toMatch(/^“Webhook” of the pipeline “Test” refused \d requests?: (signature mismatch|credential missing) \(\d\)/);
  const metrics = await eventually(async () => {
    const text = await node.metrics();
    return /sourc[^\n]*reason="signature_mismatch"\} 2/.test(text) ? text : false;
  });
  expect(metrics).toContain(`vrsky_source_refused_requests_total{connector="http",tenant="${tenant.tenantId}",reason="credential_missing"} 1`);
  expect((await node.post(open.path, '{}')).status).toBe(202);
  expect(other.calls.flatMap(({ events }) => events).filter(({ kind }) => kind === 'refused')).toEqual([]);
});

test('what comes again after the node was killed, or stopped, is the message that it was', async () => {
  const post = (id: string) => node.post(open.path, '{}', { 'idempotency-key': id });
  const { body } = await post('order-7');
  await node.kill();
  await node.start();
  expect(await post('order-7')).toMatchObject({ status: 202, body: { messageId: body.messageId, duplicate: true } });
  const second = await post('order-8');
  await node.stop();
  await node.start();
  for (const [id, { messageId }] of [
    ['order-7', body],
    ['order-8', second.body],
  ] as const)
    expect(await post(id)).toMatchObject({ status: 202, body: { messageId, duplicate: true } });
});
