import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { Agent, request } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createEgress, createGuard } from '../destination/egress.ts';
import { connectionOf, numbered, PATH, type StartOptions, startSource } from './source.test-support.ts';

const started: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const source of started.splice(0)) await source.close();
});

async function start(connections: StartOptions['connections'], more: StartOptions = {}) {
  const source = await startSource({ receipt: numbered, ...more, ...(connections === undefined ? {} : { connections }) });
  started.push(source.source);
  const codeOf = async (headers: Record<string, string>): Promise<string> => {
    const response = await request(source.url, { method: 'POST', headers, body: 'x' });
    const text = await response.body.text();
    return response.statusCode === 202 ? 'accepted' : `${response.statusCode} ${(JSON.parse(text) as { code: string }).code}`;
  };
  return { ...source, codeOf };
}

const token = { $secret: 'token' };

describe('a token in a header', () => {
  test('lets in who has it, in its old or its new value, and is not passed on', async () => {
    const { codeOf, offers, refusals } = await start([
      connectionOf({ auth: { scheme: 'token', header: 'X-Shop-Key', token } }, { token: ['new-value', 'old-välue'] }),
    ]);
    expect(await codeOf({ 'x-shop-key': 'new-value', 'x-other': '1' })).toBe('accepted');
    expect(await codeOf({ 'x-shop-key': Buffer.from('old-välue').toString('latin1') })).toBe('accepted');
    expect(await codeOf({ 'x-shop-key': 'new-valuE' })).toBe('401 credential_mismatch');
    expect(await codeOf({ 'x-shop-key': 'new-value2' })).toBe('401 credential_mismatch');
    expect(await codeOf({})).toBe('401 credential_missing');
    expect(offers.map(({ message }) => message.headers)).toEqual([[['x-other', '1']], []]);
    expect(refusals).toEqual(['pip/src credential_mismatch', 'pip/src credential_mismatch', 'pip/src credential_missing']);
  });

  test('may stand behind a word, whose case does not matter', async () => {
    const { codeOf, url } = await start([connectionOf({ auth: { scheme: 'token', header: 'Authorization', prefix: 'Bearer ', token } }, { token: ['value'] })]);
    expect(await codeOf({ authorization: 'Bearer value' })).toBe('accepted');
    expect(await codeOf({ authorization: 'bearer value' })).toBe('accepted');
    expect(await codeOf({ authorization: 'value' })).toBe('401 credential_malformed');
    const refused = await request(url, { method: 'POST', body: 'x' });
    expect(refused.headers['www-authenticate']).toBe('Bearer');
    await refused.body.dump();
  });

  test('sent twice is refused: either could be meant', async () => {
    const { url } = await start([connectionOf({ auth: { scheme: 'token', token } }, { token: ['value'] })]);
    const refused = await request(url, { method: 'POST', headers: ['x-api-key', 'value', 'x-api-key', 'other'], body: 'x' });
    expect(refused.statusCode).toBe(401);
    expect(await refused.body.json()).toMatchObject({ code: 'credential_malformed', detail: 'The header x-api-key is there more than once.' });
  });

  test('is asked for before the body is read', async () => {
    const { url, offers } = await start([connectionOf({ auth: { scheme: 'token', token } }, { token: ['value'] })]);
    const refused = await request(url, { method: 'POST', body: Buffer.alloc(2_000_000) });
    expect([refused.statusCode, offers]).toEqual([401, []]);
    await refused.body.dump();
  });
});

test('user name and password let in who has both', async () => {
  const { codeOf, url, offers } = await start([connectionOf({ auth: { scheme: 'basic', user: 'jürgen', password: token } }, { token: ['pass:wörd'] })]);
  const basic = (text: string): Record<string, string> => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  expect(await codeOf(basic('jürgen:pass:wörd'))).toBe('accepted');
  expect(await codeOf(basic('jürgen:pass'))).toBe('401 credential_mismatch');
  expect(await codeOf(basic('jurgen:pass:wörd'))).toBe('401 credential_mismatch');
  expect(await codeOf({ authorization: 'Basic !!!' })).toBe('401 credential_malformed');
  expect(await codeOf({ authorization: 'Bearer x' })).toBe('401 credential_malformed');
  const refused = await request(url, { method: 'POST', body: 'x' });
  expect(refused.headers['www-authenticate']).toBe('Basic realm="VRSky", charset="UTF-8"');
  await refused.body.dump();
  expect(offers[0]?.message.headers).toEqual([]);
});

test('the refusal tells the sender what is wrong, and nothing about what would be right', async () => {
  const { url } = await start([connectionOf({ auth: { scheme: 'github', secret: token } }, { token: ['a-very-secret-value'] })]);
  const signature = `sha256=${'ab'.repeat(32)}`;
  const refused = await request(url, { method: 'POST', headers: { 'x-hub-signature-256': signature }, body: 'x' });
  const text = await refused.body.text();
  expect(JSON.parse(text)).toEqual({
    type: 'urn:vrsky:problem:signature_mismatch',
    title: 'Not authenticated',
    status: 401,
    detail: 'The signature does not match: the secret is another one, or the body was changed on its way.',
    code: 'signature_mismatch',
  });
});

describe('a JSON Web Token', () => {
  const keys = new Map<string, { privateKey: CryptoKey; jwk: object }>();
  const asked: string[] = [];
  let answer: (response: ServerResponse) => void;
  const issuer = createServer((incoming: IncomingMessage, response) => {
    asked.push(incoming.url as string);
    answer(response);
  });
  let jwksUrl = '';
  let port = 0;
  beforeAll(async () => {
    for (const [kid, alg] of [
      ['one', 'RS256'],
      ['two', 'ES256'],
      ['foreign', 'ES256'],
    ] as const) {
      const { privateKey, publicKey } = await generateKeyPair(alg);
      keys.set(kid, { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg } });
    }
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    port = (issuer.address() as AddressInfo).port;
    jwksUrl = `http://127.0.0.1:${port}/keys`;
  });
  afterAll(() => new Promise((resolve) => issuer.close(resolve)));

  const serve = (...kids: string[]): void => {
    asked.length = 0;
    answer = (response) => response.end(JSON.stringify({ keys: kids.map((kid) => keys.get(kid)?.jwk) }));
  };
  const make = (kid: string, claims: JWTPayload = {}, alg = kid === 'one' ? 'RS256' : 'ES256'): Promise<string> =>
    new SignJWT({ iss: 'https://issuer.test', aud: 'vrsky', exp: Math.floor(Date.now() / 1_000) + 60, ...claims })
      .setProtectedHeader({ alg, kid })
      .sign((keys.get(kid) as { privateKey: CryptoKey }).privateKey);
  const bearer = async (jwt: string | Promise<string>): Promise<Record<string, string>> => ({ authorization: `Bearer ${await jwt}` });
  const connection = () => connectionOf({ auth: { scheme: 'jwt', jwksUrl, issuer: 'https://issuer.test', audience: 'vrsky' } });
  const startWith = async (allow: string[], times = {}) => {
    const failures: string[] = [];
    const guard = createGuard({ allow: new Set(allow) });
    const dispatcher = new Agent({ connect: createEgress({ guard, way: { connectTimeoutMs: 1_000, http2: false, tls: {} } }) });
    const source = await start([connection()], { keyFetching: { dispatcher, times, onFailed: (_, reason) => failures.push(reason) } });
    return { ...source, failures };
  };

  test('of the issuer lets in; its keys are fetched once, and kept over a new configuration', async () => {
    serve('one', 'two');
    const { codeOf, configure, offers } = await startWith([`127.0.0.1:${port}`]);
    expect(await codeOf(await bearer(make('one')))).toBe('accepted');
    configure([connection()]);
    expect(await codeOf(await bearer(make('two')))).toBe('accepted');
    expect(asked).toEqual(['/keys']);
    expect(offers[0]?.message.headers).toEqual([]);
  });

  test('of another key, issuer, audience or time is refused with what is wrong', async () => {
    serve('one');
    const { codeOf, refusals } = await startWith([`127.0.0.1:${port}`]);
    const now = Math.floor(Date.now() / 1_000);
    const code = async (jwt: string | Promise<string>): Promise<string> => codeOf(await bearer(jwt));
    expect(await code(make('one', { iss: 'https://evil.test' }))).toBe('401 token_claim');
    expect(await code(make('one', { aud: 'other' }))).toBe('401 token_claim');
    expect(await code(make('one', { exp: now - 60 }))).toBe('401 token_expired');
    expect(await code(make('one', { nbf: now + 600 }))).toBe('401 token_claim');
    expect(await code(make('one', { exp: undefined as never }))).toBe('401 token_claim');
    expect(await code(make('foreign'))).toBe('401 token_key_unknown');
    const [head, claims, signature] = (await make('one')).split('.') as [string, string, string];
    const other = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(claims, 'base64url').toString()), sub: 'admin' })).toString('base64url');
    expect(await code(`${head}.${other}.${signature}`)).toBe('401 signature_mismatch');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    expect(await code(`${none}.${claims}.`)).toMatch(/^401 (token_algorithm|credential_malformed)$/);
    const publicKeyAsSecret = await new SignJWT({ iss: 'https://issuer.test', aud: 'vrsky', exp: now + 60 })
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .sign(Buffer.from(JSON.stringify(keys.get('one')?.jwk)));
    expect(await code(publicKeyAsSecret)).toBe('401 token_algorithm');
    expect(await codeOf({ authorization: 'Bearer x' })).toBe('401 credential_malformed');
    expect(await codeOf({})).toBe('401 credential_missing');
    expect(refusals).toHaveLength(11);
  });

  test('of a key that is not known yet makes us fetch again, and forged key ids do not make a flood of it', async () => {
    serve('one');
    const { codeOf } = await startWith([`127.0.0.1:${port}`], { cooldownMs: 100_000 });
    expect(await codeOf(await bearer(make('one')))).toBe('accepted');
    for (let i = 0; i < 5; i++) expect(await codeOf(await bearer(make('foreign')))).toBe('401 token_key_unknown');
    expect(asked).toHaveLength(1);
    const second = await startWith([`127.0.0.1:${port}`], { cooldownMs: 0 });
    expect(await second.codeOf(await bearer(make('one')))).toBe('accepted');
    serve('two');
    expect(await second.codeOf(await bearer(make('two')))).toBe('accepted');
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ['is broken', (response) => response.writeHead(500).end()],
    ['says nothing', () => undefined],
    ['hangs up', (response) => void response.destroy()],
    ['answers without end', (response) => void response.end(Buffer.alloc(300_000, 32))],
    ['is no JSON', (response) => response.end('<html>')],
    ['leads elsewhere', (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
  ])('cannot be checked while the key set %s: 503 to come again, and the log knows why', async (_, respond) => {
    answer = respond;
    const { codeOf, url, failures, offers } = await startWith([`127.0.0.1:${port}`], { fetchMs: 200 });
    const headers = await bearer(make('one'));
    expect(await codeOf(headers)).toBe('503 keys_unavailable');
    const refused = await request(url, { method: 'POST', headers, body: 'x' });
    expect(refused.headers['retry-after']).toBe('10');
    await refused.body.dump();
    expect(failures[0]).toEqual(expect.stringMatching(/\w/));
    expect(offers).toEqual([]);
    issuer.closeAllConnections();
  });

  test('of a key set on the inside is not fetched: the guard stands before it', async () => {
    serve('one');
    const { codeOf, failures } = await startWith([]);
    expect(await codeOf(await bearer(make('one')))).toBe('503 keys_unavailable');
    expect(failures).toEqual([expect.stringContaining('127.0.0.1 is not allowed')]);
    expect(asked).toEqual([]);
  });

  test('is asked for before the body, and the body behind it still arrives whole', async () => {
    serve('one');
    const { url, offers } = await startWith([`127.0.0.1:${port}`]);
    const body = Buffer.from(Array.from({ length: 500_000 }, (_, i) => i & 255));
    const response = await request(url, { method: 'POST', headers: await bearer(make('one')), body });
    expect(response.statusCode).toBe(202);
    expect(Buffer.compare(Buffer.from(offers[0]?.message.payload as Uint8Array), body)).toBe(0);
    await response.body.dump();
  });
});

test('two sources on one path: the second is told, the first goes on', async () => {
  const { errors, codeOf } = await start([connectionOf({}), connectionOf({ path: PATH }, {}, 'pip/second')]);
  expect(errors).toEqual([{ connectionId: 'pip/second', errors: [{ path: '/path', message: 'Another source has this path.' }] }]);
  expect(await codeOf({})).toBe('accepted');
});
