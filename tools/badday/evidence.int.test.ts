import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { eventually } from '@vrsky/testkit/eventually';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type OtlpCollector, type Span, startOtlpCollector } from './otlp-collector.ts';
import { type Platform, START_MS, startPlatform } from './platform.ts';
import { type Family, parsePrometheusText } from './prometheus-text.ts';
import { type Pipeline, send } from './tenant.ts';

// What can be seen from outside of the way of a message: its trace, its bytes, and the metrics.

let collector: OtlpCollector;
let platform: Platform;

beforeAll(async () => {
  collector = await startOtlpCollector();
  platform = await startPlatform({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '100' } });
}, START_MS);
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  await collector?.[Symbol.asyncDispose]();
});
beforeEach(({ onTestFailed }) => onTestFailed(() => console.error(platform.logs())));

test("one trace leads from the sender's request over every hop into the receiver's, and the trail names it", { timeout: 120_000 }, async () => {
  const { acme, receiver } = platform;
  const inbox = receiver.at('traced');
  const pipeline = await acme.publish({
    name: 'Traced',
    steps: [{ id: 'same', kind: 'convert', source: 'export default (message: Message) => message.text();' }],
    to: { out: { url: inbox.url } },
  });
  const [traceId, senderSpan] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
  const id = await send(pipeline.ingestUrl, '{}', { traceparent: `00-${traceId}-${senderSpan}-01`, tracestate: 'vendor=1' });

  const hops = ['receive', 'publish', 'process', 'step same', 'deliver'];
  const spans = await eventually(
    () => {
      const found = collector.spans.filter((span) => span.traceId === traceId);
      return hops.every((name) => found.some((span) => span.name === name)) && found;
    },
    { timeoutMs: 30_000, what: 'a span of every hop' },
  );
  const named = (name: string): Span => spans.find((span) => span.name === name) as Span;
  expect(Object.fromEntries(hops.map((name) => [name, named(name).parentSpanId]))).toEqual({
    receive: senderSpan,
    publish: named('receive').spanId,
    process: named('publish').spanId,
    'step same': named('process').spanId,
    deliver: named('process').spanId,
  });
  // In one piece: every parent is the sender or another span of the trace, and nothing ends before it begins.
  const known = new Set([senderSpan, ...spans.map(({ spanId }) => spanId)]);
  for (const span of spans) {
    expect(known, span.name).toContain(span.parentSpanId);
    expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
  }
  expect(inbox.requests().map(({ headers }) => headers)).toMatchObject([
    { traceparent: `00-${traceId}-${named('deliver').spanId}-01`, tracestate: 'vendor=1' },
  ]);
  expect(await acme.trail(id)).toMatchObject({ traceId, state: 'delivered' });
  const found = await acme.get<{ items: { id: string }[] }>(`/messages?search=${traceId}`);
  expect(found.items.map((item) => item.id)).toEqual([id]);

  // Without a context of the sender, the trace begins with us, is sampled, and is as whole.
  const own = await acme.trail(await send(pipeline.ingestUrl, '{}'));
  await eventually(() => hops.every((name) => collector.spans.some((span) => span.traceId === own.traceId && span.name === name)), {
    timeoutMs: 30_000,
    what: 'a span of every hop',
  });
  expect(inbox.requests()[1]?.headers.traceparent).toContain(own.traceId);
});

test('every payload of @octokit/webhooks-examples arrives byte for byte through a pass-through pipeline', { timeout: 180_000 }, async ({ annotate }) => {
  const { acme, receiver } = platform;
  const inbox = receiver.at('github');
  const pipeline = await acme.publish({ name: 'GitHub', to: { out: { url: inbox.url } } });
  const payloads = githubPayloads();
  expect(payloads.length).toBeGreaterThan(300);
  const sent = new Map<string, Buffer>();
  const queue = payloads.values();
  const sender = async (): Promise<void> => {
    for (const payload of queue) sent.set(await send(pipeline.ingestUrl, payload), payload);
  };
  await Promise.all(Array.from({ length: 32 }, sender));
  await eventually(() => inbox.requests().length >= payloads.length, { timeoutMs: 60_000, everyMs: 100, what: `${payloads.length} payloads to arrive` });

  // The Idempotency-Key of a request names its message.
  const arrived = new Map(inbox.requests().map(({ headers, body }) => [/msg_[0-9a-z]+/.exec(String(headers['idempotency-key']))?.[0], body]));
  expect([...sent].filter(([id, payload]) => arrived.get(id)?.equals(payload) !== true).map(([id]) => id)).toEqual([]);
  expect(new Set(inbox.requests().map(({ headers }) => headers['content-type']))).toEqual(new Set(['application/json']));
  await annotate(`${payloads.length} payloads, ${payloads.reduce((sum, { length }) => sum + length, 0)} bytes`);
});

/** Each payload of the package once, of github.com and of every version of GitHub Enterprise in it. */
function githubPayloads(): Buffer<ArrayBuffer>[] {
  const folder = path.dirname(createRequire(import.meta.url).resolve('@octokit/webhooks-examples/package.json'));
  const texts = new Set<string>();
  for (const file of globSync('*/index.json', { cwd: folder })) {
    const events = JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as { examples: unknown[] }[];
    for (const { examples } of events) for (const example of examples) texts.add(JSON.stringify(example, null, 2));
  }
  return [...texts].map((text) => Buffer.from(text));
}

describe('metrics', () => {
  const families = { node: new Map<string, Family>(), console: new Map<string, Family>() };
  let pipeline: Pipeline;

  beforeAll(async () => {
    const { acme, receiver, stack } = platform;
    const inbox = receiver.at('counted');
    inbox.behave(({ body }) => ({ status: body.includes('refused') ? 400 : 200 }));
    const source = "export default (message: Message) => (message.text().includes('dropped') ? 'not wanted' : true);";
    pipeline = await acme.publish({ name: 'Counted', steps: [{ id: 'keep', kind: 'filter', source }], to: { out: { url: inbox.url } } });
    for (const body of ['"fine"', '"dropped"', '"refused"']) await acme.trail(await send(pipeline.ingestUrl, body));
    for (const name of ['node', 'console'] as const) {
      const response = await fetch(stack.dev.metrics[name]);
      expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
      for (const [family, content] of parsePrometheusText(await response.text())) families[name].set(family, content);
    }
  });

  test('of node and console are valid Prometheus text, named as its users expect', () => {
    for (const [name, { type }] of [...families.node, ...families.console]) {
      // Ours, or the names that every Node process has.
      expect(name).toMatch(/^(vrsky|process|nodejs)_/);
      if (!/nodejs_|process_/.test(name)) expect(name.endsWith('_total'), `${name} is a ${type}`).toBe(type === 'counter');
    }
  });

  test.each([
    ['node', 'vrsky_messages_total'],
    ['console', 'vrsky_projected_messages_total'],
  ] as const)('of the %s count messages by outcome, each under its own name', (name, metric) => {
    const outcomes = valuesOf(families[name], metric).filter(({ labels }) => labels.tenant === undefined || labels.tenant === platform.acme.customerId);
    for (const outcome of ['delivered', 'filtered', 'dead_lettered']) {
      expect(outcomes.filter(({ labels, value }) => labels.outcome === outcome && value >= 1).length, outcome).toBeGreaterThan(0);
    }
  });

  test('of the node tell duration and instructions of steps', () => {
    expect(theValue(families.node, 'vrsky_step_duration_seconds', { kind: 'filter' }, '_count')).toBeGreaterThanOrEqual(3);
    expect(theValue(families.node, 'vrsky_step_instructions', { kind: 'filter' }, '_count')).toBeGreaterThanOrEqual(3);
    expect(theValue(families.node, 'vrsky_step_instructions_total', { tenant: platform.acme.customerId })).toBeGreaterThan(1_000);
  });

  test('of the node tell the age of its queues, and what its connectors use', () => {
    expect(theValue(families.node, 'vrsky_queue_age_seconds', { pipeline: pipeline.id })).toBeGreaterThanOrEqual(0);
    for (const role of ['source', 'destination']) {
      expect(theValue(families.node, 'vrsky_plugin_cpu_seconds_total', { connector: 'http', role })).toBeGreaterThan(0);
      expect(theValue(families.node, 'vrsky_plugin_rss_bytes', { connector: 'http', role })).toBeGreaterThan(10_000_000);
    }
  });

  test('of both tell which configuration is wanted, and of the node which one it runs', () => {
    const applied = theValue(families.node, 'vrsky_config_generation', { tenant: platform.acme.customerId, state: 'applied' });
    expect(applied).toBeGreaterThan(0);
    expect(theValue(families.node, 'vrsky_config_generation', { tenant: platform.acme.customerId, state: 'desired' })).toBe(applied);
    expect(theValue(families.console, 'vrsky_config_generation_desired', { pool: 'shared' })).toBeGreaterThanOrEqual(applied);
  });

  test('have a bounded number of series, and no id of a message in a label', () => {
    for (const { series } of [...families.node.values(), ...families.console.values()]) {
      expect(series.length).toBeLessThan(2_000);
      for (const { labels } of series) expect(Object.values(labels).filter((value) => value.startsWith('msg_'))).toEqual([]);
    }
  });
});

function valuesOf(families: Map<string, Family>, name: string): Family['series'] {
  const family = families.get(name);
  if (family === undefined) throw new Error(`there is no ${name} among ${[...families.keys()].join(', ')}`);
  return family.series;
}

/** The value of the one series of a family that has these labels. */
function theValue(families: Map<string, Family>, name: string, labels: Record<string, string>, suffix = ''): number {
  const found = valuesOf(families, name).filter(
    (series) => series.name === `${name}${suffix}` && Object.entries(labels).every(([label, value]) => series.labels[label] === value),
  );
  expect(found, `${name} ${JSON.stringify(labels)}`).toHaveLength(1);
  return found[0]?.value ?? Number.NaN;
}
