import { type ConnectorCalls, connectorCallsSchema } from '@vrsky/contracts/connector-calls';
import { createLog } from '@vrsky/kernel/log';
import { eventually } from '@vrsky/testkit/eventually';
import { afterEach, describe, expect, test } from 'vitest';
import { type CallLedger, createCallLedger, encodeCalls, type ProcessName } from './call-ledger.ts';

const SEND = '/vrsky.connector.v1.Connector/Send';
const RECEIVE = '/vrsky.connector.v1.Connector/Receive';
const CONFIGURE = '/vrsky.connector.v1.Connector/Configure';
const HEALTH = '/grpc.health.v1.Health/Check';
const MINUTE_MS = 60_000;
const FIRST = 1_800_000_000_000;

const own: ProcessName = { processId: 'p1', connector: 'http', version: '1.0.0', digest: `sha256:${'a'.repeat(64)}`, tenantId: 'cus_a' };
const shared: ProcessName = { ...own, processId: 'p2', tenantId: null };

const ledgers: CallLedger[] = [];
afterEach(async () => {
  for (const ledger of ledgers.splice(0)) await ledger[Symbol.asyncDispose]();
});

/** A ledger with a clock of ours and a stream that may be away. */
function open(extra: Partial<Parameters<typeof createCallLedger>[0]> = {}) {
  const clock = { ms: FIRST };
  const stream = { isUp: true, records: [] as ConnectorCalls[], tries: 0 };
  const ledger = createCallLedger({
    nodeId: 'nod_1',
    log: createLog('test', 'silent'),
    nowMs: () => clock.ms,
    async publish(_, record) {
      stream.tries++;
      if (!stream.isUp) throw new Error('NATS is away');
      // As it would be in the stream: what is counted later must not change it.
      stream.records.push(connectorCallsSchema.parse(JSON.parse(Buffer.from(encodeCalls(record).body).toString('utf8'))));
    },
    ...extra,
  });
  ledgers.push(ledger);
  /** Everything that is known now is in the stream, or was tried. */
  const flush = () => ledger.drain?.(stream.isUp ? new AbortController().signal : AbortSignal.timeout(1)) as Promise<void>;
  return { ledger, clock, stream, flush, of: (tenantId: string) => stream.records.filter((record) => record.tenantId === tenantId) };
}

function call(process: ReturnType<CallLedger['process']>, method: string, { status = 'OK', request = 0, response = 0, us = 1_000 } = {}): void {
  const counter = process.calls.counter(method);
  counter.calls++;
  counter.requestBytes += request;
  counter.responseBytes += response;
  counter.results[status] = (counter.results[status] ?? 0) + 1;
  counter.totalUs += us;
  counter.maxUs = Math.max(counter.maxUs, us);
}

const tally = (record: ConnectorCalls | undefined, method: string) => record?.methods.find((one) => one.method === method);

describe("a tenant's own process", () => {
  test('has its calls written down with sizes, results and times', async () => {
    const { ledger, flush, of } = open();
    const process = ledger.process(own);
    call(process, CONFIGURE, { request: 100, response: 10, us: 2_000 });
    call(process, CONFIGURE, { request: 50, response: 5, us: 6_000, status: 'UNAVAILABLE' });
    const send = process.calls.counter(SEND);
    send.calls++;
    send.requestBytes += 900;
    process.attribute('sent', 'cus_a', 300);
    process.attribute('sent', 'cus_a', 300);
    process.named('1.2.0');
    process.event('started', 'The connector was started.');
    await flush();
    expect(of('cus_a')).toEqual([
      {
        ...{ v: 1, nodeId: 'nod_1', tenantId: 'cus_a', connector: 'http', version: '1.2.0', digest: own.digest, processId: 'p1', shared: false },
        ...{ minuteMs: FIRST, revision: 1 },
        methods: [
          {
            ...{ method: CONFIGURE, calls: 2, refused: 0, results: { OK: 1, UNAVAILABLE: 1 }, requestBytes: 150, responseBytes: 15 },
            ...{ sent: 0, received: 0, totalUs: 8_000, maxUs: 6_000 },
          },
          { method: SEND, calls: 1, refused: 0, results: {}, requestBytes: 900, responseBytes: 0, sent: 2, received: 0, totalUs: 0, maxUs: 0 },
        ],
        events: [{ atMs: FIRST, kind: 'started', version: '1.2.0', reason: 'The connector was started.' }],
      },
    ]);
  });

  test('has each minute counted for itself, the longest call too, and a stream that stays open has its bytes in the minute they passed', async () => {
    const { ledger, clock, flush, of } = open();
    const process = ledger.process(own);
    const stream = process.calls.counter(RECEIVE);
    stream.calls++;
    stream.responseBytes += 10;
    call(process, CONFIGURE, { us: 9_000 });
    process.attribute('received', 'cus_a', 10);
    clock.ms += MINUTE_MS;
    ledger.process(own); // anything that happens turns the minute
    stream.responseBytes += 7;
    call(process, CONFIGURE, { us: 1_000 });
    process.attribute('received', 'cus_a', 7);
    await flush();
    const [first, second] = of('cus_a').filter(({ processId }) => processId === 'p1');
    expect(first).toMatchObject({ minuteMs: FIRST, revision: 1 });
    expect(tally(first, RECEIVE)).toMatchObject({ calls: 1, responseBytes: 10, received: 1 });
    expect(tally(first, CONFIGURE)).toMatchObject({ calls: 1, maxUs: 9_000 });
    expect(second).toMatchObject({ minuteMs: FIRST + MINUTE_MS, revision: 1, events: [] });
    expect(tally(second, RECEIVE)).toMatchObject({ calls: 0, responseBytes: 7, received: 1 });
    expect(tally(second, CONFIGURE)).toMatchObject({ calls: 1, totalUs: 1_000, maxUs: 1_000 });
  });

  test('is sent again with a higher revision when there is more to say, and not when there is not', async () => {
    const { ledger, flush, of } = open();
    const process = ledger.process(own);
    call(process, CONFIGURE);
    await flush();
    await flush();
    expect(of('cus_a')).toHaveLength(1);
    call(process, CONFIGURE);
    await flush();
    expect(of('cus_a').map((record) => [record.revision, tally(record, CONFIGURE)?.calls])).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  test('that carries a message which claims to be of somebody else gives that one no record', async () => {
    const { ledger, flush, stream } = open();
    const process = ledger.process(own);
    process.attribute('received', 'cus_b', 10);
    process.attribute('received', '', 10);
    call(process, CONFIGURE);
    await flush();
    expect(stream.records.map(({ tenantId }) => tenantId)).toEqual(['cus_a']);
    expect(tally(stream.records[0], RECEIVE)).toBeUndefined();
  });

  test('that only says it is well is sent at the end of the minute, not every few seconds', async () => {
    const { ledger, clock, stream } = open({ flushEveryMs: 1 });
    await ledger.start?.(new AbortController().signal);
    const process = ledger.process(own);
    call(process, HEALTH);
    const other = ledger.process({ ...own, processId: 'p9' });
    call(other, CONFIGURE); // when this is in the stream, the first had its chance
    await eventually(() => stream.records.length > 0);
    expect(stream.records.map(({ processId }) => processId)).toEqual(['p9']);
    clock.ms += MINUTE_MS;
    await eventually(() => stream.records.some(({ processId }) => processId === 'p1'));
    expect(
      tally(
        stream.records.find(({ processId }) => processId === 'p1'),
        HEALTH,
      ),
    ).toMatchObject({ calls: 1 });
  });
});

describe('a process that tenants share', () => {
  test('tells each only of its own messages: no size, count or message of another, and no sum of all', async () => {
    const { ledger, flush, of } = open();
    const process = ledger.process(shared);
    process.serves(new Set(['cus_a', 'cus_b', 'cus_c']));
    call(process, CONFIGURE, { request: 7_777, response: 77 });
    const send = process.calls.counter(SEND);
    send.requestBytes += 99_999;
    const receive = process.calls.counter(RECEIVE);
    receive.calls++;
    receive.responseBytes += 88_888;
    process.attribute('sent', 'cus_a', 100);
    process.attribute('sent', 'cus_a', 11);
    process.attribute('received', 'cus_b', 5_000);
    await flush();
    const unary = { method: CONFIGURE, calls: 1, results: { OK: 1 }, requestBytes: 0, responseBytes: 0, totalUs: 1_000, sent: 0, received: 0 };
    expect(of('cus_a')).toMatchObject([{ shared: true }]);
    expect(of('cus_a')[0]?.methods).toMatchObject([
      unary,
      { method: RECEIVE, calls: 1, requestBytes: 0, responseBytes: 0, sent: 0, received: 0 },
      { method: SEND, calls: 0, requestBytes: 111, responseBytes: 0, sent: 2, received: 0 },
    ]);
    expect(of('cus_b')[0]?.methods).toMatchObject([unary, { method: RECEIVE, calls: 1, responseBytes: 5_000, received: 1 }]);
    expect(of('cus_c')[0]?.methods).toMatchObject([unary, { method: RECEIVE, responseBytes: 0, received: 0 }]);
    for (const tenantId of ['cus_a', 'cus_b', 'cus_c']) {
      expect(JSON.stringify(of(tenantId))).not.toMatch(/7777|99999|88888/);
      if (tenantId !== 'cus_b') expect(JSON.stringify(of(tenantId))).not.toContain('5000');
    }
  });

  test('says nothing to those for whom nothing happened', async () => {
    const { ledger, clock, flush, stream } = open();
    const process = ledger.process(shared);
    process.serves(new Set(['cus_a', 'cus_b']));
    call(process, HEALTH);
    clock.ms += MINUTE_MS;
    process.attribute('sent', 'cus_a', 1);
    await flush();
    expect(stream.records.map(({ tenantId }) => tenantId)).toEqual(['cus_a']);
  });

  test('tells of its life everybody whom it serves, and nobody else', async () => {
    const { ledger, flush, stream } = open();
    const process = ledger.process(shared);
    process.serves(new Set(['cus_a', 'cus_b']));
    process.event('ended', 'The connector ended by itself (status 7).');
    process.end();
    await flush();
    expect(stream.records.map(({ tenantId, events }) => [tenantId, events[0]?.reason])).toEqual([
      ['cus_a', 'The connector ended by itself (status 7).'],
      ['cus_b', 'The connector ended by itself (status 7).'],
    ]);
  });
});

describe('a connector that is started again and again', () => {
  test('has books for each start, and what is said of it is said of the last one, also when that ended minutes ago', async () => {
    const { ledger, clock, flush, of } = open();
    const seat = ledger.seat({ connector: 'echo', tenantId: 'cus_a' });
    seat.event({ kind: 'started', version: '', reason: 'Nothing was started yet: nobody hears of it.' });
    const first = seat.open(own.digest);
    first.named('1.0.0');
    call(first, CONFIGURE);
    first.end();
    const second = seat.open(`sha256:${'b'.repeat(64)}`);
    second.named('2.0.0');
    second.end();
    clock.ms += 3 * MINUTE_MS;
    await flush();
    seat.event({ kind: 'paused', version: '2.0.0', reason: 'It failed again and again.' });
    await flush();
    expect(of('cus_a').map(({ processId, version, events }) => [processId, version, events.map(({ reason }) => reason)])).toEqual([
      [first.processId, '1.0.0', []],
      [second.processId, '2.0.0', ['It failed again and again.']],
    ]);
    expect(first.processId).not.toBe(second.processId);
  });
});

describe('a refused call', () => {
  test('is an event of its own, once a minute however often it is tried, and events have an end', async () => {
    const { ledger, flush, of } = open();
    const process = ledger.process(own);
    for (let i = 0; i < 5; i++) {
      process.calls.counter('/evil/Call').refused++;
      process.calls.refused('/evil/Call');
    }
    for (let i = 0; i < 500; i++) process.event('ended', `reason ${i} ${'x'.repeat(2_000)}`);
    await flush();
    const [record] = of('cus_a');
    expect(tally(record, '/evil/Call')).toMatchObject({ calls: 0, refused: 5 });
    expect(record?.events.filter(({ kind }) => kind === 'refused')).toHaveLength(1);
    expect(record?.events[0]?.reason).toContain('/evil/Call');
    expect(record?.events).toHaveLength(64);
  });
});

describe('requests that a source refused', () => {
  const webhook = { pipelineId: 'pl_1', sourceId: 'source', title: '“Webhook” of the pipeline “Orders”' };
  const events = (records: ConnectorCalls[]) => records.at(-1)?.events.map(({ kind, reason }) => `${kind}: ${reason}`);

  test('are told to their tenant alone, the first at once and the rest of the minute together', async () => {
    const { ledger, clock, flush, of } = open({ flushEveryMs: 5 });
    const process = ledger.process(shared);
    process.serves(new Set(['cus_a', 'cus_b']));
    await ledger.start?.(new AbortController().signal);
    process.refusedRequests('cus_a', webhook, { timestamp_too_old: 1, signature_mismatch: 2 });
    await eventually(() => of('cus_a').length > 0);
    for (let i = 0; i < 3; i++) process.refusedRequests('cus_a', webhook, { signature_mismatch: 10 });
    const first =
      'refused: “Webhook” of the pipeline “Orders” refused 3 requests: signature mismatch (2), timestamp too old (1). The sender was told why; nothing was taken in.';
    expect(events(of('cus_a'))).toEqual([first]);
    clock.ms += MINUTE_MS;
    await flush();
    expect(events(of('cus_a').filter(({ minuteMs }) => minuteMs === FIRST))).toEqual([
      first,
      expect.stringContaining('refused 30 more requests: signature mismatch (30).'),
    ]);
    expect(of('cus_b')).toEqual([]);
  });

  test('are counted by source and reason, told again while the minute goes on, and counted anew in the next', async () => {
    const { ledger, clock, flush, of } = open({ flushEveryMs: 60_000, tellRefusedEveryMs: 5 });
    const process = ledger.process(shared);
    process.serves(new Set(['cus_a', 'cus_b']));
    await ledger.start?.(new AbortController().signal);
    const counts = () =>
      of('cus_a')
        .at(-1)
        ?.refusals?.map(({ pipelineId, sourceId, reason, count }) => `${pipelineId}/${sourceId} ${reason} ${count}`);
    process.refusedRequests('cus_a', webhook, { signature_mismatch: 2 });
    await eventually(() => counts()?.[0] === 'pl_1/source signature_mismatch 2');
    process.refusedRequests('cus_a', webhook, { signature_mismatch: 1, timestamp_too_old: 1 });
    await eventually(() => counts()?.length === 2);
    expect(counts()).toEqual(['pl_1/source signature_mismatch 3', 'pl_1/source timestamp_too_old 1']);
    clock.ms += MINUTE_MS;
    await flush();
    process.refusedRequests('cus_a', webhook, { signature_mismatch: 1 });
    await eventually(() => of('cus_a').at(-1)?.minuteMs !== FIRST && counts()?.length === 1);
    expect(counts()).toEqual(['pl_1/source signature_mismatch 1']);
    expect(of('cus_b')).toEqual([]);
  });

  test('keep their places in the minute, whatever else happens to the process, and leave room for it', async () => {
    const { ledger, flush, of } = open();
    const process = ledger.process(shared);
    process.serves(new Set(['cus_a', 'cus_b']));
    process.refusedRequests('cus_a', { ...webhook, sourceId: 'first', title: 'first' }, { too_many: 1 });
    await flush();
    process.event('ended', 'It ended.');
    for (let i = 0; i < 100; i++) process.refusedRequests('cus_a', { ...webhook, sourceId: `s${i}`, title: `source ${i}` }, { too_many: 1 });
    await flush();
    expect(of('cus_a').at(-1)?.events).toHaveLength(17);
    expect(events(of('cus_a'))?.slice(0, 3)).toEqual([
      expect.stringContaining('first refused 1 request:'),
      'ended: It ended.',
      expect.stringContaining('source 0'),
    ]);
    expect(events(of('cus_b'))).toEqual(['ended: It ended.']);
  });

  test('are counted by reason for the metrics', () => {
    const counted: unknown[] = [];
    const { ledger } = open({ onRefusedRequests: ({ connector }, tenantId, reason, count) => counted.push([connector, tenantId, reason, count]) });
    ledger.process(shared).refusedRequests('cus_a', webhook, { signature_mismatch: 2 });
    expect(counted).toEqual([['http', 'cus_a', 'signature_mismatch', 2]]);
  });
});

describe('while NATS is away', () => {
  test('records wait and arrive later, each minute in its last revision', async () => {
    const { ledger, clock, stream, flush, of } = open();
    const process = ledger.process(own);
    stream.isUp = false;
    call(process, CONFIGURE);
    await flush();
    call(process, CONFIGURE);
    await flush();
    clock.ms += MINUTE_MS;
    await flush();
    call(process, CONFIGURE);
    await flush();
    expect(stream.records).toEqual([]);
    expect(ledger.stats()).toEqual({ waiting: 2, dropped: 0 });
    stream.isUp = true;
    await flush();
    expect(of('cus_a').map((record) => [record.minuteMs - FIRST, tally(record, CONFIGURE)?.calls])).toEqual([
      [0, 2],
      [MINUTE_MS, 1],
    ]);
    expect(ledger.stats()).toEqual({ waiting: 0, dropped: 0 });
  });

  test('an hour is kept: older minutes go first and are counted', async () => {
    const { ledger, clock, stream, flush } = open();
    const process = ledger.process(own);
    stream.isUp = false;
    for (let minute = 0; minute < 70; minute++) {
      call(process, CONFIGURE);
      clock.ms += MINUTE_MS;
      await flush();
    }
    const { waiting, dropped } = ledger.stats();
    expect(waiting).toBeLessThanOrEqual(61);
    expect(waiting + dropped).toBe(70);
    stream.isUp = true;
    await flush();
    expect(Math.min(...stream.records.map(({ minuteMs }) => minuteMs))).toBe(FIRST + dropped * MINUTE_MS);
  });

  test('one tenant that cannot be reached is tried once a turn and holds up nobody', async () => {
    const tries: string[] = [];
    const { ledger, clock } = open({
      async publish(tenantId) {
        tries.push(tenantId);
        if (tenantId === 'cus_a') throw new Error('away');
      },
    });
    for (const tenantId of ['cus_a', 'cus_b']) call(ledger.process({ ...own, processId: tenantId, tenantId }), CONFIGURE);
    clock.ms += MINUTE_MS;
    await ledger.drain?.(AbortSignal.timeout(1));
    expect(tries.filter((tenantId) => tenantId === 'cus_b')).toHaveLength(1);
    expect(ledger.stats().waiting).toBe(1);
  });
});

test('messages are told in sums, and the last ones of a process that is gone are not forgotten', async () => {
  const told: [string, number][] = [];
  const { ledger, clock, flush } = open({ onMessages: (_, direction, count) => told.push([direction, count]) });
  const process = ledger.process(own);
  for (let i = 0; i < 1_000; i++) process.attribute('sent', 'cus_a', 1);
  ledger.settle();
  ledger.settle();
  process.attribute('received', 'cus_a', 1);
  process.end();
  clock.ms += MINUTE_MS;
  await flush();
  ledger.settle();
  expect(told).toEqual([
    ['sent', 1_000],
    ['received', 1],
  ]);
});

test('a clock that is set back a little does not write over what was said of the minute before', async () => {
  const { ledger, clock, flush, of } = open();
  const process = ledger.process(own);
  call(process, CONFIGURE);
  clock.ms -= 5_000;
  call(process, CONFIGURE);
  await flush();
  expect(of('cus_a').map((record) => [record.minuteMs, tally(record, CONFIGURE)?.calls])).toEqual([[FIRST, 2]]);
});
