import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { createLog } from '@vrsky/kernel/log';
import { createCallLedger } from '../../../apps/node/src/plugins/call-ledger.ts';
import { type ConnectorHost, createConnectorHost } from '../../../apps/node/src/plugins/connector-host.ts';
import type { Release } from '../../../apps/node/src/plugins/release-store.ts';
import type { OutgoingMessage } from '../../../apps/node/src/plugins/sends.ts';

/** A process that sends messages of 1 KB to the sink. */
export interface OutLine {
  pid: number;
  /** Sends so many; resolves when each has its answer. */
  send(count: number): Promise<void>;
  close(): Promise<void>;
}
/** A process that takes requests. */
export interface InLine {
  pid: number;
  url: string;
  close(): Promise<void>;
}

const tenantId = 'cus_01jbenchbenchbenchbenchben';
const messageId = 'msg_01jbenchbenchbenchbenchben';
const pipelineId = 'pip_01jbenchbenchbenchbenchben';
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
/** What the destination sends with each message; names and values in turn. */
const sentHeaders = [
  ...['customer-id', tenantId, 'idempotency-key', `${messageId}/${pipelineId}/out`, 'user-agent', 'VRSky'],
  ...['content-type', 'application/json', 'traceparent', traceparent],
];
const SEND_MS = 30_000;
const CREDIT = 1_024;
const log = createLog('bench', 'error');
/** Counted as on a node; where a node would then bring the counts is nobody's. */
const ledger = createCallLedger({ nodeId: 'bench', publish: async () => undefined, log });

async function openHost(release: Release, env: Record<string, string>): Promise<ConnectorHost> {
  const seat = ledger.seat({ connector: 'http', tenantId });
  const host = createConnectorHost({ name: 'http', tenantId, release, env, credit: CREDIT, openCalls: ({ digest }) => seat.open(digest), log });
  await host.start?.(new AbortController().signal);
  return host;
}

async function configure(host: ConnectorHost, role: 'source' | 'destination', connectionId: string, settings: object): Promise<void> {
  const [refused] = await host.configure(1, [{ connectionId, tenantId, role, settings: settings as never }]);
  if (refused !== undefined) throw new Error(`the connector refuses its settings: ${JSON.stringify(refused.errors)}`);
}

/** The HTTP connector as a node runs it, as a destination. */
export async function openConnectorOut(release: Release, sinkUrl: string): Promise<OutLine> {
  const host = await openHost(release, { VRSKY_HTTP_ROLES: 'destination', VRSKY_EGRESS_ALLOW: new URL(sinkUrl).host });
  const connectionId = `${pipelineId}/out`;
  await configure(host, 'destination', connectionId, { url: sinkUrl });
  const message: OutgoingMessage = {
    connectionId,
    customerId: tenantId,
    pipelineId,
    messageId,
    traceparent,
    tracestate: '',
    attempt: 1,
    headers: [],
    payload: Buffer.alloc(1_024, 'x'),
    contentType: 'application/json',
  };
  return {
    pid: host.state().pid ?? 0,
    async send(count) {
      const outcomes = await Promise.all(Array.from({ length: count }, () => host.send(message, SEND_MS)));
      const failed = outcomes.find(({ status }) => status !== 'ok');
      if (failed !== undefined) throw new Error(`a message was not delivered: ${failed.reason}`);
    },
    close: async () => host[Symbol.asyncDispose](),
  };
}

/** The HTTP connector as a node runs it, as a source; everything is stored at once. */
export async function openConnectorIn(release: Release, port: number): Promise<InLine> {
  const host = await openHost(release, { VRSKY_HTTP_ROLES: 'source', VRSKY_HTTP_LISTEN: `127.0.0.1:${port}` });
  host.onReceive((entries) => {
    for (const { seq } of entries) host.ack(seq, 'stored', { messageId });
  });
  const inlet = 'in_0123456789abcdefghjkmnpq';
  await configure(host, 'source', `${pipelineId}/source`, { path: inlet });
  return { pid: host.state().pid ?? 0, url: `http://127.0.0.1:${port}/in/${inlet}`, close: async () => host[Symbol.asyncDispose]() };
}

export async function openBareOut(sinkUrl: string): Promise<OutLine> {
  const child = fork(path.join(import.meta.dirname, 'bare-out.ts'), [sinkUrl, ...sentHeaders]);
  await answer(child);
  const waiting: (() => void)[] = [];
  child.on('message', () => waiting.shift()?.());
  return {
    pid: child.pid ?? 0,
    send(count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push(resolve);
      child.send(count);
      return promise;
    },
    close: async () => child.disconnect(),
  };
}

export async function openBareIn(): Promise<InLine> {
  const child = fork(path.join(import.meta.dirname, 'bare-in.ts'));
  const { port } = (await answer(child)) as { port: number };
  return { pid: child.pid ?? 0, url: `http://127.0.0.1:${port}/in`, close: async () => child.disconnect() };
}

/** So many slow senders at a source; resolves when they are connected. */
export async function openSlowSenders(url: string, count: number): Promise<{ close(): void }> {
  const child = fork(path.join(import.meta.dirname, 'slow-senders.ts'), [url, String(count)]);
  await answer(child);
  return { close: () => child.disconnect() };
}

function answer(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`process ${child.pid} ended with code ${code} before it answered`));
    child.once('exit', onExit);
    child.once('message', (message) => {
      child.off('exit', onExit);
      resolve(message);
    });
  });
}
