import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startConnector } from '@vrsky/sdk/connector-test';

// In a process of its own, over the real protocol: the test is in the place of the node.
const module = new URL('../src/connector.ts', import.meta.url);

test('counts, and goes on only when a message is stored', async (t) => {
  const connector = await startConnector({ module });
  t.after(connector.close);
  assert.deepEqual(await connector.configure([{ role: 'source', settings: { everyMs: 10 } }]), []);
  const first = await connector.received();
  first.ack({ status: 'unavailable' });
  const again = await connector.received();
  again.ack();
  const second = await connector.received();
  second.ack();
  assert.deepEqual(
    [first, again, second].map(({ payload }) => JSON.parse(String(payload)).n),
    [1, 1, 2],
  );
});

test('signs a message with the key, and never shows the key', async (t) => {
  const connector = await startConnector({ module });
  t.after(connector.close);
  const settings = { signingKey: { $secret: 'signing' } };
  assert.deepEqual(await connector.configure([{ role: 'destination', settings, secrets: { signing: 'hunter2' } }]), []);
  assert.equal((await connector.send({ payload: '{}' })).status, 'ok');
  assert.equal((await connector.send({ payload: '' })).code, 'empty');
  assert.match(JSON.stringify(connector.logs), /"fingerprint":"[0-9a-f]{64}"/);
  assert.doesNotMatch(JSON.stringify(connector.logs), /hunter2/);
});

test('says what is wrong with settings at their fields', async (t) => {
  const connector = await startConnector({ module });
  t.after(connector.close);
  const { errors } = await connector.validate({ role: 'source', settings: { everyMs: 0, often: true } });
  assert.deepEqual(errors.map(({ path }) => path).sort(), ['/everyMs', '/often']);
});
