import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { scratchDir } from '@vrsky/testkit/scratch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveRest } from '../src/server/serve-rest.ts';
import { rest } from './calls.ts';
import { type Rig, startRig } from './rig.ts';

// `vrsky publish` against the REST API itself; e2e has it with a node behind, in the tutorial.

const main = path.resolve(import.meta.dirname, '../../cli/src/main.ts');
const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? '/', address());
  const body = Buffer.concat(await request.toArray());
  const init = { method: request.method ?? 'GET', headers: request.headers as Record<string, string>, ...(body.length > 0 ? { body } : {}) };
  const answer = await serveRest(new Request(url, init), { params: Promise.resolve({ path: url.pathname.split('/').slice(3) }) });
  response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(Buffer.from(await answer.arrayBuffer()));
});
const address = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

let rig: Rig;
let pipeline: string;

beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  rig = await startRig();
  const destinations = [{ id: 'out', name: 'Out', connector: 'http', settings: { url: 'https://api.example.com/orders' } }];
  pipeline = (await rest('POST', '/pipelines', { key: rig.acme.apiKey, body: { name: 'Orders', draft: { destinations } } })).body.id;
});
afterAll(async () => {
  server.close();
  await rig[Symbol.asyncDispose]();
});

function project(output: string): string {
  const dir = scratchDir('publish');
  mkdirSync(path.join(dir, 'fixtures'));
  writeFileSync(path.join(dir, 'vrsky.json'), '{ "kind": "convert", "language": "typescript", "entry": "step.ts", "pipeline": "Orders" }');
  writeFileSync(path.join(dir, 'step.ts'), "import { defineConvert } from '@vrsky/sdk';\nexport default defineConvert((msg) => ({ id: msg.json().id }));\n");
  writeFileSync(path.join(dir, 'fixtures/order.json'), JSON.stringify({ input: { payload: { id: 1, more: 2 } }, expect: { outcome: 'ok', output } }));
  return dir;
}

function publish(dir: string, args: string[], key = rig.acme.apiKey): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, VRSKY_URL: address(), VRSKY_API_KEY: key, NODE_ENV: undefined } as unknown as NodeJS.ProcessEnv;
  return new Promise((resolve) => {
    execFile(process.execPath, [main, 'publish', dir, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

const draftVersion = async (): Promise<number> => (await rest('GET', `/pipelines/${pipeline}`, { key: rig.acme.apiKey })).body.draftVersion;

describe('vrsky publish', () => {
  it('puts the step with its fixtures into the pipeline and publishes it; what is not there is said, and nothing is sent', async () => {
    const before = await draftVersion();
    const good = project('{"id":1}');
    const refused = [
      await publish(project('{"id":2}'), ['--step', 'ledger', '--create']),
      await publish(good, ['--step', 'ledger']),
      await publish(good, ['--step', 'ledger', '--pipeline', 'Nowhere']),
      await publish(good, ['--step', 'ledger', '--pipeline', pipeline, '--create'], 'vrsky_wrong'),
    ] as const;
    expect(
      refused.map(({ code }) => code),
      refused.map(({ stderr }) => stderr).join(''),
    ).toEqual([6, 7, 7, 7]);
    expect(refused[0].stderr).toContain('id is 1, not 2');
    expect(refused[0].stderr).toMatch(/^error: 1 of 1 fixture does not hold: nothing was sent$/m);
    expect(refused[1].stderr).toMatch(/^error: Orders has no step ledger: it has no step yet; add it as the last one with --create$/m);
    expect(refused[2].stderr).toMatch(/^error: There is no pipeline Nowhere: there are those above$/m);
    expect(refused[3].stderr).toContain('Set VRSKY_API_KEY to a key from the console');
    expect(await draftVersion()).toBe(before);

    const published = await publish(good, ['--step', 'ledger', '--create', '--json']);
    expect(published.code, published.stderr).toBe(0);
    expect(JSON.parse(published.stdout)).toEqual({ pipelineId: pipeline, stepId: 'ledger', revision: 1, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const { draft, publishedRevision } = (await rest('GET', `/pipelines/${pipeline}`, { key: rig.acme.apiKey })).body;
    expect(publishedRevision).toBe(1);
    expect(draft.steps).toMatchObject([{ id: 'ledger', kind: 'convert', language: 'typescript', fixtures: [{ name: 'order' }] }]);
    expect(draft.steps[0].source).toMatch(/^\/\/ @ts-nocheck\n/);

    const waited = await publish(good, ['--step', 'ledger', '--wait', '--timeout', '0.2']);
    expect(waited).toMatchObject({ code: 8, stderr: expect.stringContaining('error: It is published, but no node is there to run it after 0.2 s') });
  });
});
