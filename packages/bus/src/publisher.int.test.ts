import { setTimeout as pause } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { limits } from '@vrsky/contracts/limits';
import { eventually } from '@vrsky/testkit/eventually';
import { freeze } from '@vrsky/testkit/freeze';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBus, type TestBus } from '../test/bus.ts';
import { createStreamPublisher, type StreamPublisher } from './publisher.ts';
import { getStored } from './stored.ts';

let bus: TestBus;
let nc: NatsConnection;
let publisher: StreamPublisher;

beforeAll(async () => {
  bus = await startBus();
  nc = await bus.inTenant(await bus.tenant('cus_a'), bus.node('nod_1', 'shared'));
  // Long, so that a slow disk is not taken for a server that is away.
  publisher = createStreamPublisher(nc, { timeoutMs: 30_000 });
});
afterAll(() => bus[Symbol.asyncDispose]());

const bytes = (text: string) => Buffer.from(text);

test('what was acknowledged can be read back at its sequence, headers and bytes as sent', async () => {
  const body = Buffer.from([0, 255, 10, 13, 128]);
  const ack = await publisher.publish('in.pip_1.0', { 'Nats-Msg-Id': 'm1', 'Customer-ID': 'cus_a', 'Vrsky-Reason': 'ü — 100 %' }, body);
  expect(ack).toEqual({ stream: 'INGEST', seq: expect.any(Number), duplicate: false });
  const stored = await getStored(nc, 'INGEST', ack.seq);
  expect(stored).toMatchObject({ subject: 'in.pip_1.0', seq: ack.seq, headers: { 'Nats-Msg-Id': 'm1', 'Customer-ID': 'cus_a', 'Vrsky-Reason': 'ü — 100 %' } });
  expect(Buffer.from(stored?.data ?? []).equals(body)).toBe(true);
  expect(Math.abs(Date.now() - (stored?.timeMs ?? 0))).toBeLessThan(60_000);
  expect(await getStored(nc, 'INGEST', ack.seq + 1_000)).toBeNull();
});

test('the same pack published twice is stored once', async () => {
  const first = await publisher.publish('in.pip_1.0', { 'Nats-Msg-Id': 'twice' }, bytes('x'));
  expect(await publisher.publish('in.pip_1.0', { 'Nats-Msg-Id': 'twice' }, bytes('x'))).toEqual({ ...first, duplicate: true });
});

test("headers that pretend to be the server's do not change what is read back", async () => {
  const { seq } = await publisher.publish(
    'in.pip_1.0',
    { 'Nats-Sequence': '1', 'Nats-Subject': 'in.other.0', 'Nats-Time-Stamp': '2001-01-01T00:00:00Z' },
    bytes('x'),
  );
  expect(await getStored(nc, 'INGEST', seq)).toMatchObject({ seq, subject: 'in.pip_1.0', headers: {} });
});

test('two thousand packs, a thousand of them under way at once, each get their own answer', async () => {
  const startedMs = performance.now();
  const acks = [];
  for (let part = 0; part < 2; part++)
    acks.push(
      ...(await Promise.all(
        Array.from({ length: 1_000 }, (_, i) => publisher.publish('in.pip_1.0', { 'Nats-Msg-Id': `bulk-${part}-${i}` }, Buffer.alloc(256))),
      )),
    );
  const seconds = (performance.now() - startedMs) / 1_000;
  expect(new Set(acks.map((ack) => ack.seq)).size).toBe(2_000);
  console.info(`2,000 packs stored with fsync in ${seconds.toFixed(2)} s`);
});

test('a pack too large for the server or for the stream is refused as such, and the connection lives on', async () => {
  await expect(publisher.publish('in.pip_1.0', {}, Buffer.alloc(9_000_000))).rejects.toMatchObject({ code: 'BUS.TOO_LARGE', kind: 'invalid' });
  await expect(publisher.publish('in.pip_1.0', {}, Buffer.alloc(limits.packBytesMax + 200_000))).rejects.toMatchObject({ code: 'BUS.TOO_LARGE' });
  await publisher.publish('in.pip_1.0', {}, Buffer.alloc(limits.packBytesMax));
});

test('a full stream refuses new packs and keeps every old one', async () => {
  const small = await bus.inTenant(await bus.tenant('cus_small', { ingestBytes: 1_048_576 }), bus.node('nod_2', 'shared'));
  const into = createStreamPublisher(small, { timeoutMs: 30_000 });
  const first = await into.publish('in.pip_1.0', {}, bytes('the first'));
  const fill = async () => {
    for (;;) await into.publish('in.pip_1.0', {}, Buffer.alloc(100_000));
  };
  await expect(fill()).rejects.toMatchObject({ code: 'BUS.FULL', kind: 'exhausted', publicMessage: expect.any(String) });
  expect(Buffer.from((await getStored(small, 'INGEST', first.seq))?.data ?? []).toString()).toBe('the first');
});

test('the storage of one tenant being full is nothing to another', async () => {
  await publisher.publish('in.pip_1.0', {}, bytes('x'));
});

test('a subject that no stream takes is unavailable at once, not after the timeout', async () => {
  const startedMs = performance.now();
  const control = createStreamPublisher(await bus.admin.control(), { timeoutMs: 30_000 });
  await expect(control.publish('in.pip_1.0', {}, bytes('x'))).rejects.toMatchObject({ code: 'BUS.UNAVAILABLE' });
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  control.close();
});

test('a server that does not answer in time is unavailable, and a late answer disturbs nobody', async () => {
  const impatient = createStreamPublisher(nc, { timeoutMs: 300 });
  const { pid } = bus.nats;
  await freeze(pid);
  try {
    await expect(impatient.publish('in.pip_1.0', { 'Nats-Msg-Id': 'late' }, bytes('x'))).rejects.toMatchObject({
      code: 'BUS.UNAVAILABLE',
      kind: 'unavailable',
      retryAfterMs: 1_000,
    });
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  // Stored after all: the repeat that the error asks for is a duplicate.
  await eventually(async () => (await publisher.publish('in.pip_1.0', { 'Nats-Msg-Id': 'late' }, bytes('x'))).duplicate);
  impatient.close();
});

test('killed server: what is under way and what follows is refused at once; back again, publishing works', async () => {
  const control = new AbortController();
  let acked = 0;
  const codes = new Set<string>();
  const busy = (async () => {
    for (let i = 0; !control.signal.aborted; i++) {
      const startedMs = performance.now();
      await publisher.publish('in.pip_1.0', { 'Nats-Msg-Id': `kill-${i}` }, bytes('x')).then(
        () => acked++,
        async (error) => {
          codes.add(error.code);
          expect(performance.now() - startedMs).toBeLessThan(2_000);
          await pause(5);
        },
      );
    }
  })();
  await eventually(() => acked > 50);
  await bus.nats.kill();
  await eventually(() => codes.size > 0);
  const before = acked;
  await bus.nats.start();
  await eventually(() => acked > before + 50);
  control.abort();
  await busy;
  expect([...codes]).toEqual(['BUS.UNAVAILABLE']);
});

test('closing refuses what is pending and what comes after', async () => {
  const own = createStreamPublisher(nc, { timeoutMs: 2_000 });
  const pending = own.publish('in.pip_1.0', {}, bytes('x'));
  own.close();
  await expect(pending).rejects.toMatchObject({ code: 'BUS.UNAVAILABLE' });
  await expect(own.publish('in.pip_1.0', {}, bytes('x'))).rejects.toMatchObject({ code: 'BUS.UNAVAILABLE' });
});
