import { fileURLToPath } from 'node:url';
import type { ConnectorCalls } from '@vrsky/contracts/connector-calls';
import { describeError } from '@vrsky/kernel/errors';
import { createLog, type Log } from '@vrsky/kernel/log';
import { eventually } from '@vrsky/testkit/eventually';
import { findLeaks } from '@vrsky/testkit/find-leaks';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMetrics } from '../metrics.ts';
import { createCallLedger } from './call-ledger.ts';
import { type ConnectorHost, createConnectorHost } from './connector-host.ts';
import type { ConnectorConnection } from './connector-session.ts';
import { releaseAt } from './fixtures/release.test-support.ts';
import { createCallMetrics } from './process-metrics.ts';

// A connector that says in every way it can what it was told in confidence: its secrets and its settings.

const canaries = {
  secret: 'kanarie+secret/of=the"tenant\\1',
  older: 'kanarie-older-version',
  password: 'kanarie-password-2',
  bearer: 'kanarie-bearer-3',
  address: 'kanarie-address-4',
};
const plain = 'this is no secret';

const out: unknown[] = [];
const events: unknown[] = [];
const records: ConnectorCalls[] = [];
const metrics = createMetrics();
let text = '';
let host: ConnectorHost;

const log = createLog('test', 'silent');
/** What a real log writes, kept. */
const keptLog: Log = pino({ level: 'trace' }, { write: (line: string) => (text += line) });

const ledger = createCallLedger({
  nodeId: 'nod_1',
  log,
  async publish(_, record) {
    records.push(record);
  },
  ...createCallMetrics(metrics),
});

const connection = (more: Record<string, unknown> = {}): ConnectorConnection => ({
  connectionId: 'pip_1/out',
  tenantId: 'cus_a',
  role: 'destination',
  settings: {
    token: { $secret: 'api' },
    password: canaries.password,
    headers: [{ name: 'Authorization', value: `Bearer ${canaries.bearer}` }],
    url: `https://user:${canaries.address}@example.com/`,
    note: plain,
    ...more,
  },
  secrets: [
    {
      name: 'api',
      versions: [
        { version: 2, open: () => Buffer.from(canaries.secret) },
        { version: 1, open: () => Buffer.from(canaries.older) },
      ],
      hosts: ['example.com'],
    },
  ],
});
const send = (payload: string) =>
  host.send(
    {
      ...{ connectionId: 'pip_1/out', customerId: 'cus_a', pipelineId: 'pip_1', messageId: 'msg_1', traceparent: '', tracestate: '', attempt: 1 },
      ...{ headers: [], payload: Buffer.from(payload), contentType: 'text/plain' },
    },
    10_000,
  );

beforeAll(async () => {
  const seat = ledger.seat({ connector: 'leaky', tenantId: 'cus_a' });
  host = createConnectorHost({
    name: 'leaky',
    tenantId: 'cus_a',
    release: releaseAt(fileURLToPath(import.meta.resolve('@vrsky/plugin/fixtures/leaky'))),
    env: {},
    credit: 10,
    openCalls: ({ digest }) => seat.open(digest),
    onEvent(event) {
      seat.event(event);
      events.push(event);
    },
    log: keptLog,
  });
  await host.start?.(new AbortController().signal);
});
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await ledger[Symbol.asyncDispose]();
});

describe('what a connector was told in confidence', () => {
  test('is not in its answers: field errors, checks, results, and what failed', async () => {
    out.push(await host.configure(1, [connection({ refuse: true })]));
    expect(out[0]).toMatchObject([{ connectionId: 'pip_1/out', errors: [{ message: expect.stringContaining('[secret]') }] }]);
    out.push(await host.check(connection(), false, 10_000));
    await host.check(connection(), true, 10_000).then(
      () => expect.unreachable('it answers with an error'),
      (error: Error) => out.push(describeError(error), error.stack, JSON.stringify(error), error),
    );
    await host.configure(2, [connection({ fail: true })]).then(
      () => expect.unreachable('it answers with an error'),
      (error: Error) => out.push(describeError(error), error.stack, (error.cause as Error).stack, JSON.stringify(error.cause)),
    );
    await host.configure(3, [connection()]);
    const outcome = await send('hello');
    expect(outcome).toMatchObject({ status: 'permanent', code: 'leaked', reason: expect.stringContaining('[secret]') });
    out.push(outcome, Buffer.from(outcome.peerAnswer).toString());
    const said = JSON.stringify(out);
    expect(said).toContain(plain);
    expect(findLeaks({ out: said, errors: out.map(String).join('\n') }, canaries)).toEqual([]);
  });

  test('is not in the log, neither before nor after it has crashed, and is told to the next process alone', async () => {
    expect(await send('crash')).toMatchObject({ status: 'retryable', source: 'plugin' });
    await eventually(() => host.state().restarts === 1 && host.state().state === 'running');
    expect(await send('hello')).toMatchObject({ code: 'leaked' });
    await eventually(() => text.includes('last words'));
    for (const way of ['I was told', 'in plain words', 'printed', 'last words']) expect(text).toContain(way);
    expect(text).toContain(plain);
    expect(findLeaks({ log: text }, canaries)).toEqual([]);
  });

  test('is not in the books, the events, the state and the metrics', async () => {
    await host.drain?.(AbortSignal.timeout(5_000)).catch((error: unknown) => out.push(describeError(error)));
    await ledger.drain?.(AbortSignal.timeout(5_000));
    expect(records.flatMap((record) => record.events.map(({ kind }) => kind))).toEqual(expect.arrayContaining(['started', 'ended']));
    expect(records.flatMap(({ methods }) => methods.map(({ method }) => method))).toContain('/vrsky.connector.v1.Connector/Configure');
    ledger.settle();
    const shown = { records: JSON.stringify(records), events: JSON.stringify(events), state: JSON.stringify(host.state()), out: JSON.stringify(out) };
    expect(findLeaks({ ...shown, metrics: await metrics.registry.metrics() }, canaries)).toEqual([]);
    expect(await metrics.registry.metrics()).toContain('vrsky_plugin_rpc_failures_total{connector="leaky"');
  });

  test('would be found: the search sees each value in each encoding, and the connector had them all', () => {
    for (const [name, value] of Object.entries(canaries)) {
      const bytes = Buffer.from(value);
      for (const written of [
        value,
        bytes.toString('base64'),
        bytes.toString('base64url'),
        bytes.toString('hex'),
        encodeURIComponent(value),
        JSON.stringify(value),
      ])
        expect(findLeaks({ somewhere: `… ${written} …` }, canaries)).toEqual([{ where: 'somewhere', canary: name }]);
    }
  });
});
