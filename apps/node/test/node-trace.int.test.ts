import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '@vrsky/testkit/eventually';
import { requestBin } from '@vrsky/testkit/request-bin';
import { expect, test } from 'vitest';
import { startControlPlane } from './control-plane.ts';
import { startNode } from './node-process.ts';

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
}

/** Receives OTLP as JSON, as a collector does. */
async function otlpReceiver() {
  const spans: Span[] = [];
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
    for (const { scopeSpans } of body.resourceSpans) for (const scope of scopeSpans) spans.push(...scope.spans);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const sent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

test("one unbroken trace leads from the sender's request to the delivered one", async () => {
  await using collector = await otlpReceiver();
  await using bin = await requestBin();
  await using plane = await startControlPlane();
  const tenant = await plane.addTenant();
  const pipeline = await plane.pipeline(tenant, {
    to: { out: { url: bin.url } },
    steps: [{ id: 'same', kind: 'convert', source: 'export default (message: Message) => message.text();' }],
  });
  await plane.publish(tenant, [pipeline]);
  await using node = await startNode(plane, {
    egressAllow: [`127.0.0.1:${bin.port}`],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '100' },
  });
  await plane.waitForReport(tenant, ({ applied }) => applied !== null);

  const answer = await node.post(pipeline.path, '{}', { traceparent: sent, tracestate: 'vendor=1' });
  expect(answer.status).toBe(202);
  const [request] = await bin.waitFor(1);
  const spans = await eventually(() => {
    const ofTrace = collector.spans.filter(({ traceId }) => traceId === '4bf92f3577b34da6a3ce929d0e0e4736');
    return ['receive', 'publish', 'process', 'step same', 'deliver'].every((name) => ofTrace.some((span) => span.name === name)) && ofTrace;
  });
  const named = (name: string) => spans.find((span) => span.name === name) as Span;
  expect(named('receive').parentSpanId).toBe('00f067aa0ba902b7');
  expect(named('publish').parentSpanId).toBe(named('receive').spanId);
  expect(named('process').parentSpanId).toBe(named('publish').spanId);
  expect(named('step same').parentSpanId).toBe(named('process').spanId);
  expect(named('deliver').parentSpanId).toBe(named('process').spanId);
  expect(request?.headers).toMatchObject({ traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-${named('deliver').spanId}-01`, tracestate: 'vendor=1' });
  for (const span of spans) expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
  const trail = await plane.waitForOutcome(tenant, String(answer.body['messageId']));
  expect(trail.traceId).toBe('4bf92f3577b34da6a3ce929d0e0e4736');

  // Without a context of the sender, the trace begins with us and is as unbroken.
  const second = await node.post(pipeline.path, '{}');
  const own = await plane.waitForOutcome(tenant, String(second.body['messageId']));
  await eventually(() =>
    ['receive', 'publish', 'process', 'deliver'].every((name) => collector.spans.some((span) => span.traceId === own.traceId && span.name === name)),
  );
  expect((await bin.waitFor(2))[1]?.headers['traceparent']).toContain(own.traceId);
});

test('without an exporter the context still goes through, from the sender or from the message id', async () => {
  await using bin = await requestBin();
  await using plane = await startControlPlane();
  const tenant = await plane.addTenant();
  const pipeline = await plane.pipeline(tenant, { to: { out: { url: bin.url } } });
  await plane.publish(tenant, [pipeline]);
  await using node = await startNode(plane, { egressAllow: [`127.0.0.1:${bin.port}`] });
  await plane.waitForReport(tenant, ({ applied }) => applied !== null);
  await node.post(pipeline.path, '{}', { traceparent: sent });
  const answer = await node.post(pipeline.path, '{}');
  const requests = await bin.waitFor(2);
  const { traceId } = await plane.waitForOutcome(tenant, String(answer.body['messageId']));
  const traces = requests.map(({ headers }) => String(headers['traceparent']).split('-')[1]);
  expect(traces).toContain('4bf92f3577b34da6a3ce929d0e0e4736');
  expect(traces).toContain(traceId);
});
