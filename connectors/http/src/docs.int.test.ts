import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ConnectorHarness, startConnector } from '@vrsky/sdk/connector-test';
import { repositoryRoot } from '@vrsky/testkit/config';
import { freePort } from '@vrsky/testkit/ports';
import { brokenPromises, runTutorial } from '@vrsky/testkit/tutorial';
import { afterAll, beforeAll, expect, test } from 'vitest';

// Every section about a source, as it is printed: its settings in the real connector, its requests in a real shell.

const docs = path.join(repositoryRoot, 'docs');
const pages = ['http-source.md', ...readdirSync(path.join(docs, 'http/in')).map((file) => `http/in/${file}`)];

interface Section {
  /** With its page. */
  title: string;
  settings: Record<string, unknown>;
  commands: string[];
  promised: string[];
}

const sections = pages
  .flatMap((page) =>
    readFileSync(path.join(docs, page), 'utf8')
      .split(/^## /m)
      .slice(1)
      .map((text) => ({ page, text })),
  )
  .flatMap(({ page, text }): Section[] => {
    const blocks = [...text.matchAll(/^```(json|sh|text)\n([\s\S]*?)^```/gm)].map(([, language, block = '']) => ({ language, block }));
    const of = (wanted: string): string[] => blocks.filter(({ language }) => language === wanted).map(({ block }) => block);
    const [settings] = of('json');
    if (settings === undefined) return [];
    return [
      {
        title: `${page}: ${text.slice(0, text.indexOf('\n'))}`,
        settings: JSON.parse(settings),
        commands: of('sh'),
        promised: of('text').flatMap((block) => block.trimEnd().split('\n')),
      },
    ];
  });

let connector: ConnectorHarness;
let cwd: string;
let origin: string;
let isOver = false;
/** What the issuer of tokens would serve. */
const issuer = createServer((_, response) => response.end(readFileSync(path.join(cwd, 'jwks.json'))));

beforeAll(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'vrsky-docs-'));
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  connector = await startConnector(
    { command: path.join(import.meta.dirname, '../dist/http-connector') },
    {
      env: { VRSKY_HTTP_ROLES: 'source', VRSKY_HTTP_LISTEN: `127.0.0.1:${port}`, VRSKY_EGRESS_ALLOW: `127.0.0.1:${(issuer.address() as AddressInfo).port}` },
      timeoutMs: 60_000,
    },
  );
  connector.credit(100);
  void (async () => {
    for (let i = 1; !isOver; i++) (await connector.received()).ack({ messageId: `msg_${i}` });
  })().catch(() => undefined); // it ends with the connector
});
afterAll(async () => {
  isOver = true;
  await connector?.[Symbol.asyncDispose]();
  issuer.close();
  await rm(cwd, { recursive: true, force: true });
});

test('every way of authentication has its page, and the index leads to it', () => {
  const schemes = new Set(sections.map(({ settings }) => (settings.auth as { scheme: string } | undefined)?.scheme));
  const index = readFileSync(path.join(docs, 'http/README.md'), 'utf8');
  for (const scheme of ['token', 'basic', 'standard-webhooks', 'github', 'stripe', 'slack', 'hmac', 'jwt']) {
    expect(schemes).toContain(scheme);
    expect(pages).toContain(`http/in/${scheme}.md`);
  }
  for (const page of pages.slice(1)) expect(index).toContain(`(${page.slice('http/'.length)})`);
});

test('every reason that a page explains is one that senders are answered with', () => {
  const codesOf = (text: string): string[] =>
    [...text.matchAll(/^\|(.*?)\|(?: `.*?\|)?/gm)].flatMap(([row]) => [...row.matchAll(/`([a-z_]+)`/g)].map(([, code = '']) => code));
  const known = codesOf(readFileSync(path.join(docs, 'http-source.md'), 'utf8'));
  for (const page of pages.slice(1)) {
    const codes = codesOf(readFileSync(path.join(docs, page), 'utf8').split('## When it is refused')[1] ?? '');
    expect(codes.length, page).toBeGreaterThan(0);
    expect(known, page).toEqual(expect.arrayContaining(codes));
  }
});

test.each(sections.map((section, i) => ({ ...section, i })))('$title: works as printed', async ({ settings, commands, promised, i }) => {
  const inlet = `in_docs_section_${i}`;
  const env = { ...process.env, URL: `${origin}/in/${inlet}` };
  // What comes before the request makes keys, and may print the public one.
  const made = commands.length > 1 ? await runTutorial(commands.slice(0, -1), { cwd, env }) : '';
  const secret = /^SECRET='(.*)'$/m.exec(commands.at(-1) as string)?.[1] ?? /^whpk_.*$/m.exec(made)?.[0];
  const text = JSON.stringify(settings).replace('https://issuer.example.com/jwks.json', `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/jwks.json`);
  const refused = await connector.configure([
    { role: 'source', settings: { ...JSON.parse(text), path: inlet }, ...(secret === undefined ? {} : { secrets: { webhook: secret } }) },
  ]);
  expect(refused).toEqual([]);
  const printed = await runTutorial(commands.slice(-1), { cwd, env });
  expect(brokenPromises(promised, printed, (line) => line.replace(/msg_\w+/g, 'msg_').replace('msg_…', 'msg_'))).toEqual([]);
  // As many answers as are promised: a promise that only the first keeps is none.
  expect(printed.trimEnd().split('\n')).toHaveLength(promised.length);
});
