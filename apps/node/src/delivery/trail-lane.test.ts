import type { TrailMessage, TrailRecord } from '@vrsky/contracts/trail';
import { expect, test } from 'vitest';
import { createTrailLane } from './trail-lane.ts';

const message = (id: string) => ({ id }) as TrailMessage;

function trial(lingerMs = 5) {
  const records: { ids: string[]; revision: number; headers: Record<string, string> }[] = [];
  let failure: Error | null = null;
  const lane = createTrailLane({
    nodeId: 'nod_1',
    tenantId: 'cus_a',
    pipelineId: 'pip_1',
    lingerMs,
    async publish(_subject, headers, body) {
      if (failure) throw failure;
      const { messages, revision } = JSON.parse(Buffer.from(body).toString()) as TrailRecord;
      records.push({ ids: messages.map(({ id }) => id), revision, headers });
    },
  });
  const fail = (error: Error): void => {
    failure = error;
  };
  return { lane, records, fail };
}

test('packs that end together share one record', async () => {
  const { lane, records } = trial();
  await Promise.all([lane.add('a', 1, [message('m1'), message('m2')]), lane.add('b', 1, [message('m3')])]);
  expect(records).toMatchObject([{ ids: ['m1', 'm2', 'm3'], headers: { 'Vrsky-Pack': '3' } }]);
});

test('a record has one revision, and no more messages than a pack', async () => {
  const { lane, records } = trial();
  const many = (count: number) => Array.from({ length: count }, (_, i) => message(String(i)));
  await Promise.all([lane.add('a', 1, many(1)), lane.add('b', 2, many(200)), lane.add('c', 2, many(100)), lane.add('d', 2, many(156))]);
  expect(records.map(({ revision, ids }) => [revision, ids.length])).toEqual([
    [1, 1],
    [2, 200],
    [2, 256],
  ]);
});

test('the same packs have the same id for the server, other packs another', async () => {
  const { lane, records } = trial(0);
  await lane.add('a', 1, [message('m1')]);
  await lane.add('a', 1, [message('m1')]);
  await lane.add('b', 1, [message('m1')]);
  const ids = records.map(({ headers }) => headers['Nats-Msg-Id']);
  expect([ids[0] === ids[1], ids[0] === ids[2]]).toEqual([true, false]);
});

test('when a record cannot be stored, every pack in it hears so', async () => {
  const { lane, fail } = trial();
  fail(new Error('gone'));
  const results = await Promise.allSettled([lane.add('a', 1, [message('m1')]), lane.add('b', 1, [message('m2')])]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});
