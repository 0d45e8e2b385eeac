import { jetstreamManager } from '@nats-io/jetstream';
import { encodeAccount } from '@nats-io/jwt';
import { createAccount, createOperator, createUser } from '@nats-io/nkeys';
import { limits } from '@vrsky/contracts/limits';
import { eventually } from '@vrsky/testkit/eventually';
import { startNats } from '@vrsky/testkit/nats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBus, type TestBus } from '../test/bus.ts';
import { userJwt } from './account-jwt.ts';
import { createBusAdmin, issueControlJwt, issueTenantJwt } from './admin.ts';
import { ask, connectBus } from './connect.ts';
import { consumePacks } from './consumer.ts';
import { nkeyFromSeed } from './nkey.ts';
import { createAccountSeed, createPlatformKeys, createUserKey } from './platform-keys.ts';
import { createStreamPublisher } from './publisher.ts';
import { natsServerConfig } from './server-config.ts';

let bus: TestBus;
beforeAll(async () => {
  bus = await startBus();
});
afterAll(() => bus[Symbol.asyncDispose]());

const managerOf = async (tenant: Parameters<TestBus['admin']['tenant']>[0]) => jetstreamManager(await bus.admin.tenant(tenant), { checkAPI: false });

test('a tenant gets its streams as the limits say, and asking again changes nothing', async () => {
  const tenant = { tenantId: 'cus_full', accountSeed: createAccountSeed() };
  await bus.admin.ensureTenant(tenant);
  await bus.admin.ensurePipelineConsumer(tenant, 'pip_1');
  const jsm = await managerOf(tenant);
  const before = await jsm.streams.info('INGEST');
  expect(before.config).toMatchObject({
    subjects: ['in.>'],
    retention: 'limits',
    storage: 'file',
    discard: 'new',
    max_bytes: limits.ingestBytesMax,
    allow_direct: true,
  });
  expect((await jsm.streams.info('RETRY')).config).toMatchObject({ subjects: ['retry.>'], retention: 'workqueue', discard: 'new' });
  expect((await jsm.streams.info('DLQ')).config).toMatchObject({ subjects: ['dlq.>', 'quarantine.>'], discard: 'new' });
  expect((await jsm.streams.info('TRAIL')).config).toMatchObject({ subjects: ['trail.>', 'calls.>'], discard: 'old' });
  expect((await jsm.consumers.info('TRAIL', 'projector')).config).toMatchObject({ ack_policy: 'explicit', max_deliver: -1, filter_subject: '>' });
  expect((await jsm.consumers.info('INGEST', 'p_pip_1')).config).toMatchObject({
    filter_subject: 'in.pip_1.>',
    max_ack_pending: 1024,
    ack_wait: limits.ackWaitMs * 1e6,
    max_deliver: -1,
    deliver_policy: 'all',
  });
  await bus.admin.ensureTenant(tenant);
  await bus.admin.ensurePipelineConsumer(tenant, 'pip_1');
  expect((await jsm.streams.info('INGEST')).created).toBe(before.created);
});

test('strict order gives out one pack at a time over all nodes; without it what is left goes at once, and where it never was nothing is made', async () => {
  const tenant = { tenantId: 'cus_ordered', accountSeed: createAccountSeed() };
  await bus.admin.ensureTenant(tenant);
  const jsm = await managerOf(tenant);
  const ordered = async () => (await jsm.consumers.info('INGEST', 'o_pip_1')).config;
  await bus.admin.ensurePipelineConsumer(tenant, 'pip_1', false);
  await expect(ordered()).rejects.toThrow();
  await bus.admin.ensurePipelineConsumer(tenant, 'pip_1', true);
  expect(await ordered()).toMatchObject({ filter_subject: 'in.pip_1.ordered.>', max_ack_pending: 1, deliver_policy: 'all', max_deliver: -1 });
  await bus.admin.ensurePipelineConsumer(tenant, 'pip_1');
  expect((await ordered()).max_ack_pending, 'a paused pipeline').toBe(1);
  await bus.admin.ensurePipelineConsumer(tenant, 'pip_1', false);
  expect((await ordered()).max_ack_pending).toBe(1_024);
  await bus.admin.removePipelineConsumer(tenant, 'pip_1');
  await expect(ordered()).rejects.toThrow();
});

test('callers that come at once share one connection, so that closing closes all of them', async () => {
  const admin = createBusAdmin({ url: bus.nats.url, keys: bus.keys, name: 'shared' });
  const connections = await Promise.all(Array.from({ length: 5 }, () => admin.control()));
  expect(new Set(connections).size).toBe(1);
  await admin.close();
  expect(connections[0]?.isClosed()).toBe(true);
});

test('a stream that someone changed is put right again', async () => {
  const tenant = await bus.tenant('cus_mended');
  const jsm = await managerOf(tenant);
  await jsm.streams.update('INGEST', { discard: 'old', max_age: 3_600_000_000_000 });
  await bus.admin.ensureTenant(tenant);
  expect((await jsm.streams.info('INGEST')).config).toMatchObject({ discard: 'new', max_age: limits.ingestAgeMs * 1e6 });
});

test('the trail of a tenant from before connector calls were written down takes them too, and loses nothing', async () => {
  const tenant = await bus.tenant('cus_older');
  const jsm = await managerOf(tenant);
  const publisher = createStreamPublisher(await bus.admin.tenant(tenant), { timeoutMs: 20_000 });
  await jsm.consumers.update('TRAIL', 'projector', { filter_subject: 'trail.>' });
  await jsm.streams.update('TRAIL', { subjects: ['trail.>'] });
  await publisher.publish('trail.pip_1', {}, Buffer.from('before'));
  await bus.admin.ensureTenant(tenant);
  await publisher.publish('calls.nod_1', {}, Buffer.from('after'));
  publisher.close();
  const got: string[] = [];
  const consumer = consumePacks(await bus.admin.tenant(tenant), {
    stream: 'TRAIL',
    consumer: 'projector',
    maxPacks: 8,
    onPack: (pack) => {
      got.push(`${pack.subject} ${Buffer.from(pack.data).toString()}`);
      pack.ack();
    },
    onError: () => undefined,
  });
  await eventually(() => got.length === 2);
  expect(got).toEqual(['trail.pip_1 before', 'calls.nod_1 after']);
  await consumer.stop();
});

test('a stream that cannot be put right stops the work, naming the field', async () => {
  const tenant = await bus.tenant('cus_wrong');
  const jsm = await managerOf(tenant);
  const { config } = await jsm.streams.info('DLQ');
  await jsm.streams.delete('DLQ');
  await jsm.streams.add({ ...config, retention: 'workqueue' });
  await expect(bus.admin.ensureTenant(tenant)).rejects.toMatchObject({
    code: 'BUS.CONFIG_MISMATCH',
    message: expect.stringMatching(/stream DLQ .*retention is "workqueue", not "limits"/),
    details: { fields: ['retention'] },
  });
});

test("a consumer that reads another pipeline's subjects, or waits for nobody, is put right or refused", async () => {
  const tenant = await bus.tenant('cus_filter');
  const jsm = await managerOf(tenant);
  await jsm.consumers.add('INGEST', { durable_name: 'p_pip_1', name: 'p_pip_1', ack_policy: 'explicit', filter_subject: 'in.pip_2.>' });
  await bus.admin.ensurePipelineConsumer(tenant, 'pip_1');
  expect((await jsm.consumers.info('INGEST', 'p_pip_1')).config.filter_subject).toBe('in.pip_1.>');

  await jsm.consumers.add('INGEST', { durable_name: 'p_pip_2', name: 'p_pip_2', ack_policy: 'none', filter_subject: 'in.pip_2.>' });
  await expect(bus.admin.ensurePipelineConsumer(tenant, 'pip_2')).rejects.toMatchObject({
    code: 'BUS.CONFIG_MISMATCH',
    message: expect.stringContaining('ack_policy is "none", not "explicit"'),
  });
});

test('a removed pipeline has no consumer left, and removing it again is no error', async () => {
  const tenant = await bus.tenant('cus_removed');
  await bus.admin.ensurePipelineConsumer(tenant, 'pip_1');
  await bus.admin.removePipelineConsumer(tenant, 'pip_1');
  await bus.admin.removePipelineConsumer(tenant, 'pip_1');
  const jsm = await managerOf(tenant);
  expect((await jsm.streams.info('INGEST')).state.consumer_count).toBe(0);
  expect((await jsm.streams.info('RETRY')).state.consumer_count).toBe(0);
});

test("the account holds the plan's limits: no further stream, none without a bound", async () => {
  const tenant = await bus.tenant('cus_limits');
  const jsm = await managerOf(tenant);
  await expect(jsm.streams.add({ name: 'MORE', subjects: ['more.>'], max_bytes: 1_000 })).rejects.toThrow(/maximum number of streams/);
  await jsm.streams.delete('TRAIL');
  await expect(jsm.streams.add({ name: 'MORE', subjects: ['more.>'] })).rejects.toThrow(/max bytes/);
  await bus.admin.ensureTenant(tenant);
});

test('a larger plan reaches the account and its streams', async () => {
  const tenant = await bus.tenant('cus_grows');
  const larger = { ...tenant, storage: { ...tenant.storage, ingestBytes: 64 * 1_048_576 } } as typeof tenant;
  await bus.admin.ensureTenant(larger);
  expect((await (await managerOf(tenant)).streams.info('INGEST')).config.max_bytes).toBe(64 * 1_048_576);
});

test('a server that acknowledges before it has written is refused', async () => {
  const keys = createPlatformKeys();
  await using nats = await startNats({
    config: async (port, dir) => (await natsServerConfig({ keys, port, dir })).replace('sync_interval: always', 'sync_interval: 2m'),
  });
  const admin = createBusAdmin({ url: nats.url, keys, name: 'test' });
  await expect(admin.ensureControl()).rejects.toMatchObject({ code: 'BUS.NOT_DURABLE' });
  await admin.close();
});

test('an account signed by another operator opens nothing, although the server says it was updated', async () => {
  const sysSeed = bus.keys.systemUserSeed;
  const jwt = await userJwt(nkeyFromSeed('account', bus.keys.systemAccountSeed), { name: 'sys', publicKey: nkeyFromSeed('user', sysSeed).publicKey });
  const sys = await bus.connect({ url: bus.nats.url, name: 'sys', inbox: '_INBOX_sys', credentials: () => ({ jwt, seed: sysSeed }) });
  const evil = createAccount();
  const answer = await ask(sys, '$SYS.REQ.CLAIMS.UPDATE', await encodeAccount('EVIL', evil, { limits: {} }, { signer: createOperator() }), 2_000);
  expect(answer.text).toContain('200');
  const user = createUser();
  const seed = Buffer.from(user.getSeed()).toString();
  const evilSeed = Buffer.from(evil.getSeed()).toString();
  const userToken = await userJwt(nkeyFromSeed('account', evilSeed), { name: 'evil', publicKey: user.getPublicKey() });
  await expect(connectBus({ url: bus.nats.url, name: 'evil', inbox: '_INBOX_evil', credentials: () => ({ jwt: userToken, seed }) })).rejects.toMatchObject({
    code: 'BUS.UNAUTHENTICATED',
  });
});

test("an account that only the attacker's operator signed is replaced by ours", async () => {
  const tenant = { tenantId: 'cus_taken', accountSeed: createAccountSeed() };
  const sysSeed = bus.keys.systemUserSeed;
  const jwt = await userJwt(nkeyFromSeed('account', bus.keys.systemAccountSeed), { name: 'sys', publicKey: nkeyFromSeed('user', sysSeed).publicKey });
  const sys = await bus.connect({ url: bus.nats.url, name: 'sys', inbox: '_INBOX_sys', credentials: () => ({ jwt, seed: sysSeed }) });
  await ask(
    sys,
    '$SYS.REQ.CLAIMS.UPDATE',
    await encodeAccount('cus_taken', nkeyFromSeed('account', tenant.accountSeed).publicKey, { limits: {} }, { signer: createOperator() }),
    2_000,
  );
  await bus.admin.ensureTenant(tenant);
  expect((await bus.admin.tenant(tenant)).isClosed()).toBe(false);
});

test('names that would widen a permission are refused before anything is signed', async () => {
  const { publicKey } = createUserKey();
  for (const bad of ['*', '>', 'a.b', 'a.>', '', ' ', 'a b', 'ä']) {
    await expect(issueControlJwt(bus.keys, { nodeId: bad, pool: 'p', publicKey })).rejects.toMatchObject({ code: 'BUS.BAD_NAME' });
    await expect(issueTenantJwt(createAccountSeed(), { nodeId: 'n', pool: bad, publicKey })).rejects.toMatchObject({ code: 'BUS.BAD_NAME' });
  }
  await expect(issueControlJwt(bus.keys, { nodeId: 'n', pool: 'p', publicKey: createUserKey().seed })).rejects.toMatchObject({ code: 'BUS.BAD_NAME' });
});

test('work that failed because there was no server succeeds once there is one', async () => {
  const keys = createPlatformKeys();
  await using nats = await startNats({ config: (port, dir) => natsServerConfig({ keys, port, dir }) });
  const admin = createBusAdmin({ url: nats.url, keys, name: 'test' });
  await nats.kill();
  await expect(admin.ensureControl()).rejects.toMatchObject({ code: 'BUS.UNAVAILABLE' });
  await nats.start();
  await admin.ensureControl();
  await admin.close();
});

test('a nearly full stream is freed of what was worked off, and of nothing else', async () => {
  const MIB = 1_048_576;
  const tenant = await bus.tenant('cus_relief', { ingestBytes: 4 * MIB });
  for (const id of ['pip_done', 'pip_half', 'pip_idle']) await bus.admin.ensurePipelineConsumer(tenant, id);
  const nc = await bus.inTenant(tenant, bus.node('nod_1', 'shared'));
  const publisher = createStreamPublisher(nc, { timeoutMs: 20_000 });
  const put = async (pipelineId: string, count: number) => {
    for (let i = 0; i < count; i++) await publisher.publish(`in.${pipelineId}.0`, {}, Buffer.alloc(50_000));
  };
  const work = async (pipelineId: string, count: number) => {
    let acked = 0;
    const consumer = consumePacks(nc, {
      stream: 'INGEST',
      consumer: `p_${pipelineId}`,
      maxPacks: 4,
      onError: () => {},
      onPack: (pack) => (acked++ < count ? pack.ack() : undefined),
    });
    await eventually(() => acked >= count);
    await consumer.stop();
  };
  await put('pip_idle', 5);
  await put('pip_done', 15);
  await put('pip_half', 10);
  expect(await bus.admin.relieveIngest(tenant), 'far from full').toBe(0);
  await put('pip_gone', 10);
  await put('pip_done', 35);
  await work('pip_done', 50);
  await work('pip_half', 4);
  const jsm = await managerOf(tenant);
  const { ack_floor } = await eventually(async () => {
    const info = await jsm.consumers.info('INGEST', 'p_pip_done');
    return info.num_ack_pending === 0 && info;
  });
  expect(ack_floor.stream_seq).toBe(75);

  const freed = await bus.admin.relieveIngest(tenant);
  const left = (await jsm.streams.info('INGEST', { subjects_filter: '>' })).state;
  // Of the sequences 1 to 37: 15 of pip_done, 4 of pip_half, 7 of the pipeline that is gone.
  expect(freed).toBe(26);
  expect(left.subjects).toEqual({ 'in.pip_idle.0': 5, 'in.pip_done.0': 35, 'in.pip_half.0': 6, 'in.pip_gone.0': 3 });
});

test('what a destination in strict order still waits for is not freed, whatever others have done with it', async () => {
  const tenant = await bus.tenant('cus_held', { ingestBytes: 2 * 1_048_576 });
  await bus.admin.ensurePipelineConsumer(tenant, 'pip_held', true);
  const nc = await bus.inTenant(tenant, bus.node('nod_1', 'shared'));
  const publisher = createStreamPublisher(nc, { timeoutMs: 20_000 });
  for (let i = 0; i < 35; i++) await publisher.publish('in.pip_held.ordered.0', {}, Buffer.alloc(50_000));
  const work = async (name: string) => {
    let acked = 0;
    const onPack = (pack: { ack(): void }): void => {
      acked++;
      pack.ack();
    };
    const consumer = consumePacks(nc, { stream: 'INGEST', consumer: name, maxPacks: 4, onError: () => {}, onPack });
    const jsm = await managerOf(tenant);
    await eventually(async () => acked >= 35 && (await jsm.consumers.info('INGEST', name)).num_ack_pending === 0);
    await consumer.stop();
  };
  await work('p_pip_held');
  expect(await bus.admin.relieveIngest(tenant)).toBe(0);
  await work('o_pip_held');
  expect(await bus.admin.relieveIngest(tenant)).toBe(17);
});
