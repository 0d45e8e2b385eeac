import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { createIdentity } from '@vrsky/plugin/certificate';
import { freePort } from '@vrsky/testkit/ports';
import { afterEach, expect, test } from 'vitest';
import { createGuard } from './egress.ts';
import { type ProbeOptions, probeReceiver } from './probe.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function probe(url: string, more: Partial<ProbeOptions> & { allow?: string[] } = {}) {
  const guard = createGuard({ allow: new Set(more.allow ?? [new URL(url).host]) });
  return probeReceiver({ url: new URL(url), guard, timeoutMs: 5_000, deadline: new AbortController().signal, ...more });
}

test('a receiver is looked up and connected to, and no byte is sent to it', async () => {
  let bytes = 0;
  const ended = Promise.withResolvers<void>();
  const port = await listen(
    createServer((socket) => {
      socket.on('data', (chunk) => {
        bytes += chunk.length;
      });
      socket.on('close', () => ended.resolve());
    }),
  );
  const checks = await probe(`http://localhost:${port}/orders`);
  expect(checks).toMatchObject([
    { name: 'Resolve localhost', passed: true, detail: expect.stringMatching(/^localhost is .*127\.0\.0\.1/), durationUs: expect.any(Number) },
    { name: `Connect to localhost:${port}`, passed: true, detail: '127.0.0.1 accepts connections.' },
  ]);
  await ended.promise;
  expect(bytes).toBe(0);
});

test.each([
  ['http://127.0.0.1:1/', [[/^Connect to 127/, /^127\.0\.0\.1:1 is a private or internal address/]]],
  ['http://localhost:1/', [[/^Resolve localhost/, /is a private or internal address/]]],
  ['http://[::1]:1/', [[/^Connect to ::1/, /is a private or internal address/]]],
  ['http://nothing.invalid/', [[/^Resolve nothing\.invalid/, /^The name nothing\.invalid (is not known|could not be looked up)/]]],
])('%s is not reached, and nothing is found out about it', async (url, wanted) => {
  const checks = await probe(url, { allow: [] });
  expect(checks.map(({ name, passed, detail }) => [name, passed, detail])).toEqual(
    wanted.map(([name, detail]) => [expect.stringMatching(name as RegExp), false, expect.stringMatching(detail as RegExp)]),
  );
});

test('a port on which nobody listens is said to be one', async () => {
  const port = await freePort();
  expect(await probe(`http://127.0.0.1:${port}/`)).toMatchObject([{ passed: false, detail: `Nothing accepts connections at 127.0.0.1:${port}.` }]);
});

test('a receiver that accepts and never speaks TLS costs its time limit', async () => {
  const port = await listen(createServer());
  const checks = await probe(`https://127.0.0.1:${port}/`, { timeoutMs: 200 });
  expect(checks).toMatchObject([{ passed: true }, { name: 'Agree on TLS', passed: false, detail: expect.stringContaining('did not answer within 200 ms') }]);
});

test('a certificate counts, and what is wrong with it is said', async () => {
  const { keyPem, certPem } = createIdentity();
  const port = await listen(createTlsServer({ key: keyPem, cert: certPem }));
  expect((await probe(`https://localhost:${port}/`)).at(-1)).toMatchObject({ passed: false, detail: expect.stringContaining('signed by itself') });
  const good = await probe(`https://localhost:${port}/`, { tls: { ca: certPem } });
  expect(good.map(({ passed }) => passed)).toEqual([true, true, true]);
  expect(good[2]?.detail).toMatch(/^TLSv1\.3; the certificate is valid until \d{4}-\d\d-\d\d\.$/);
});
