import type { NatsConnection } from '@nats-io/transport-node';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { consumerNames, streamNames, subjects } from '@vrsky/contracts/subjects';
import { eventually } from '@vrsky/testkit/eventually';
import { freeze } from '@vrsky/testkit/freeze';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startBus, type TestBus } from '../test/bus.ts';
import type { TenantAccount } from './admin.ts';
import { ask } from './connect.ts';
import { consumePacks, type PackConsumer, type StoredPack } from './consumer.ts';
import { createStreamPublisher, type StreamPublisher } from './publisher.ts';

let bus: TestBus;
let tenant: TenantAccount;
let nc: NatsConnection;
let publisher: StreamPublisher;
const running: PackConsumer[] = [];

beforeAll(async () => {
  bus = await startBus();
  tenant = await bus.tenant('cus_a');
  nc = await bus.inTenant(tenant, bus.node('nod_1', 'shared'));
  publisher = createStreamPublisher(nc, { timeoutMs: 20_000 });
});
afterAll(() => bus[Symbol.asyncDispose]());
afterEach(() => Promise.all(running.splice(0).map((consumer) => consumer.stop())));

const text = (pack: StoredPack) => Buffer.from(pack.data).toString();
const send = (pipelineId: string, body: string) => publisher.publish(subjects.ingest(pipelineId), { 'Nats-Msg-Id': body }, Buffer.from(body));
/** The test before may have killed the server: its connections are on their way back. */
const ensureConsumer = (pipelineId: string) =>
  eventually(() => bus.admin.ensurePipelineConsumer(tenant, pipelineId), { timeoutMs: 20_000, what: 'a consumer' });
const retryAt = (pipelineId: string, body: string, atMs: number) =>
  publisher.publish(subjects.retry(pipelineId), { 'Nats-Msg-Id': body, [packHeaders.notBefore]: String(atMs) }, Buffer.from(body));

interface Lane {
  pipelineId: string;
  retry?: boolean;
  connection?: NatsConnection;
  maxPacks?: number;
}

function consume({ pipelineId, retry = false, connection = nc, maxPacks = 16 }: Lane, onPack: (pack: StoredPack) => void) {
  const errors: unknown[] = [];
  const consumer = consumePacks(connection, {
    stream: retry ? streamNames.retry : streamNames.ingest,
    consumer: retry ? consumerNames.retry(pipelineId) : consumerNames.pipeline(pipelineId),
    maxPacks,
    onPack,
    onError: (error) => void errors.push(error),
  });
  running.push(consumer);
  return { consumer, errors };
}

async function state(pipelineId: string, retry = false) {
  const stream = retry ? streamNames.retry : streamNames.ingest;
  const name = retry ? consumerNames.retry(pipelineId) : consumerNames.pipeline(pipelineId);
  const answer = JSON.parse((await ask(nc, `$JS.API.CONSUMER.INFO.${stream}.${name}`, '', 1_000)).text) as {
    num_ack_pending: number;
    num_pending: number;
    num_redelivered: number;
  };
  return answer;
}

const isWorkedOff = async (pipelineId: string, retry = false) => {
  const { num_ack_pending, num_pending } = await state(pipelineId, retry);
  return num_ack_pending === 0 && num_pending === 0;
};

test('a pack comes with what it was stored with, and an acknowledged one does not come again', async () => {
  await ensureConsumer('pip_facts');
  const beforeMs = Date.now();
  const { seq } = await publisher.publish('in.pip_facts.0', { 'Customer-ID': 'cus_a' }, Buffer.from('x'));
  await publisher.publish('in.pip_facts.resend', {}, Buffer.from('y'));
  await publisher.publish('in.pip_other.0', {}, Buffer.from('of another pipeline'));
  const packs: StoredPack[] = [];
  const { errors } = consume({ pipelineId: 'pip_facts' }, (pack) => {
    packs.push(pack);
    pack.ack();
    pack.ack();
    pack.nak();
  });
  await eventually(() => packs.length === 2);
  await eventually(() => isWorkedOff('pip_facts'));
  expect(packs[0]).toMatchObject({ subject: 'in.pip_facts.0', seq, deliveryCount: 1 });
  expect(packs[0]?.header('Customer-ID')).toBe('cus_a');
  expect(packs[0]?.header('absent')).toBe('');
  expect(Math.abs((packs[0]?.storedAtMs ?? 0) - beforeMs)).toBeLessThan(5_000);
  expect(packs[1]).toMatchObject({ subject: 'in.pip_facts.resend' });
  expect(packs).toHaveLength(2);
  expect(errors).toEqual([]);
});

test('never more packs in hand than allowed, and settling one brings the next', async () => {
  await ensureConsumer('pip_bound');
  for (let i = 0; i < 40; i++) await send('pip_bound', `bound-${i}`);
  const hand: StoredPack[] = [];
  const seen = new Set<string>();
  consume({ pipelineId: 'pip_bound', maxPacks: 5 }, (pack) => {
    hand.push(pack);
    seen.add(text(pack));
    expect(hand.length).toBeLessThanOrEqual(5);
  });
  while (seen.size < 40) {
    await eventually(() => hand.length > 0);
    hand.shift()?.ack();
  }
  for (const pack of hand.splice(0)) pack.ack();
  await eventually(() => isWorkedOff('pip_bound'));
});

test('a pack that is put back comes again after its delay, counted', async () => {
  await ensureConsumer('pip_nak');
  await send('pip_nak', 'nak-1');
  const counts: number[] = [];
  let putBackMs = 0;
  let againMs = 0;
  consume({ pipelineId: 'pip_nak' }, (pack) => {
    counts.push(pack.deliveryCount);
    if (pack.deliveryCount === 1) {
      putBackMs = performance.now();
      pack.nak(400);
    } else {
      againMs = performance.now();
      pack.ack();
    }
  });
  await eventually(() => counts.length === 2);
  expect(counts).toEqual([1, 2]);
  expect(againMs - putBackMs).toBeGreaterThan(350);
});

test('nodes of a pool share a pipeline: each pack goes to one of them', async () => {
  await ensureConsumer('pip_shared');
  const second = await bus.inTenant(tenant, bus.node('nod_2', 'shared'));
  const got: [string, string][] = [];
  const on = (name: string) => (pack: StoredPack) => {
    got.push([name, text(pack)]);
    pack.ack();
  };
  consume({ pipelineId: 'pip_shared', maxPacks: 2 }, on('one'));
  consume({ pipelineId: 'pip_shared', maxPacks: 2, connection: second }, on('two'));
  for (let i = 0; i < 100; i++) await send('pip_shared', `shared-${i}`);
  await eventually(() => got.length >= 100);
  await eventually(() => isWorkedOff('pip_shared'));
  expect(got).toHaveLength(100);
  expect(new Set(got.map(([, body]) => body)).size).toBe(100);
  expect(new Set(got.map(([name]) => name)).size).toBe(2);
});

test("after stop, what was on the way is at once another node's, and what is in hand can still be settled", async () => {
  await ensureConsumer('pip_stop');
  for (let i = 0; i < 30; i++) await send('pip_stop', `stop-${i}`);
  const hand: StoredPack[] = [];
  const { consumer } = consume({ pipelineId: 'pip_stop', maxPacks: 10 }, (pack) => {
    hand.push(pack);
    if (hand.length === 3) void consumer.stop();
  });
  await eventually(() => hand.length >= 3);
  await consumer.stop();
  await consumer.done;
  const mine = hand.map(text);
  const others: string[] = [];
  consume({ pipelineId: 'pip_stop', connection: await bus.inTenant(tenant, bus.node('nod_3', 'shared')) }, (pack) => {
    others.push(text(pack));
    pack.ack();
  });
  // Far below ack_wait, after which everything would come by itself.
  await eventually(() => mine.length + others.length === 30, { timeoutMs: 10_000 });
  for (const pack of hand) pack.ack();
  await eventually(() => isWorkedOff('pip_stop'));
  expect(new Set([...mine, ...others]).size).toBe(30);
});

test('a consumer that is taken away and made again goes on being served', async () => {
  await ensureConsumer('pip_remade');
  const seen = new Set<string>();
  const { errors } = consume({ pipelineId: 'pip_remade' }, (pack) => {
    seen.add(text(pack));
    pack.ack();
  });
  await send('pip_remade', 'remade-1');
  await eventually(() => seen.has('remade-1'));
  await bus.admin.removePipelineConsumer(tenant, 'pip_remade');
  await eventually(() => errors.length > 0);
  expect(errors[0]).toMatchObject({ code: 'BUS.UNAVAILABLE' });
  await send('pip_remade', 'remade-2');
  await ensureConsumer('pip_remade');
  await eventually(() => seen.has('remade-2'));
});

test('killed server: unacknowledged packs come again, acknowledged ones are not lost and none is forgotten', async () => {
  await ensureConsumer('pip_kill');
  const stored = new Set<string>();
  const done = new Set<string>();
  const deliveries = new Map<string, number>();
  const stop = new AbortController();
  const sender = (async () => {
    for (let i = 0; !stop.signal.aborted; i++) {
      // Sent again with the same id until the server says that it has it, as a node does.
      for (let stored202 = false; !stored202 && !stop.signal.aborted; ) {
        stored202 = await send('pip_kill', `kill-${i}`).then(
          () => true,
          () => new Promise<false>((resolve) => setTimeout(() => resolve(false), 20)),
        );
        if (stored202) stored.add(`kill-${i}`);
      }
    }
  })();
  consume({ pipelineId: 'pip_kill', maxPacks: 32 }, (pack) => {
    deliveries.set(text(pack), (deliveries.get(text(pack)) ?? 0) + 1);
    setTimeout(() => {
      done.add(text(pack));
      pack.ack();
    }, 5);
  });
  for (let kill = 0; kill < 3; kill++) {
    const before = done.size;
    await eventually(() => done.size > before + 30);
    await bus.nats.kill();
    await bus.nats.start();
  }
  const before = done.size;
  await eventually(() => done.size > before + 30);
  stop.abort();
  await sender;
  await eventually(() => [...stored].every((body) => done.has(body)), { timeoutMs: 45_000 });
  await eventually(() => isWorkedOff('pip_kill'), { timeoutMs: 45_000 });
  expect(stored.size).toBeGreaterThan(120);
}, 120_000);

test('an acknowledgement made while the server was away arrives when it is back: the pack does not come again', async () => {
  await ensureConsumer('pip_away');
  await send('pip_away', 'away-1');
  const packs: StoredPack[] = [];
  consume({ pipelineId: 'pip_away' }, (pack) => void packs.push(pack));
  await eventually(() => packs.length === 1);
  await bus.nats.stop();
  await eventually(() =>
    publisher.publish('in.pip_away.0', {}, Buffer.from('x')).then(
      () => false,
      () => true,
    ),
  );
  packs[0]?.ack();
  await bus.nats.start();
  await eventually(() => isWorkedOff('pip_away'), { timeoutMs: 20_000 });
  expect(packs).toHaveLength(1);
});

test('a server that falls silent without closing the connection is asked again', async () => {
  await ensureConsumer('pip_silent');
  const seen = new Set<string>();
  const { errors } = consume({ pipelineId: 'pip_silent' }, (pack) => {
    seen.add(text(pack));
    pack.ack();
  });
  await send('pip_silent', 'silent-1');
  await eventually(() => seen.has('silent-1'));
  const { pid } = bus.nats;
  await freeze(pid);
  try {
    await eventually(() => errors.length > 0, { timeoutMs: 40_000 });
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await eventually(() => send('pip_silent', 'silent-2'), { timeoutMs: 20_000 });
  await eventually(() => seen.has('silent-2'), { timeoutMs: 20_000 });
}, 90_000);

test('a closed connection ends the consumer with a reason', async () => {
  await ensureConsumer('pip_closed');
  const own = await bus.inTenant(tenant, bus.node('nod_4', 'shared'));
  const { consumer } = consume({ pipelineId: 'pip_closed', connection: own }, () => {});
  await own.close();
  await expect(consumer.done).rejects.toMatchObject({ code: 'BUS.UNAVAILABLE' });
  await consumer.stop();
});

test('the retry lane hands over no entry before its time, each when it is due, and frees its space', async () => {
  await ensureConsumer('pip_retry');
  const nowMs = Date.now();
  const due = new Map([
    ['at once', nowMs - 5_000],
    ['soon', nowMs + 400],
    ['later', nowMs + 1_200],
    ['in between', nowMs + 800],
  ]);
  for (const [body, atMs] of due) await retryAt('pip_retry', body, atMs);
  const got: string[] = [];
  consume({ pipelineId: 'pip_retry', retry: true, maxPacks: 1 }, (pack) => {
    expect(Date.now()).toBeGreaterThanOrEqual(due.get(text(pack)) ?? 0);
    got.push(text(pack));
    pack.ack();
  });
  await eventually(() => got.length === 4);
  expect(got).toEqual(['at once', 'soon', 'in between', 'later']);
  await eventually(
    async () => (JSON.parse((await ask(nc, '$JS.API.STREAM.INFO.RETRY', '', 1_000)).text) as { state: { messages: number } }).state.messages === 0,
  );
});

test('two thousand entries that wait do not keep a due one from a node with a single place', async () => {
  await ensureConsumer('pip_crowd');
  const later = Date.now() + 600_000;
  for (let part = 0; part < 4; part++) await Promise.all(Array.from({ length: 500 }, (_, i) => retryAt('pip_crowd', `crowd-${part}-${i}`, later)));
  const got: string[] = [];
  consume({ pipelineId: 'pip_crowd', retry: true, maxPacks: 1 }, (pack) => {
    got.push(text(pack));
    pack.ack();
  });
  await retryAt('pip_crowd', 'due', Date.now() + 300);
  await eventually(() => got.length === 1, { timeoutMs: 20_000 });
  expect(got).toEqual(['due']);
  expect((await state('pip_crowd', true)).num_ack_pending).toBe(2_000);
});

test('entries that wait survive a kill -9 of the server: each comes once or more, none before its time', async () => {
  await ensureConsumer('pip_wait');
  const due = new Map<string, number>();
  for (let i = 0; i < 50; i++) due.set(`wait-${i}`, Date.now() + 500 + i * 60);
  for (const [body, atMs] of due) await retryAt('pip_wait', body, atMs);
  const early: string[] = [];
  const got = new Set<string>();
  consume({ pipelineId: 'pip_wait', retry: true, maxPacks: 4 }, (pack) => {
    if (Date.now() < (due.get(text(pack)) ?? 0)) early.push(text(pack));
    got.add(text(pack));
    pack.ack();
  });
  await eventually(() => got.size > 5);
  await bus.nats.kill();
  await bus.nats.start();
  await eventually(() => got.size > 20, { timeoutMs: 45_000 });
  await bus.nats.kill();
  await bus.nats.start();
  // An entry whose waiting time the server lost with its memory comes after ack_wait at the latest.
  await eventually(() => got.size === 50, { timeoutMs: 60_000 });
  expect(early).toEqual([]);
  await eventually(() => isWorkedOff('pip_wait', true), { timeoutMs: 45_000 });
}, 180_000);
