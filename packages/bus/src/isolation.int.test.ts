import type { NatsConnection } from '@nats-io/transport-node';
import { configKeys, inboxPrefix, statusKeys, subjects } from '@vrsky/contracts/subjects';
import { eventually } from '@vrsky/testkit/eventually';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBus, type TestBus, type TestNode } from '../test/bus.ts';
import { issueTenantJwt, type TenantAccount } from './admin.ts';
import { createConfigBucket } from './config-bucket.ts';
import { ask, connectBus } from './connect.ts';
import { consumePacks } from './consumer.ts';
import { nkeyFromSeed } from './nkey.ts';
import { createPlatformKeys } from './platform-keys.ts';
import { createStreamPublisher } from './publisher.ts';
import { createStatusBucket } from './status-bucket.ts';
import { getStored } from './stored.ts';

let bus: TestBus;
let a: TenantAccount;
let b: TenantAccount;
let node: TestNode;
let other: TestNode;

beforeAll(async () => {
  bus = await startBus();
  a = await bus.tenant('cus_a');
  b = await bus.tenant('cus_b');
  await bus.admin.ensurePipelineConsumer(a, 'pip_1');
  await bus.admin.ensurePipelineConsumer(b, 'pip_1');
  node = bus.node('nod_1', 'shared');
  other = bus.node('nod_2', 'dedicated');
  const config = createConfigBucket(await bus.admin.control(), bus.keys);
  for (const [nodeId, pool] of [
    ['nod_1', 'shared'],
    ['nod_2', 'dedicated'],
  ] as const) {
    await config.put(configKeys.head(pool), `head of ${pool}`);
    await config.put(configKeys.bundle(pool, 'cus_a'), `bundle of ${pool}`);
    await config.put(configKeys.grant(nodeId, 'cus_a'), `grant of ${nodeId}`);
  }
});
afterAll(() => bus[Symbol.asyncDispose]());

const text = (value: unknown) => JSON.stringify(value);

/** The server refuses to carry the request, or nobody in this account answers it. */
async function expectRefused(nc: NatsConnection, subject: string, body = ''): Promise<void> {
  await expect(ask(nc, subject, body, 500), subject).rejects.toMatchObject({ code: expect.stringMatching(/^BUS\.(FORBIDDEN|UNAVAILABLE)$/) });
}

async function expectForbidden(nc: NatsConnection, subject: string, body = ''): Promise<void> {
  await expect(ask(nc, subject, body, 2_000), subject).rejects.toMatchObject({ code: 'BUS.FORBIDDEN' });
}

describe('a node in CONTROL', () => {
  let nc: NatsConnection;
  beforeAll(async () => {
    nc = await bus.inControl(node);
  });

  test("reads and watches its pool's and its own configuration", async () => {
    const config = createConfigBucket(nc);
    expect(await config.get(configKeys.head('shared'))).toMatchObject({ value: 'head of shared' });
    expect(await config.get(configKeys.grant('nod_1', 'cus_a'))).toMatchObject({ value: 'grant of nod_1' });
    for (const [filter, keys] of [
      [configKeys.poolAll('shared'), [configKeys.head('shared'), configKeys.bundle('shared', 'cus_a')]],
      [configKeys.nodeAll('nod_1'), [configKeys.grant('nod_1', 'cus_a')]],
    ] as const) {
      const stop = new AbortController();
      const seen: string[] = [];
      await config.watch(filter, (entry) => void seen.push(entry.key), stop.signal, {
        onCurrent: () => stop.abort(),
        onError: (error) => seen.push(String(error)),
      });
      expect(seen.sort()).toEqual([...keys].sort());
    }
  });

  test("cannot read or watch another pool's or node's, by whatever request", async () => {
    const config = createConfigBucket(nc);
    for (const key of [configKeys.head('dedicated'), configKeys.bundle('dedicated', 'cus_a'), configKeys.grant('nod_2', 'cus_a')]) {
      await expect(config.get(key), key).rejects.toMatchObject({ code: 'BUS.FORBIDDEN' });
      await expectForbidden(nc, '$JS.API.STREAM.MSG.GET.KV_config', text({ last_by_subj: `$KV.config.${key}` }));
      await expectForbidden(nc, '$JS.API.DIRECT.GET.KV_config', text({ last_by_subj: `$KV.config.${key}` }));
    }
    await expectForbidden(nc, '$JS.API.DIRECT.GET.KV_config', text({ seq: 5 }));
    for (const filter of ['>', 'pool.>', 'pool.*.head', configKeys.poolAll('dedicated'), 'node.>', configKeys.nodeAll('nod_2')]) {
      const stop = new AbortController();
      const errors: unknown[] = [];
      await config.watch(filter, (entry) => void errors.push(entry), stop.signal, {
        onError: (error) => {
          errors.push(error);
          stop.abort();
        },
      });
      expect(errors, filter).toEqual([expect.objectContaining({ code: 'BUS.FORBIDDEN' })]);
    }
  });

  test('cannot make a consumer whose body reads more than its subject says', async () => {
    const inbox = `${inboxPrefix('nod_1')}.stolen`;
    const config = { name: 'w_x', deliver_subject: inbox, ack_policy: 'none', deliver_policy: 'all' };
    const allowed = '$JS.API.CONSUMER.CREATE.KV_config.w_x.$KV.config.pool.shared.>';
    for (const wider of [
      { filter_subject: '$KV.config.>' },
      { filter_subject: '$KV.config.pool.dedicated.>' },
      { filter_subjects: ['$KV.config.pool.shared.>', '$KV.config.>'] },
      {},
    ]) {
      const answer = await ask(nc, allowed, text({ stream_name: 'KV_config', config: { ...config, ...wider } }), 1_000);
      expect(JSON.parse(answer.text), text(wider)).toMatchObject({ error: { code: 400 } });
    }
    const otherStream = await ask(nc, allowed, text({ stream_name: 'KV_status', config: { ...config, filter_subject: '$KV.config.pool.shared.>' } }), 1_000);
    expect(JSON.parse(otherStream.text)).toMatchObject({ error: { code: 400 } });
    for (const old of ['$JS.API.CONSUMER.CREATE.KV_config', '$JS.API.CONSUMER.CREATE.KV_config.w_x', '$JS.API.CONSUMER.DURABLE.CREATE.KV_config.w_x'])
      await expectForbidden(nc, old, text({ stream_name: 'KV_config', config }));
  });

  test('cannot have the server write configuration for it, by sending an answer or a delivery to another key', async () => {
    const config = createConfigBucket(await bus.admin.control(), bus.keys);
    const target = `$KV.config.${configKeys.head('dedicated')}`;
    const own = `$KV.config.${configKeys.head('shared')}`;
    nc.publish(`$JS.API.DIRECT.GET.KV_config.${own}`, '', { reply: target });
    nc.publish(`$JS.API.CONSUMER.CREATE.KV_config.w_z.${own}`, '{}', { reply: target });
    nc.publish(`$KV.status.${statusKeys.lease('nod_1')}`, 'x', { reply: target });
    await ask(
      nc,
      `$JS.API.CONSUMER.CREATE.KV_config.w_z.${own}`,
      text({ stream_name: 'KV_config', config: { name: 'w_z', deliver_subject: target, filter_subject: own, ack_policy: 'none', deliver_policy: 'all' } }),
      1_000,
    );
    // Every request above has been worked off when the server answers this one.
    expect(await createConfigBucket(nc).get(configKeys.head('shared'))).not.toBeNull();
    await config.put(configKeys.head('shared'), 'head of shared');
    expect(await config.get(configKeys.head('dedicated'))).toMatchObject({ value: 'head of dedicated' });
  });

  test("cannot forge another node's status from bytes of its own", async () => {
    const forged = text({ nodeId: 'nod_2', stopping: true });
    await createStatusBucket(nc).put(statusKeys.lease('nod_1'), forged);
    for (const request of [
      `DIRECT.GET.KV_status.$KV.status.${statusKeys.lease('nod_1')}`,
      'DIRECT.GET.KV_status',
      `CONSUMER.CREATE.KV_status.w_f.$KV.status.${statusKeys.nodeAll('nod_1')}`,
    ])
      await expectForbidden(nc, `$JS.API.${request}`, '{}');
  });

  test('writes its own status and no other key, and cannot wipe the bucket with a roll-up', async () => {
    const status = createStatusBucket(nc);
    const all = createStatusBucket(await bus.admin.control());
    await all.put(statusKeys.lease('nod_2'), 'lease of another');
    await status.put(statusKeys.lease('nod_1'), 'alive');
    expect(await all.get(statusKeys.lease('nod_1'))).toMatchObject({ value: 'alive' });
    for (const key of [statusKeys.lease('nod_2'), 'node', 'anything'])
      await expect(status.put(key, 'forged'), key).rejects.toMatchObject({ code: 'BUS.FORBIDDEN' });
    await expectForbidden(nc, `$KV.config.${configKeys.head('shared')}`, 'forged');
    await expect(createConfigBucket(nc, createPlatformKeys()).put(configKeys.head('shared'), 'forged')).rejects.toMatchObject({ code: 'BUS.FORBIDDEN' });
    const publisher = createStreamPublisher(nc, { timeoutMs: 1_000 });
    for (const rollup of ['all', 'sub'])
      await expect(publisher.publish(`$KV.status.${statusKeys.lease('nod_1')}`, { 'Nats-Rollup': rollup }, Buffer.from('x'))).rejects.toMatchObject({
        code: 'BUS.REFUSED',
      });
    expect(await all.get(statusKeys.lease('nod_2'))).toMatchObject({ value: 'lease of another' });
  });

  test('manages nothing: no stream, no consumer, no account, no list', async () => {
    const admin = [
      'STREAM.DELETE.KV_config',
      'STREAM.PURGE.KV_config',
      'STREAM.UPDATE.KV_config',
      'STREAM.INFO.KV_config',
      'STREAM.MSG.DELETE.KV_config',
      'STREAM.CREATE.MINE',
      'STREAM.LIST',
      'STREAM.NAMES',
      'STREAM.SNAPSHOT.KV_config',
      'STREAM.RESTORE.MINE',
      'CONSUMER.LIST.KV_config',
      'CONSUMER.NAMES.KV_config',
      'CONSUMER.DELETE.KV_config.w_x',
      'STREAM.DELETE.KV_status',
      'STREAM.PURGE.KV_status',
      'STREAM.INFO.KV_status',
      'INFO',
    ];
    for (const request of admin) await expectForbidden(nc, `$JS.API.${request}`, '{}');
    for (const request of ['$SYS.REQ.CLAIMS.LIST', '$SYS.REQ.CLAIMS.UPDATE', '$SYS.REQ.SERVER.PING.JSZ', '$SYS.REQ.USER.INFO'])
      await expectForbidden(nc, request);
  });

  test('cannot listen to anything but its own answers', async () => {
    for (const subject of ['>', '$KV.>', '$KV.config.>', '$JS.>', '_INBOX_nod_2.>', '_INBOX.>', '_INBOX_nod_1', `${inboxPrefix('*')}.>`]) {
      const refused = Promise.withResolvers<Error>();
      nc.subscribe(subject, { callback: (error) => refused.resolve(error ?? new Error('a message')) });
      await expect(refused.promise, subject).resolves.toMatchObject({ name: 'PermissionViolationError' });
    }
  });
});

describe("a node in a tenant's account", () => {
  let nc: NatsConnection;
  beforeAll(async () => {
    nc = await bus.inTenant(a, node);
  });

  test('stores, reads and works off messages, and answers the console', async () => {
    const publisher = createStreamPublisher(nc, { timeoutMs: 20_000 });
    const ack = await publisher.publish('in.pip_1.0', {}, Buffer.from('of A'));
    for (const subject of ['retry.pip_1', 'dlq.pip_1', 'quarantine.pip_1', 'trail.pip_1', 'calls.nod_1'])
      await publisher.publish(subject, {}, Buffer.from('x'));
    expect(await getStored(nc, 'INGEST', ack.seq)).toMatchObject({ subject: 'in.pip_1.0' });
    for (const [stream, consumerName] of [
      ['INGEST', 'p_pip_1'],
      ['RETRY', 'r_pip_1'],
    ] as const) {
      const got = Promise.withResolvers<string>();
      const consumer = consumePacks(nc, {
        stream,
        consumer: consumerName,
        maxPacks: 8,
        onPack: (pack) => {
          pack.ack();
          got.resolve(pack.subject);
        },
        onError: got.reject,
      });
      await got.promise;
      await consumer.stop();
      const acked = await eventually(async () => {
        const info = JSON.parse((await ask(nc, `$JS.API.CONSUMER.INFO.${stream}.${consumerName}`, '', 1_000)).text);
        return info.num_ack_pending === 0 && info;
      });
      expect(acked.ack_floor.consumer_seq).toBe(1);
    }
    nc.subscribe('rpc.run.shared', { queue: 'nodes', callback: (_error, message) => void message.respond(message.data) });
    await nc.flush();
    expect((await ask(await bus.admin.tenant(a), 'rpc.run.shared', 'sample', 2_000)).text).toBe('sample');
  });

  test("hears a pipeline's results under its own name alone, from nodes of this tenant and from nobody else", async () => {
    const heard: string[] = [];
    nc.subscribe(subjects.reply('nod_1'), { callback: (_error, message) => void heard.push(message.string()) });
    await nc.flush();
    const inB = await bus.inTenant(b, other);
    inB.publish(subjects.reply('nod_1'), 'of B');
    await inB.flush();
    const fellow = await bus.inTenant(a, bus.node('nod_3', 'shared'));
    fellow.publish(subjects.reply('nod_1'), 'of A');
    await fellow.flush();
    await eventually(() => heard.length > 0);
    expect(heard).toEqual(['of A']);
    for (const subject of [subjects.reply('nod_1'), 'reply.>', 'reply.*']) {
      const refused = Promise.withResolvers<Error>();
      fellow.subscribe(subject, { callback: (error) => refused.resolve(error ?? new Error('a message')) });
      await expect(refused.promise, subject).resolves.toMatchObject({ name: 'PermissionViolationError' });
    }
  });

  test('manages nothing and reads no stream but the two it works off', async () => {
    const admin = [
      'STREAM.DELETE.INGEST',
      'STREAM.PURGE.INGEST',
      'STREAM.UPDATE.INGEST',
      'STREAM.MSG.DELETE.INGEST',
      'STREAM.MSG.GET.INGEST',
      'STREAM.CREATE.MINE',
      'STREAM.LIST',
      'STREAM.NAMES',
      'STREAM.SNAPSHOT.INGEST',
      'STREAM.INFO.DLQ',
      'STREAM.INFO.TRAIL',
      'STREAM.PURGE.DLQ',
      'STREAM.DELETE.DLQ',
      'DIRECT.GET.DLQ',
      'DIRECT.GET.TRAIL',
      `DIRECT.GET.TRAIL.${subjects.trail('pip_1')}`,
      `DIRECT.GET.TRAIL.${subjects.calls('nod_1')}`,
      'DIRECT.GET.RETRY',
      'CONSUMER.CREATE.INGEST',
      'CONSUMER.CREATE.INGEST.mine.in.>',
      'CONSUMER.DURABLE.CREATE.INGEST.mine',
      'CONSUMER.DELETE.INGEST.p_pip_1',
      'CONSUMER.RESET.INGEST.p_pip_1',
      'CONSUMER.PAUSE.INGEST.p_pip_1',
      'CONSUMER.MSG.NEXT.TRAIL.projector',
      'CONSUMER.INFO.TRAIL.projector',
      'CONSUMER.LIST.INGEST',
      'INFO',
    ];
    for (const request of admin) await expectForbidden(nc, `$JS.API.${request}`, '{}');
    await expectForbidden(nc, '$JS.ACK.TRAIL.projector.1.1.1.1795598081098123456.0', '+ACK');
    for (const subject of ['anything', 'inx.pip_1', 'rpc.run.shared', '$KV.config.x', '_INBOX_nod_2.x', 'calls.nod_2', 'calls.nod_1.x', 'calls'])
      await expectForbidden(nc, subject, 'x');
  });

  test("cannot listen to messages, to another pool's requests or to another client's answers", async () => {
    for (const subject of [
      '>',
      'in.>',
      'dlq.>',
      'trail.>',
      'calls.>',
      'calls.nod_1',
      'rpc.run.dedicated',
      'rpc.run.*',
      'rpc.>',
      '_INBOX_nod_2.>',
      '_INBOX_cp_>',
      '$JS.>',
      '$JS.EVENT.>',
    ]) {
      const refused = Promise.withResolvers<Error>();
      nc.subscribe(subject, { callback: (error) => refused.resolve(error ?? new Error('a message')) });
      await expect(refused.promise, subject).resolves.toMatchObject({ name: 'PermissionViolationError' });
    }
  });

  test('sees nothing of another tenant: the same names are other things in each account', async () => {
    const inB = createStreamPublisher(await bus.inTenant(b, other), { timeoutMs: 20_000 });
    const { seq } = await inB.publish('in.pip_1.0', {}, Buffer.from('secret of B'));
    const spied: string[] = [];
    const spy = await bus.admin.tenant(a);
    spy.subscribe('>', { callback: (_error, message) => void spied.push(message.string()) });
    await spy.flush();
    await inB.publish('in.pip_1.0', {}, Buffer.from('secret of B'));
    for (let i = 1; i <= seq + 1; i++) expect(Buffer.from((await getStored(nc, 'INGEST', i))?.data ?? '').toString()).not.toContain('secret of B');
    await spy.flush();
    expect(spied.join()).not.toContain('secret of B');
  });

  test("even the control plane's user in A reaches nothing of B, of CONTROL or of the system", async () => {
    const all = await bus.admin.tenant(a);
    const accountOfB = nkeyFromSeed('account', b.accountSeed).publicKey;
    for (const subject of [
      `$SYS.REQ.ACCOUNT.${accountOfB}.JSZ`,
      `$SYS.REQ.ACCOUNT.${accountOfB}.CONNZ`,
      `$SYS.REQ.ACCOUNT.${accountOfB}.CLAIMS.LOOKUP`,
      '$SYS.REQ.CLAIMS.LIST',
      '$SYS.REQ.CLAIMS.UPDATE',
      '$SYS.REQ.CLAIMS.DELETE',
      '$SYS.REQ.SERVER.PING',
    ])
      await expectRefused(all, subject);
    for (const stream of ['KV_config', 'KV_status'])
      expect(JSON.parse((await ask(all, `$JS.API.STREAM.INFO.${stream}`, '', 1_000)).text)).toMatchObject({ error: { err_code: 10059 } });
  });
});

describe('credentials', () => {
  const attempt = (credentials: () => { jwt: string; seed: string }) => connectBus({ url: bus.nats.url, name: 'x', inbox: '_INBOX_x', credentials });

  test("a node's JWT is worthless without the node's key", async () => {
    const jwt = await issueTenantJwt(a.accountSeed, node);
    await expect(attempt(() => ({ jwt, seed: other.seed }))).rejects.toMatchObject({ code: 'BUS.UNAUTHENTICATED' });
  });

  test('a JWT with a changed claim is refused', async () => {
    const [header, body, signature] = (await issueTenantJwt(a.accountSeed, node)).split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
    claims.nats.pub.allow = ['>'];
    const forged = [header, Buffer.from(text(claims)).toString('base64url'), signature].join('.');
    await expect(attempt(() => ({ jwt: forged, seed: node.seed }))).rejects.toMatchObject({ code: 'BUS.UNAUTHENTICATED' });
  });

  test('nobody gets in without credentials', async () => {
    await expect(attempt(() => ({ jwt: '', seed: node.seed }))).rejects.toMatchObject({ code: 'BUS.UNAUTHENTICATED' });
  });
});
