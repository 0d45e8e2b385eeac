import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { createStreamPublisher } from '@vrsky/bus/publisher';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { subjects } from '@vrsky/contracts/subjects';
import { every } from '@vrsky/kernel/lifecycle';
import { encodeBatch } from '@vrsky/proto/message-codec';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApiKey } from '../src/features/tenancy/server/create-api-key.ts';
import { serveRest } from '../src/server/serve-rest.ts';
import { projectedMessage } from './fixtures.ts';
import { type Rig, startRig } from './rig.ts';

const readme = path.resolve(import.meta.dirname, '../../../docs/api/README.md');

let rig: Rig;
const server = createServer((request, response) => void serve(request, response));

beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  rig = await startRig({ ingestUrl: address() });
});
afterAll(async () => {
  server.close();
  await rig[Symbol.asyncDispose]();
});

const address = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** The REST API under `/api/v1`, and below `/in/` a stand-in for a node whose deliveries all fail. */
async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', address());
  const body = Buffer.concat(await request.toArray());
  if (url.pathname.startsWith('/in/')) {
    await fail(url.pathname.slice('/in/'.length), body);
    response.writeHead(202).end();
    return;
  }
  const init = { method: request.method ?? 'GET', headers: request.headers as Record<string, string>, ...(body.length > 0 ? { body } : {}) };
  const answer = await serveRest(new Request(url, init), { params: Promise.resolve({ path: url.pathname.split('/').slice(3) }) });
  response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(Buffer.from(await answer.arrayBuffer()));
}

async function fail(inletPath: string, payload: Buffer): Promise<void> {
  const pipeline = await rig.platformDb.prisma.pipeline.findUniqueOrThrow({ where: { inletPath } });
  const publisher = createStreamPublisher(await rig.bus.tenant(rig.acme.account), { timeoutMs: 5_000 });
  const { seq } = await publisher.publish(
    subjects.dlq(pipeline.id),
    { [packHeaders.destination]: 'request' },
    encodeBatch([{ payload, contentType: 'application/json', connectionId: `${pipeline.id}/source` }]),
  );
  publisher.close();
  await projectedMessage(rig, rig.acme, pipeline.id, { state: 'dead_lettered', dlqSeq: seq, destinationId: 'request' });
}

/** What the node would report once it runs the published revision. */
async function nodeApplies(): Promise<void> {
  const { tenantId } = rig.acme.context;
  await rig.platformDb.prisma.node.upsert({
    where: { id: 'nod_docs' },
    create: { id: 'nod_docs', name: 'docs', pool: 'shared', version: '1', identityKey: 'docs', sealKey: 'docs', leaseAt: new Date() },
    update: { leaseAt: new Date() },
  });
  const pipelines = (await rig.platformDb.prisma.pipeline.findMany({ where: { tenantId, publishedRevision: { not: null } } })).map((row) => ({
    pipelineId: row.id,
    revision: row.publishedRevision,
    state: 'running',
  }));
  const fence = { epoch: 1_000, generation: 1_000_000 };
  const report = { at: new Date(), received: fence, applied: fence, pipelines: pipelines as never };
  await rig.platformDb.prisma.nodeReport.upsert({
    where: { tenantId_nodeId: { tenantId, nodeId: 'nod_docs' } },
    create: { tenantId, nodeId: 'nod_docs', ...report },
    update: report,
  });
}

it('the examples of docs/api/README.md work as printed, from top to bottom', async () => {
  const script = [...readFileSync(readme, 'utf8').matchAll(/^```sh\n([\s\S]*?)^```/gm)].map((match) => match[1]).join('\n');
  const stop = new AbortController();
  const reporting = every(200, nodeApplies, stop.signal, (error) => console.error(error));
  try {
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
      env: {
        ...process.env,
        VRSKY_API: `${address()}/api/v1`,
        VRSKY_API_KEY: rig.acme.apiKey,
        VRSKY_ADMIN_KEY: (await createApiKey(rig.acme.context, { name: 'docs', role: 'admin' })).secret,
      },
      timeout: 60_000,
    });
    expect(stdout).toContain('"problems":[]');
    expect(stdout).toContain('"revision":1');
    expect(stdout).toContain('"destinationName":"HTTP request"');
    expect(stdout).toMatch(/\{"messageId":"msg_\w+"\}/);
    expect(stdout).toMatch(/"name":"shop-token".*"versions":\[\{"number":2,.*\{"number":1,/);
    expect(stdout).not.toContain('the-old-value');
    expect(stdout).toContain('"code":"PIPELINE.NOT_FOUND"');
    expect(stdout.match(/"status":[45]\d\d/g)).toEqual(['"status":404']);
  } finally {
    stop.abort();
    await reporting;
  }
});
