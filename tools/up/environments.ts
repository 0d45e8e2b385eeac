import path from 'node:path';
import type { DatabaseUrls } from '@vrsky/db/prepare-database';
import { findBubblewrap } from '@vrsky/testkit/bubblewrap';
import { root } from '../run.ts';
import type { Ports } from './config.ts';
import type { StackSecrets } from './secrets.ts';

type Env = Record<string, string>;

/** Where each thing of the stack answers. */
export interface Addresses {
  console: string;
  ingest: string;
  receiver: string;
  nodeOps: string;
  worker: string;
  nats: string;
  /** Where a person may start a receiver of their own. */
  ownReceiver: string;
}

export function createAddresses(ports: Ports): Addresses {
  const http = (port: number): string => `http://127.0.0.1:${port}`;
  return {
    console: http(ports.console),
    ingest: http(ports.ingest),
    receiver: http(ports.receiver),
    nodeOps: http(ports.nodeOps),
    worker: http(ports.worker),
    nats: `nats://127.0.0.1:${ports.nats}`,
    ownReceiver: http(ports.ownReceiver),
  };
}

export const entries = {
  receiver: path.join(root, 'apps/receiver/src/main.ts'),
  worker: path.join(root, 'apps/console/src/worker/main.ts'),
  console: path.join(root, 'node_modules/next/dist/bin/next'),
  consoleDir: path.join(root, 'apps/console'),
  node: path.join(root, 'apps/node/src/main.ts'),
};

export interface Environments {
  receiver(): Env;
  worker(): Env;
  console(): Env;
  /** For commands of the platform's operator: they act as the owner of the tables. */
  operator(): Env;
  node(): Env;
}

/** What each process is told: its own part and no more. Traces go where the person who starts the stack says. */
export function createEnvironments(options: {
  dir: string;
  ports: Ports;
  secrets: StackSecrets;
  databaseUrls: () => DatabaseUrls;
  extra?: Env;
  egressAllow?: string[];
}): Environments {
  const { dir, ports, secrets, databaseUrls, extra = {}, egressAllow = [] } = options;
  const at = createAddresses(ports);
  const platform = (): Env => ({
    ...extra,
    NATS_URL: at.nats,
    VRSKY_KEYS_FILE: secrets.keysFile,
    VRSKY_CONSOLE_URL: at.console,
    VRSKY_INGEST_URL: at.ingest,
    VRSKY_RECEIVER_URL: at.receiver,
  });
  const bwrap = findBubblewrap();
  return {
    receiver: () => ({ ...extra, PORT: String(ports.receiver), VRSKY_RECEIVER_KEY: secrets.keys.receiverKey }),
    worker: () => ({ ...platform(), VRSKY_PLATFORM_DATABASE_URL: databaseUrls().platform, VRSKY_WORKER_PORT: String(ports.worker) }),
    console: () => ({
      ...platform(),
      NODE_ENV: 'production',
      NEXT_TELEMETRY_DISABLED: '1',
      DATABASE_URL: databaseUrls().app,
      VRSKY_WORKER_URL: at.worker,
      PORT: String(ports.console),
      NEXTAUTH_URL: at.console,
      NEXTAUTH_SECRET: secrets.keys.authSecret,
    }),
    operator: () => ({ ...platform(), DATABASE_OWNER_URL: databaseUrls().owner }),
    node: () => ({
      ...extra,
      VRSKY_NODE_NAME: 'node-1',
      VRSKY_CONSOLE_URL: at.console,
      VRSKY_STATE_DIR: path.join(dir, 'node'),
      VRSKY_PLUGIN_DIR: path.join(dir, 'plugins'),
      ...(bwrap === null ? {} : { VRSKY_BWRAP: bwrap }),
      VRSKY_INGEST_HOST: '127.0.0.1',
      VRSKY_INGEST_PORT: String(ports.ingest),
      VRSKY_INGEST_PUBLIC_URL: at.ingest,
      VRSKY_OPS_PORT: String(ports.nodeOps),
      // The private addresses that pipelines of this stack may send to: the test receiver, the person's own, and what the starter names.
      VRSKY_EGRESS_ALLOW: [`127.0.0.1:${ports.receiver}`, `127.0.0.1:${ports.ownReceiver}`, ...egressAllow].join(','),
    }),
  };
}
