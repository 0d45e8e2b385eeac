import path from 'node:path';
import { createEnvReader, type Env } from '@vrsky/kernel/config';
import { root } from '../run.ts';

/** One port for each thing that listens, all on 127.0.0.1. */
export interface Ports {
  console: number;
  ingest: number;
  receiver: number;
  nodeOps: number;
  worker: number;
  nats: number;
  postgres: number;
  /** Nothing of ours listens there: pipelines may send to what the person starts. */
  ownReceiver: number;
}

export interface UpConfig {
  /** Everything a stack keeps: databases, keys, logs, dev.json. */
  dir: string;
  ports: Ports;
}

/** Eight ports in a row, the console's first. */
export function portsFrom(base: number): Ports {
  return {
    ...{ console: base, ingest: base + 1, receiver: base + 2, nodeOps: base + 3, worker: base + 4, nats: base + 5, postgres: base + 6 },
    ownReceiver: base + 7,
  };
}

export function readConfig(env: Env): UpConfig {
  const reader = createEnvReader(env);
  const base = reader.integer('VRSKY_PORT_BASE', { min: 1_024, max: 65_500, fallback: 4_800 });
  const dir = path.resolve(root, reader.text('VRSKY_DEV_DIR', '.vrsky'));
  reader.check();
  return { dir, ports: portsFrom(base) };
}
