import { randomInt } from 'node:crypto';
import { isPortFree } from '@vrsky/testkit/ports';
import { Sentence } from '../sentence.ts';
import { type Ports, portsFrom } from './config.ts';

const meant: Record<Exclude<keyof Ports, 'ownReceiver'>, string> = {
  console: 'the console',
  ingest: 'the ingest of the node',
  receiver: 'the test receiver',
  nodeOps: 'the metrics of the node',
  worker: 'the metrics of the control worker',
  nats: 'NATS',
  postgres: 'Postgres',
};

/** Refuses before anything is started when one of the stack's ports is taken. */
export async function expectFreePorts(ports: Ports): Promise<void> {
  const names = Object.keys(meant) as (keyof typeof meant)[];
  const free = await Promise.all(names.map((name) => isPortFree(ports[name])));
  const busy = names.filter((_, i) => !free[i]).map((name) => `${ports[name]} for ${meant[name]}`);
  if (busy.length === 0) return;
  const [noun, verb] = busy.length === 1 ? ['Port', 'is'] : ['Ports', 'are'];
  throw new Sentence(`${noun} ${busy.join(', ')} ${verb} in use by another program: end it, or choose other ports with VRSKY_PORT_BASE=5800 make up`);
}

/** The first of a row of ports that nobody uses now; random, so that two stacks that start at once rarely meet. */
export async function findFreeBase(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const base = 20_000 + randomInt(1_000) * 10;
    const free = await Promise.all(Object.values(portsFrom(base)).map(isPortFree));
    if (free.every(Boolean)) return base;
  }
  throw new Sentence('No row of free ports was found between 20000 and 30000');
}
