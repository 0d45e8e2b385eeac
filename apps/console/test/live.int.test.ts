import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ReceivedRequest, receiverBin } from '@vrsky/contracts/receiver';
import { eventually } from '@vrsky/testkit/eventually';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { liveKinds } from '../src/server/live/live-change.ts';
import { liveChanges } from '../src/server/live.ts';
import { notifyLive } from '../src/server/live-channel.ts';
import { serveMetrics } from '../src/server/serve-metrics.ts';
import { serveTrpc } from '../src/server/serve-trpc.ts';
import { trpc } from './calls.ts';
import { type Rig, startRig, type TestTenant } from './rig.ts';

/** The two answers of the test receiver that the console asks for. */
class FakeReceiver {
  readonly server: Server;
  readonly streams = new Map<string, ServerResponse>();
  requests: ReceivedRequest[] = [];

  constructor() {
    this.server = createServer((request, response) => {
      const path = request.url ?? '';
      if (path.endsWith('/events')) {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(': connected\n\n');
        this.streams.set(path, response);
        response.on('close', () => this.streams.delete(path));
        return;
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ requests: this.requests }));
    });
  }

  arrive(tenantId: string): void {
    for (const [path, stream] of this.streams) if (path.includes(tenantId)) stream.write('event: arrival\ndata: {"count":1}\n\n');
  }
}

let rig: Rig;
let receiver: FakeReceiver;

beforeAll(async () => {
  receiver = new FakeReceiver();
  await new Promise<void>((resolve) => receiver.server.listen(0, '127.0.0.1', resolve));
  rig = await startRig({ receiverUrl: `http://127.0.0.1:${(receiver.server.address() as AddressInfo).port}` });
});
afterAll(async () => {
  receiver.server.closeAllConnections();
  receiver.server.close();
  await rig[Symbol.asyncDispose]();
});

interface Line {
  text(): string;
  kinds(): string[];
  close(): void;
  ended: Promise<void>;
}

/** The subscription as a browser opens it: an EventSource with connection parameters. */
async function open(tenant: TestTenant, options: { cookie?: string; lastEventId?: string } = {}): Promise<Line> {
  const abort = new AbortController();
  const params = encodeURIComponent(JSON.stringify({ tenant: tenant.slug }));
  const resume = options.lastEventId ? `&lastEventId=${options.lastEventId}` : '';
  const response = await serveTrpc(
    new Request(`http://console.test/api/trpc/live.changes?connectionParams=${params}${resume}`, {
      headers: { cookie: options.cookie ?? tenant.cookie, accept: 'text/event-stream' },
      signal: abort.signal,
    }),
  );
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  let text = '';
  const ended = (async () => {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString('utf8');
  })().catch(() => undefined); // aborted by us
  await eventually(() => text.includes('connected') || text.includes('error'), { what: 'the line to be open' });
  return { text: () => text, kinds: () => [...text.matchAll(/"kind":"(\w+)"/g)].map((match) => match[1] as string), close: () => abort.abort(), ended };
}

const subscribers = async (): Promise<number> => Number(/vrsky_console_live_subscribers (\d+)/.exec(await (await serveMetrics()).text())?.[1]);
/** The console has begun to listen: it says so by telling its first page to ask for everything. */
const asked = (line: Line): Promise<unknown> => eventually(() => new Set(line.kinds()).size === liveKinds.length, { what: 'everything to be asked for' });

describe('live changes', () => {
  it('reach the pages of their tenant and no other, and a page that closes is forgotten', async () => {
    const acme = await open(rig.acme);
    const globex = await open(rig.globex);
    await asked(acme);
    expect(await subscribers()).toBe(2);
    await notifyLive(rig.platformDb.prisma, { tenantId: rig.acme.context.tenantId, kind: 'messages', pipelineId: 'pip_acme' });
    await eventually(() => acme.text().includes('pip_acme'), { what: 'the change to arrive' });
    await notifyLive(rig.platformDb.prisma, { tenantId: rig.globex.context.tenantId, kind: 'rollout', pipelineId: 'pip_globex' });
    await eventually(() => globex.text().includes('pip_globex'), { what: 'the other change to arrive' });
    // In order on one connection: had Acme's change gone to Globex, it would be here by now.
    expect(globex.text()).not.toContain('pip_acme');
    acme.close();
    globex.close();
    await Promise.all([acme.ended, globex.ended]);
    await eventually(async () => (await subscribers()) === 0, { what: 'both to be forgotten' });
    await eventually(() => receiver.streams.size === 0, { what: 'the receiver to be left alone' });
  });

  it('tell of what the test receiver gets', async () => {
    const line = await open(rig.acme);
    await eventually(() => receiver.streams.size === 1, { what: 'the receiver to be followed' });
    expect([...receiver.streams.keys()][0]).toBe(`/${receiverBin(rig.acme.context.platform.receiverKey, rig.acme.context.tenantId)}/events`);
    receiver.arrive(rig.acme.context.tenantId);
    await eventually(() => line.kinds().includes('receiver'), { what: 'the arrival to be told' });
    line.close();
    await line.ended;
  });

  it('after a lost database connection everything is to be asked again', async () => {
    const line = await open(rig.acme);
    await rig.adminDb.pool.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vrsky console'");
    await asked(line);
    await notifyLive(rig.platformDb.prisma, { tenantId: rig.acme.context.tenantId, kind: 'messages', pipelineId: 'pip_after' });
    await eventually(() => line.text().includes('pip_after'), { what: 'changes to be told again' });
    line.close();
    await line.ended;
  });

  it('a page that comes back is told to ask for everything', async () => {
    const line = await open(rig.acme, { lastEventId: '7' });
    await eventually(() => line.kinds().length === liveKinds.length, { what: 'all kinds' });
    line.close();
    await line.ended;
  });

  it('end for somebody whose session has ended meanwhile', async () => {
    let isAllowed = true;
    const changes = liveChanges(rig.acme.context, { lastEventId: '1', signal: undefined, isAllowed: async () => isAllowed, recheckEveryMs: 5 });
    expect((await changes.next()).done).toBe(false);
    isAllowed = false;
    let told = 0;
    for await (const _event of changes) told++;
    expect(told).toBeLessThan(10); // what was on its way, and then the end
    expect(await subscribers()).toBe(0);
  });

  it('are refused to who is no member', async () => {
    const line = await open(rig.acme, { cookie: rig.globex.cookie });
    expect(line.text()).toContain('TENANT.NOT_FOUND');
    await line.ended;
    expect(await subscribers()).toBe(0);
  });
});

describe("the test receiver's page", () => {
  it('lists what arrived, newest first, as text when it is text', async () => {
    receiver.requests = [
      { receivedAt: '2026-01-01T00:00:00.000Z', method: 'POST', url: '/bin', headers: { a: '1' }, bodyBase64: Buffer.from('old').toString('base64') },
      { receivedAt: '2026-01-02T00:00:00.000Z', method: 'PUT', url: '/bin', headers: {}, bodyBase64: Buffer.from([255]).toString('base64') },
    ];
    const { data } = await trpc('query', 'receiver.list', { cookie: rig.acme.cookie, tenant: 'acme' });
    expect(data).toMatchObject([
      { method: 'PUT', text: null, bytes: 1 },
      { method: 'POST', text: 'old', bytes: 3, headers: { a: '1' } },
    ]);
  });
});
