import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { configKeys } from '@vrsky/contracts/subjects';
import { eventually } from '@vrsky/testkit/eventually';
import { freeze } from '@vrsky/testkit/freeze';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startBus, type TestBus } from '../test/bus.ts';
import type { Bucket } from './bucket.ts';
import { createConfigBucket } from './config-bucket.ts';
import { connectBus } from './connect.ts';

let bus: TestBus;
let config: Bucket;
let nodeConnection: NatsConnection;
let stop = new AbortController();
const head = configKeys.head('shared');

beforeAll(async () => {
  bus = await startBus();
  config = createConfigBucket(await bus.admin.control(), bus.keys);
  nodeConnection = await bus.inControl(bus.node('nod_1', 'shared'));
});
afterAll(() => bus[Symbol.asyncDispose]());
afterEach(() => {
  stop.abort();
  stop = new AbortController();
});

/** What a node's watch has been told last, key by key. */
function watching(nc: NatsConnection = nodeConnection) {
  const values = new Map<string, string | null>();
  const errors: unknown[] = [];
  let current = 0;
  const ended = createConfigBucket(nc).watch(configKeys.poolAll('shared'), (entry) => void values.set(entry.key, entry.value), stop.signal, {
    onCurrent: () => void current++,
    onError: (error) => void errors.push(error),
  });
  return { values, errors, ended, currents: () => current };
}

/** After a restart of the server the control plane's connections come back one by one. */
const remakeBucket = () => eventually(() => bus.admin.ensureControl().then(() => true), { what: 'the bucket' });

async function deleteBucket(): Promise<void> {
  await remakeBucket();
  const jsm = await jetstreamManager(await bus.admin.control(), { checkAPI: false });
  await jsm.streams.delete('KV_config');
}

/** The control plane's connection comes back by itself, too: put until it has. */
const putEventually = (key: string, value: string) => eventually(() => config.put(key, value), { what: 'a put' });

test('a value is what was put last, and a deleted one is gone', async () => {
  expect(await config.get('pool.x.head')).toBeNull();
  const first = await config.put('pool.x.head', '1');
  const second = await config.put('pool.x.head', '2 ü');
  expect(second).toBeGreaterThan(first);
  expect(await config.get('pool.x.head')).toEqual({ value: '2 ü', revision: second });
  await config.delete('pool.x.head');
  expect(await config.get('pool.x.head')).toBeNull();
});

test('two writers who expect the same revision: one wins, the other is told', async () => {
  const revision = await config.put('pool.cas.head', '1', { expectedRevision: 0 });
  await expect(config.put('pool.cas.head', '1', { expectedRevision: 0 })).rejects.toMatchObject({ code: 'BUS.CONFLICT', kind: 'conflict' });
  const results = await Promise.allSettled(['a', 'b'].map((value) => config.put('pool.cas.head', value, { expectedRevision: revision })));
  expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
});

test('a watch hands over what is there, says when that was all, and then every change and deletion', async () => {
  await config.put(head, 'v1');
  await config.put(configKeys.bundle('shared', 'cus_a'), 'b1');
  const watch = watching();
  await eventually(() => watch.currents() === 1);
  expect(Object.fromEntries(watch.values)).toEqual({ [head]: 'v1', [configKeys.bundle('shared', 'cus_a')]: 'b1' });
  await config.put(head, 'v2');
  await config.delete(configKeys.bundle('shared', 'cus_a'));
  await config.put(configKeys.head('dedicated'), 'of another pool');
  await config.put(head, 'v3');
  await eventually(() => watch.values.get(head) === 'v3');
  expect(watch.values.get(configKeys.bundle('shared', 'cus_a'))).toBeNull();
  expect(watch.values.has(configKeys.head('dedicated'))).toBe(false);
  expect(watch.currents()).toBe(1);
  stop.abort();
  await watch.ended;
  expect(watch.errors).toEqual([]);
});

test('a watch on an empty bucket says at once that this was all', async () => {
  const watch = createConfigBucket(await bus.admin.control()).watch('nothing.>', () => {}, stop.signal, { onCurrent: () => stop.abort() });
  await watch;
});

test('large values, more than fit into one flow-control window, all arrive', async () => {
  const large = 'x'.repeat(3_000_000);
  for (let i = 0; i < 12; i++) await config.put(configKeys.bundle('shared', `cus_${i}`), `${i}${large}`);
  const watch = watching();
  await eventually(() => watch.currents() === 1);
  for (let i = 0; i < 12; i++) expect(watch.values.get(configKeys.bundle('shared', `cus_${i}`))?.length).toBe(large.length + String(i).length);
  expect(watch.errors).toEqual([]);
  for (let i = 0; i < 12; i++) await config.delete(configKeys.bundle('shared', `cus_${i}`));
});

test('a change made while the server was killed and started again reaches the watch', async () => {
  await putEventually(head, 'before');
  const watch = watching();
  await eventually(() => watch.values.get(head) === 'before');
  await bus.nats.kill();
  await bus.nats.start();
  await putEventually(head, 'after kill -9');
  await eventually(() => watch.values.get(head) === 'after kill -9');
  expect(watch.currents()).toBeGreaterThanOrEqual(2);
});

test('a bucket that was deleted and made again, with revisions that start anew, is noticed', async () => {
  await putEventually(head, 'of the old bucket');
  const watch = watching();
  await eventually(() => watch.values.get(head) === 'of the old bucket');
  await deleteBucket();
  await remakeBucket();
  expect(await config.put(head, 'of the new bucket')).toBe(1);
  await eventually(() => watch.values.get(head) === 'of the new bucket', { timeoutMs: 20_000 });
});

test('a watch that begins while there is no bucket begins to work when there is one', async () => {
  await deleteBucket();
  const watch = watching();
  await eventually(() => watch.errors.length > 0);
  await remakeBucket();
  await config.put(head, 'late');
  await eventually(() => watch.values.get(head) === 'late');
});

test('a server that stops answering without closing the connection does not hang the watch', async () => {
  await putEventually(head, 'before the pause');
  const watch = watching();
  await eventually(() => watch.values.get(head) === 'before the pause');
  const { pid } = bus.nats;
  await freeze(pid);
  try {
    await eventually(() => watch.errors.length > 0, { timeoutMs: 20_000 });
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await putEventually(head, 'after the pause');
  await eventually(() => watch.values.get(head) === 'after the pause', { timeoutMs: 20_000 });
});

test('a watch whose connection is closed ends with its stop, not by hammering', async () => {
  const node = bus.node('nod_9', 'shared');
  const nc = await bus.inControl(node);
  const watch = watching(nc);
  await eventually(() => watch.currents() === 1);
  await nc.close();
  await eventually(() => watch.errors.length > 1);
  stop.abort();
  await watch.ended;
  expect(watch.errors.length).toBeLessThan(10);
});

test('reading and writing without a server fails with a code, not after a hang', async () => {
  const { port } = bus.nats;
  await bus.nats.kill();
  try {
    await expect(createConfigBucket(nodeConnection).get(head)).rejects.toMatchObject({ code: 'BUS.UNAVAILABLE', kind: 'unavailable' });
    await expect(config.put(head, 'x')).rejects.toMatchObject({ code: 'BUS.UNAVAILABLE' });
    await expect(
      connectBus({ url: `nats://127.0.0.1:${port}`, name: 'x', inbox: '_INBOX_x', credentials: () => ({ jwt: '', seed: bus.keys.systemUserSeed }) }),
    ).rejects.toMatchObject({ code: 'BUS.UNAVAILABLE' });
  } finally {
    await bus.nats.start();
  }
});

test('an error of a write does not name the subject that was written', async () => {
  await deleteBucket();
  try {
    const refused = await config.put(head, 'x').then(
      () => null,
      (error: unknown) => error,
    );
    expect(refused).toMatchObject({ code: 'BUS.UNAVAILABLE' });
    expect((refused as Error).cause).toBeUndefined();
    expect(String(refused)).not.toContain('cfg.');
  } finally {
    await remakeBucket();
  }
});
