import http from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createIdentity } from '@vrsky/plugin/certificate';
import { type RequestBin, requestBin } from '@vrsky/testkit/request-bin';
import Provider from 'oidc-provider';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type OpenedDestination, type OpenOptions, openDestination, secretOf } from './destination.test-support.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const ref = { $secret: 's' };
const LOCAL = ['127.0.0.1'];

function open(settings: { url: string } & Record<string, unknown>, o: OpenOptions = {}): OpenedDestination {
  const opened = openDestination(settings, o);
  cleanups.push(() => opened.destination.close());
  return opened;
}

async function openBin(): Promise<RequestBin> {
  const bin = await requestBin();
  cleanups.push(() => bin.close());
  return bin;
}

async function listen(server: http.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

describe('a request shows who sends it', () => {
  test.each([
    [{ scheme: 'bearer', token: ref }, 'tok-123456\n', { authorization: 'Bearer tok-123456' }, '/x?a=1'],
    [{ scheme: 'basic', username: 'üser', password: ref }, 'p:a s', { authorization: `Basic ${Buffer.from('üser:p:a s').toString('base64')}` }, '/x?a=1'],
    [{ scheme: 'api_key', name: 'X-Api-Key', value: ref }, 'key-123456', { 'x-api-key': 'key-123456' }, '/x?a=1'],
    [{ scheme: 'api_key', in: 'query', name: 'api-key', value: ref }, 'k&y=1', {}, '/x?a=1&api-key=k%26y%3D1'],
  ])('by %j', async (auth, value, headers, url) => {
    const bin = await openBin();
    const { send, problems } = open({ url: `${bin.url}/x?a=1`, auth }, { secrets: [secretOf('s', LOCAL, value, 'older-value')] });
    expect(problems).toEqual([]);
    expect((await send()).status).toBe('ok');
    expect(bin.requests[0]).toMatchObject({ url, headers });
  });

  test('by a signature of AWS over what is really sent', async () => {
    const bin = await openBin();
    const auth = { scheme: 'aws_sigv4', accessKeyId: 'AKIDEXAMPLE1234567', secretAccessKey: ref, region: 'eu-central-1', service: 'execute-api' };
    const { send } = open({ url: `${bin.url}/x`, auth, compress: true }, { secrets: [secretOf('s', [], 'aws-secret')] });
    await send({ payload: Buffer.alloc(5_000, 'a') });
    const { authorization } = bin.requests[0]?.headers ?? {};
    expect(authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE1234567\/\d{8}\/eu-central-1\/execute-api\/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=[0-9a-f]{64}$/,
    );
  });

  test('by a signature that the library of Standard Webhooks takes, with the old and the new key during an overlap', async () => {
    const bin = await openBin();
    const keys = [2, 1].map((fill) => `whsec_${Buffer.alloc(32, fill).toString('base64')}`);
    const { send } = open({ url: bin.url, signing: { key: ref } }, { secrets: [secretOf('s', LOCAL, ...keys)] });
    await send({ payload: Buffer.from('{"a":"ü"}'), headers: [['webhook-id', 'of-the-sender']] });
    const { body, headers } = bin.requests[0] as { body: Buffer; headers: Record<string, string> };
    expect(headers['webhook-id']).toBe('msg_1');
    for (const key of keys) expect(new Webhook(key).verify(body.toString(), headers)).toEqual({ a: 'ü' });
  });

  test('by a client certificate, to who asks for it', async () => {
    const [server, client] = [createIdentity(), createIdentity()];
    const seen: boolean[] = [];
    const https = createTlsServer(
      { key: server.keyPem, cert: server.certPem, ca: client.certPem, requestCert: true, rejectUnauthorized: true },
      (request, response) => {
        seen.push((request.socket as TLSSocket).authorized);
        request.resume().on('end', () => response.end('ok'));
      },
    );
    const url = `https://localhost:${await listen(https)}/`;
    const secrets = [secretOf('cert', [], client.certPem), secretOf('key', ['localhost'], client.keyPem)];
    const tls = { ca: server.certPem, clientCertificate: { $secret: 'cert' }, clientKey: { $secret: 'key' } };
    const names = { localhost: '127.0.0.1' };
    const opened = open({ url, tls }, { secrets, names });
    expect(opened.problems).toEqual([]);
    expect(await opened.send()).toMatchObject({ status: 'ok' });
    expect(seen).toEqual([true]);
    expect((await open({ url, tls: { ca: server.certPem } }, { names }).send()).status).toBe('retryable');
    expect(await open({ url }, { names }).send()).toMatchObject({ status: 'retryable', code: 'tls_failed' });
    const mixed = [secretOf('cert', [], createIdentity().certPem), secretOf('key', [], client.keyPem)];
    expect(openProblems({ url, tls }, { secrets: mixed, names })).toMatchObject([{ path: '/tls/clientKey', message: expect.stringContaining('does not fit') }]);
  });

  test('only over the TLS version that it wants', async () => {
    const { keyPem, certPem } = createIdentity();
    const https = createTlsServer({ key: keyPem, cert: certPem, maxVersion: 'TLSv1.2' }, (request, response) =>
      request.resume().on('end', () => response.end('ok')),
    );
    const url = `https://localhost:${await listen(https)}/`;
    const names = { localhost: '127.0.0.1' };
    expect(await open({ url, tls: { ca: certPem } }, { names }).send()).toMatchObject({ status: 'ok' });
    expect(await open({ url, tls: { ca: certPem, minVersion: 'TLSv1.3' } }, { names }).send()).toMatchObject({ status: 'retryable', code: 'tls_failed' });
  });
});

function openProblems(settings: { url: string } & Record<string, unknown>, o: OpenOptions): unknown {
  // What does not fit cannot be opened, only checked.
  const { url } = settings;
  return openDestination({ url }, o).check(settings);
}

test('a secret that may not go to the receiver stays here, also when the check at Configure was passed by', async () => {
  const bin = await openBin();
  const { send, problems } = open({ url: bin.url, auth: { scheme: 'bearer', token: ref } }, { secrets: [secretOf('s', ['api.example.com'], 'tok-123456')] });
  expect(problems).toMatchObject([{ path: '/auth/token' }]);
  expect(await send()).toMatchObject({ status: 'permanent', code: 'secret_forbidden', reason: expect.stringContaining('may not be sent to 127.0.0.1') });
  expect(bin.requests).toEqual([]);
});

test('what a receiver repeats of our credentials is not kept', async () => {
  const bin = await openBin();
  bin.behave(({ headers }) => ({ status: 400, body: `you sent ${headers.authorization}` }));
  const { send } = open({ url: bin.url, auth: { scheme: 'basic', username: 'u', password: ref } }, { secrets: [secretOf('s', LOCAL, 'hunter-22')] });
  expect(Buffer.from((await send()).peerAnswer ?? []).toString()).toBe('you sent Basic [redacted]');
});

test('a new version of a secret is sent as soon as it is configured', async () => {
  const bin = await openBin();
  const settings = { url: bin.url, auth: { scheme: 'bearer', token: ref } };
  const { send, configure } = open(settings, { secrets: [secretOf('s', LOCAL, 'token-one')] });
  await send();
  configure(settings, [secretOf('s', LOCAL, 'token-two', 'token-one')]);
  await send();
  expect(bin.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer token-one', 'Bearer token-two']);
});

describe('with tokens of a real OAuth server', () => {
  let server: http.Server;
  let provider: Provider;
  let issuer: string;
  let tokenRequests = 0;

  beforeAll(async () => {
    server = http.createServer((request, response) => {
      if (request.url === '/token') tokenRequests++;
      void provider.callback()(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = { scope: 'orders', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };
    provider = new Provider(issuer, {
      clients: [
        { ...client, client_id: 'in header', client_secret: 'secret:+%header', token_endpoint_auth_method: 'client_secret_basic' },
        { ...client, client_id: 'in-body', client_secret: 'secret-of-the-body', token_endpoint_auth_method: 'client_secret_post' },
      ],
      features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
      scopes: ['orders', 'invoices'],
      ttl: { ClientCredentials: 600 },
    });
  });
  afterAll(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });

  /** A receiver that asks the provider whether a token is good. */
  async function openApi() {
    const taken: string[] = [];
    const refused: string[] = [];
    const api = http.createServer((request, response) => {
      request.resume().on('end', async () => {
        const text = request.headers.authorization?.replace('Bearer ', '') ?? '';
        const token = await provider.ClientCredentials.find(text);
        (token?.isValid ? taken : refused).push(text);
        response.writeHead(token?.isValid ? 200 : 401).end(text);
      });
    });
    return { url: `http://127.0.0.1:${await listen(api)}/`, taken, refused };
  }

  const settingsFor = (url: string, more: object = {}) => ({
    url,
    auth: { scheme: 'oauth2', tokenUrl: `${issuer}/token`, clientId: 'in header', clientSecret: ref, scope: 'orders', ...more },
  });
  const allowOf = (url: string): string[] => [new URL(url).host, new URL(issuer).host];
  const secret = secretOf('s', LOCAL, 'secret:+%header');

  test('fifty messages are one token, and the receiver takes them all', async () => {
    const api = await openApi();
    const { send } = open(settingsFor(api.url), { secrets: [secret], allow: allowOf(api.url) });
    const before = tokenRequests;
    const results = await Promise.all(Array.from({ length: 50 }, () => send()));
    expect(results.map(({ status }) => status)).toEqual(Array(50).fill('ok'));
    expect([tokenRequests - before, new Set(api.taken).size]).toEqual([1, 1]);
    expect(Buffer.from(results[0]?.peerAnswer ?? []).toString()).toBe('[redacted]');
  });

  test('credentials go in the body where the server wants them there', async () => {
    const api = await openApi();
    const settings = settingsFor(api.url, { clientId: 'in-body', credentialsIn: 'body' });
    const { send } = open(settings, { secrets: [secretOf('s', LOCAL, 'secret-of-the-body')], allow: allowOf(api.url) });
    expect((await send()).status).toBe('ok');
  });

  test('a token that is revoked is replaced once for all messages, within the same attempt', async () => {
    const api = await openApi();
    const { send, configure } = open(settingsFor(api.url), { secrets: [secret], allow: allowOf(api.url) });
    await send();
    await (await provider.ClientCredentials.find(api.taken[0] as string))?.destroy();
    configure(settingsFor(api.url), [secret]); // settings as before keep the token
    const before = tokenRequests;
    const results = await Promise.all(Array.from({ length: 10 }, () => send()));
    expect(results.map(({ status }) => status)).toEqual(Array(10).fill('ok'));
    expect(tokenRequests - before).toBe(1);
    expect(new Set(api.refused)).toEqual(new Set([api.taken[0]]));
  });

  test('a receiver that takes no token gets two tries, not more', async () => {
    const bin = await openBin();
    bin.behave({ status: 401 });
    const { send } = open(settingsFor(bin.url), { secrets: [secret], allow: allowOf(bin.url) });
    expect(await send()).toMatchObject({ status: 'permanent', code: 'http_401' });
    expect(bin.requests).toHaveLength(2);
    expect(new Set(bin.requests.map(({ headers }) => headers.authorization)).size).toBe(2);
  });

  test('a wrong secret, a scope that it does not give and a server that is away are told apart, and nothing is sent', async () => {
    const bin = await openBin();
    const sendWith = (more: object, value = 'secret:+%header') =>
      open(settingsFor(bin.url, more), { secrets: [secretOf('s', LOCAL, value)], allow: allowOf(bin.url) }).send();
    expect(await sendWith({}, 'wrong-secret')).toMatchObject({
      status: 'permanent',
      code: 'token_refused',
      reason: expect.stringContaining('Check client ID and client secret'),
    });
    expect(await sendWith({ scope: 'invoices' })).toMatchObject({
      status: 'permanent',
      code: 'token_refused',
      reason: expect.stringContaining('Check the scope'),
    });
    const away = open(settingsFor(bin.url, { tokenUrl: 'http://127.0.0.1:1/token' }), { secrets: [secret], allow: ['127.0.0.1:1'] });
    expect(await away.send()).toMatchObject({
      status: 'retryable',
      code: 'connect_refused',
      reason: expect.stringMatching(/^No access token: .*127\.0\.0\.1:1/),
    });
    expect(bin.requests).toEqual([]);
  });

  test('a token endpoint inside is not asked, by address or by name', async () => {
    const bin = await openBin();
    for (const tokenUrl of [`${issuer}/token`, issuer.replace('127.0.0.1', 'login.test')]) {
      const opened = open(settingsFor(bin.url, { tokenUrl }), {
        secrets: [secretOf('s', ['127.0.0.1', 'login.test'], 'secret:+%header')],
        allow: [new URL(bin.url).host],
        names: { 'login.test': '127.0.0.1' },
      });
      const before = tokenRequests;
      expect(await opened.send()).toMatchObject({ status: 'permanent', code: 'egress_forbidden' });
      expect([tokenRequests - before, bin.requests.length]).toEqual([0, 0]);
    }
  });
});
