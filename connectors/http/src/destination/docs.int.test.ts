import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { createIdentity } from '@vrsky/plugin/certificate';
import { type ConnectorHarness, startConnector, type TestConnection } from '@vrsky/sdk/connector-test';
import { repositoryRoot } from '@vrsky/testkit/config';
import { eventually } from '@vrsky/testkit/eventually';
import { freePort, isPortFree } from '@vrsky/testkit/ports';
import { runTutorial } from '@vrsky/testkit/tutorial';
import Provider from 'oidc-provider';
import { afterAll, beforeAll, expect, test } from 'vitest';

// Every page about how a destination shows who it is: the printed settings in the real connector, what arrives at a real receiver beside the
// printed request, and the printed check of the receiver, which takes it and nothing that was changed.

const folder = path.join(repositoryRoot, 'docs/http/out');
const pages = readdirSync(folder).map((file) => ({ file, text: readFileSync(path.join(folder, file), 'utf8') }));

const values: Record<string, string> = {
  'orders-api': '9f2c51d07be34a68',
  'orders-password': 'correct horse',
  'orders-key': '5d0e9c1f7a2b4860',
  'orders-client': 'secret-of-the-client',
  'aws-key': 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  'webhook-signing': 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
};

interface Received {
  request: IncomingMessage;
  body: string;
  /** As the page prints it. */
  text: string;
}

let cwd: string;
let connector: ConnectorHarness;
let tlsPort: number;
/** The receiver and the authorisation server, by the names that the pages give them. */
const servers = new Map<string, Server>();
const received: Received[] = [];
const children: ChildProcess[] = [];
const addressOf = (server: Server): string => `127.0.0.1:${(server.address() as AddressInfo).port}`;

beforeAll(async () => {
  // Within the package, so that what the pages import is found.
  const dist = path.join(import.meta.dirname, '../../dist');
  await mkdir(dist, { recursive: true });
  cwd = await mkdtemp(path.join(dist, 'docs-'));
  const authorisation = createServer((request, response) => void answerToken(request, response));
  const receiver = createServer((request, response) => void keep(request).then(() => response.end('taken')));
  for (const server of [authorisation, receiver]) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.set('login.example.com', authorisation);
  servers.set('api.example.com', receiver);
  servers.set('abc123.execute-api.eu-central-1.amazonaws.com', receiver);
  const provider = new Provider(`http://${addressOf(authorisation)}`, {
    clients: [
      {
        ...{ client_id: 'vrsky', client_secret: values['orders-client'], token_endpoint_auth_method: 'client_secret_basic', scope: 'orders.write' },
        ...{ grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
      },
      {
        ...{ client_id: 'orders-api', client_secret: 'secret-of-the-receiver', token_endpoint_auth_method: 'client_secret_basic' },
        ...{ grant_types: [], redirect_uris: [], response_types: [] },
      },
    ],
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (_, client) => client.clientId === 'orders-api' },
      devInteractions: { enabled: false },
    },
    scopes: ['orders.write'],
    ttl: { ClientCredentials: 600 },
  });
  const answer = provider.callback();
  async function answerToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await keep(request);
    request.url = request.url?.replace('/oauth2', '') ?? '';
    Object.assign(request, { body: Object.fromEntries(new URLSearchParams(body)) });
    await answer(request, response);
  }
  tlsPort = await freePort();
  connector = await startConnector(
    { command: path.join(import.meta.dirname, '../../dist/http-connector') },
    {
      env: {
        VRSKY_HTTP_ROLES: 'destination',
        VRSKY_EGRESS_ALLOW: [...servers.values()].map(addressOf).concat(`localhost:${tlsPort}`, `127.0.0.1:${tlsPort}`).join(','),
      },
      timeoutMs: 60_000,
    },
  );
}, 60_000);
afterAll(async () => {
  await connector?.[Symbol.asyncDispose]();
  for (const child of children) child.kill();
  for (const server of new Set(servers.values())) server.close();
  await rm(cwd, { recursive: true, force: true });
});

async function keep(request: IncomingMessage): Promise<string> {
  const body = Buffer.concat(await request.toArray()).toString('utf8');
  const headers: string[] = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) headers.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
  received.push({ request, body, text: [`${request.method} ${request.url} HTTP/1.1`, ...headers, '', body].join('\n') });
  return body;
}

/** Names of the pages in the place of those of this machine, or the other way round. */
function localised(text: string): string {
  let local = text;
  for (const [name, server] of servers) local = local.replaceAll(`https://${name}`, `http://${addressOf(server)}`);
  return local;
}

function blocksOf(text: string): { language: string; block: string }[] {
  return [...text.matchAll(/^```(json|sh|text|http|js)\n([\s\S]*?)^```/gm)].map(([, language = '', block = '']) => ({ language, block }));
}

/** The secrets that settings name, with what they are on the pages: made by a page's own commands, or printed. */
function connectionOf(settings: Record<string, unknown>): TestConnection {
  const names = [...JSON.stringify(settings).matchAll(/"\$secret":"([^"]+)"/g)].map(([, name = '']) => name);
  const files: Record<string, string> = { 'orders-cert': 'client.pem', 'orders-cert-key': 'client-key.pem' };
  const secretOf = (name: string): string => values[name] ?? readFileSync(path.join(cwd, files[name] ?? ''), 'utf8');
  return {
    role: 'destination',
    settings,
    secrets: Object.fromEntries(names.map((name) => [name, { values: [secretOf(name)], hosts: ['127.0.0.1', 'localhost'] }])),
  };
}

const send = () => connector.send({ payload: '{"order":7}', contentType: 'application/json', messageId: 'msg_1', customerId: 'cus_1' });

/** Whether a printed line stands in what arrived; `…` is what differs from time to time, and names of headers have no case. */
function isAmong(line: string, lines: string[]): boolean {
  const pattern = line.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const form = new RegExp(`^${pattern.join('.*')}$`, /^[\w-]+: /.test(line) ? 'i' : '');
  return lines.some((one) => form.test(one));
}

function missingFrom(printed: string, arrived: Received[]): string[] {
  const lines = printed
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '');
  const hosts = [...servers].map(([name, server]) => ({ name, address: addressOf(server) }));
  const tries = arrived.flatMap(({ text }) =>
    hosts.map(({ name, address }) => lines.filter((line) => !isAmong(line, text.replaceAll(address, name).split('\n')))),
  );
  return tries.sort((a, b) => a.length - b.length)[0] ?? lines;
}

const sections = pages.flatMap(({ file, text }) => {
  const examples: { title: string; json: string; http: string[]; js: string[] }[] = [];
  for (const { language, block } of blocksOf(text)) {
    if (language === 'json') examples.push({ title: `${file}, example ${examples.length + 1}`, json: block, http: [], js: [] });
    else if (language === 'http') examples.at(-1)?.http.push(block);
    else if (language === 'js') examples.at(-1)?.js.push(block);
  }
  return file === 'mtls.md' ? [] : examples;
});

test.each(sections)('$title: the receiver gets the printed request, and its printed check takes that alone', async ({ title, json, http, js }) => {
  received.length = 0;
  expect(await connector.configure([connectionOf(JSON.parse(localised(json)))])).toEqual([]);
  expect(await send()).toMatchObject({ status: 'ok' });
  expect(http.length).toBeGreaterThan(0);
  for (const printed of http) expect(missingFrom(printed, received)).toEqual([]);
  for (const [i, code] of js.entries()) {
    const file = path.join(cwd, `${title.replaceAll(/\W+/g, '-')}-${i}.mjs`);
    writeFileSync(file, localised(code));
    const { isFromVrsky } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as {
      isFromVrsky(request: { headers: IncomingMessage['headers'] }, body: string): boolean | Promise<boolean>;
    };
    const { request, body } = received.findLast(({ text }) => text.includes('{"order":7}')) as Received;
    expect(await isFromVrsky(request, body)).toBe(true);
    const { authorization: _, 'x-api-key': __, 'webhook-signature': ___, ...headers } = request.headers;
    expect(await isFromVrsky({ headers }, body)).toBe(false);
    if (code.includes('body)')) expect(await isFromVrsky(request, body.replace('7', '8'))).toBe(false);
  }
});

test('mtls.md: the printed server takes the printed certificate, and nobody without it', async () => {
  const text = pages.find(({ file }) => file === 'mtls.md')?.text ?? '';
  const of = (wanted: string): string => blocksOf(text).find(({ language }) => language === wanted)?.block ?? '';
  await runTutorial([of('sh')], { cwd, env: process.env });
  const own = createIdentity();
  writeFileSync(path.join(cwd, 'server.pem'), own.certPem);
  writeFileSync(path.join(cwd, 'server-key.pem'), own.keyPem);
  writeFileSync(path.join(cwd, 'server.mjs'), of('js').replace('8443', `${tlsPort}, '127.0.0.1'`));
  children.push(spawn(process.execPath, ['server.mjs'], { cwd, stdio: 'ignore' }));
  await eventually(async () => !(await isPortFree(tlsPort)), { what: 'the server of the page' });
  const settings = JSON.parse(of('json').replace('https://api.example.com', `https://localhost:${tlsPort}`));
  const trusting = { ...settings, tls: { ...settings.tls, ca: own.certPem } };
  expect(await connector.configure([connectionOf(trusting)])).toEqual([]);
  const result = await send();
  expect({ status: result.status, answer: `${result.peerAnswer}\n` }).toEqual({ status: 'ok', answer: of('text') });
  await connector.configure([connectionOf({ ...settings, tls: { ca: own.certPem } })]);
  expect((await send()).status).toBe('retryable');
});

test('every scheme has its page, and the index leads to it', () => {
  const schemes = pages.flatMap(({ text }) =>
    blocksOf(text).flatMap(({ language, block }) => (language === 'json' ? Object.keys(JSON.parse(block)).concat(JSON.parse(block).auth?.scheme ?? []) : [])),
  );
  for (const scheme of ['bearer', 'basic', 'api_key', 'oauth2', 'aws_sigv4', 'tls', 'signing']) expect(schemes).toContain(scheme);
  const index = readFileSync(path.join(folder, '../README.md'), 'utf8');
  for (const { file } of pages) expect(index).toContain(`(out/${file})`);
});
