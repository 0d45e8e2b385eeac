import path from 'node:path';
import { spawnApp } from '@vrsky/testkit/app';
import { findBubblewrap } from '@vrsky/testkit/bubblewrap';
import { repositoryRoot } from '@vrsky/testkit/config';
import type { Child } from '@vrsky/testkit/launch';
import { freePort } from '@vrsky/testkit/ports';
import { scratchDir } from '@vrsky/testkit/scratch';
import type { ControlPlane } from './control-plane.ts';

/** A real node in its own process, with its connector, that a test may kill and start again with the same disk and ports. */
export interface NodeProcess {
  readonly ingestUrl: string;
  readonly opsUrl: string;
  readonly stateDir: string;
  child(): Child;
  /** POSTs to a pipeline's URL. */
  post(path: string, body: string | Buffer<ArrayBuffer>, headers?: Record<string, string>): Promise<Answer>;
  ready(): Promise<{ status: number; checks: Record<string, string> }>;
  metrics(): Promise<string>;
  kill(): Promise<void>;
  stop(): Promise<void>;
  start(options?: { env?: Record<string, string>; waitForReady?: boolean }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

const entry = path.join(repositoryRoot, 'apps/node/src/main.ts');

export async function startNode(plane: ControlPlane, options: { env?: Record<string, string>; egressAllow?: string[] } = {}): Promise<NodeProcess> {
  const stateDir = scratchDir('node');
  const [ingestPort, opsPort] = [await freePort(), await freePort()];
  const opsUrl = `http://127.0.0.1:${opsPort}`;
  const ingestUrl = `http://127.0.0.1:${ingestPort}`;
  const bwrap = findBubblewrap();
  let child: (Child & AsyncDisposable) | null = null;

  const start: NodeProcess['start'] = async ({ env = {}, waitForReady = true } = {}) => {
    child = await spawnApp({
      entry,
      env: {
        VRSKY_NODE_NAME: 'test node',
        VRSKY_CONSOLE_URL: plane.url,
        VRSKY_JOIN_TOKEN: plane.joinToken,
        VRSKY_STATE_DIR: stateDir,
        VRSKY_INGEST_PORT: String(ingestPort),
        VRSKY_OPS_PORT: String(opsPort),
        VRSKY_EGRESS_ALLOW: (options.egressAllow ?? []).join(','),
        VRSKY_DRAIN_MS: '5000',
        ...(bwrap === null ? {} : { VRSKY_BWRAP: bwrap }),
        ...options.env,
        ...env,
      },
      ready: waitForReady ? `${opsUrl}/ready` : `${opsUrl}/live`,
    });
  };
  const running = (): Child & AsyncDisposable => {
    if (child === null) throw new Error('the node was not started');
    return child;
  };
  await start();

  return {
    ingestUrl,
    opsUrl,
    stateDir,
    child: running,
    async post(to, body, headers = {}) {
      const response = await fetch(`${ingestUrl}${to}`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', ...headers },
        signal: AbortSignal.timeout(20_000),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
    },
    async ready() {
      const response = await fetch(`${opsUrl}/ready`);
      const { checks } = (await response.json()) as { checks: Record<string, string> };
      return { status: response.status, checks };
    },
    metrics: async () => (await fetch(`${opsUrl}/metrics`)).text(),
    async kill() {
      await running().kill();
    },
    async stop() {
      await running().stop();
    },
    start,
    async [Symbol.asyncDispose]() {
      if (child !== null && child.exit() === null) await child.stop();
    },
  };
}
