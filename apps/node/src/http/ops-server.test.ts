import { expect, test } from 'vitest';
import { createOpsServer } from './ops-server.ts';

const quiet = { error() {} } as never;

test('ready says which part is not and why', async () => {
  let reason: string | null = 'the connector is starting';
  await using server = createOpsServer({
    host: '127.0.0.1',
    port: 0,
    checks: () => ({ connector: reason, bus: null }),
    metrics: async () => ({ contentType: 'text/plain', text: 'vrsky_x 1\n' }),
    log: quiet,
  });
  await server.start?.(new AbortController().signal);
  const get = async (path: string, init?: RequestInit) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, init);
    return { status: response.status, body: await response.text() };
  };
  const ready = async () => {
    const { status, body } = await get('/ready');
    return { status, ...(JSON.parse(body) as object) };
  };
  expect(await ready()).toEqual({ status: 503, ready: false, checks: { connector: 'the connector is starting', bus: 'ok' } });
  reason = null;
  expect(await ready()).toMatchObject({ status: 200, ready: true });
  expect(await get('/live')).toMatchObject({ status: 200 });
  expect(await get('/metrics')).toEqual({ status: 200, body: 'vrsky_x 1\n' });
  expect(await get('/nothing')).toMatchObject({ status: 404 });
  expect(await get('/live', { method: 'POST' })).toMatchObject({ status: 405 });
});
