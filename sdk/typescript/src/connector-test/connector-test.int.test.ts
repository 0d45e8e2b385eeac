import { eventually } from '@vrsky/testkit/eventually';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConnectorHarness, startConnector } from '../connector-test.ts';

const module = new URL('./sample.test-support.ts', import.meta.url);
let connector: ConnectorHarness;
beforeAll(async () => {
  connector = await startConnector({ module, name: 'sample' }, { timeoutMs: 5_000 });
});
afterAll(async () => {
  expect(await connector.close()).toEqual({ code: 0, signal: null });
  await expect(connector.describe()).rejects.toThrow();
});

test('a definition says over the real protocol what it is', async () => {
  expect(await connector.describe()).toMatchObject({
    name: 'sample',
    title: 'Sample',
    roles: ['source', 'destination'],
    settingsSchemas: { source: { required: ['texts'] }, destination: { properties: { key: { 'x-vrsky': 'secret' } } } },
  });
  expect(connector.pid).not.toBe(process.pid);
});

test('settings are checked, and tried when asked for', async () => {
  expect(await connector.validate({ role: 'source', settings: { texts: [1] } })).toMatchObject({ errors: [{ path: '/texts/0' }], checks: [] });
  const good = { role: 'source', settings: { texts: [] } } as const;
  expect(await connector.validate(good)).toEqual({ errors: [], checks: [] });
  expect((await connector.validate(good, { probe: true })).checks).toEqual([{ name: 'Try the source', passed: true, detail: 'It works.', durationUs: 0 }]);
});

test('what the source hands over waits for the word that the test gives', async () => {
  connector.credit(2);
  expect(await connector.configure([{ connectionId: 'in', role: 'source', settings: { texts: ['one', 'two'] } }])).toEqual([]);
  const [one, two] = [await connector.received(), await connector.received()];
  expect([one, two].map(({ connectionId, payload, contentType }) => [connectionId, payload.toString(), contentType])).toEqual([
    ['in', 'one', 'text/plain'],
    ['in', 'two', 'text/plain'],
  ]);
  two.ack({ status: 'exhausted', retryAfterMs: 7 });
  one.ack();
  const receipts = await eventually(() => {
    const lines = connector.logs.filter(({ message }) => message === 'receipt');
    return lines.length === 2 && lines;
  });
  expect(receipts.map(({ fields }) => fields)).toMatchObject([
    { text: 'two', status: 'exhausted', retryAfterMs: 7, messageId: '' },
    { text: 'one', status: 'stored', messageId: expect.stringMatching(/^msg_\d+$/) },
  ]);
});

test('a source that says so hands over messages whose senders wait, and hears the result that the test gives', async () => {
  const waiting = { connectionId: 'in', role: 'source', settings: { texts: ['ask'] }, replyWithinMs: 5_000 } as const;
  expect(await connector.configure([waiting])).toEqual([]);
  const asked = await connector.received();
  asked.ack();
  asked.reply({ payload: Buffer.from('made'), contentType: 'text/plain' });
  const line = await eventually(() => connector.logs.find(({ message }) => message === 'reply') ?? false);
  expect(line.fields).toEqual({ text: 'ask', status: 'done', result: 'made' });
  expect(await connector.configure([{ role: 'destination', settings: {}, replyWithinMs: 5_000 }])).toMatchObject([{ errors: [{ path: '' }] }]);
});

test('a stream that breaks leaves its messages unanswered, and the next one is served', async () => {
  await connector.configure([{ connectionId: 'in', role: 'source', settings: { texts: ['lost'] } }]);
  await connector.received();
  connector.disconnect();
  await eventually(() => connector.logs.some(({ fields }) => fields.text === 'lost' && fields.status === 'unavailable'));
  await connector.configure([{ connectionId: 'in', role: 'source', settings: { texts: ['again'] } }]);
  const again = await connector.received();
  expect(again.payload.toString()).toBe('again');
  again.ack();
});

test('a message has its result, and secrets reach the connector alone', async () => {
  const refused = await connector.configure([
    { role: 'destination', settings: { key: { $secret: 'api' } }, secrets: { api: { values: ['hunter2', 'old'], hosts: ['a.test'] } } },
    { connectionId: 'other', role: 'destination', settings: { key: { $secret: 'gone' } } },
  ]);
  expect(refused).toEqual([{ connectionId: 'other', errors: [{ path: '/key', message: 'There is no secret with the name gone.' }] }]);
  const line = await eventually(() => connector.logs.find(({ message }) => message === 'configured') ?? false);
  expect(line.fields).toEqual({ key: '[secret api]', lengths: [7, 3] });
  expect(JSON.stringify(connector.logs)).not.toContain('hunter2');
  const [good, bad] = await Promise.all([connector.send({ payload: 'good', customerId: 'cus_9' }), connector.send({ payload: 'bad' })]);
  expect(good).toMatchObject({ status: 'ok', source: 'downstream' });
  expect(good.peerAnswer.toString()).toMatch(/^cus_9 msg_\d+ good$/);
  expect(bad).toMatchObject({ status: 'permanent', code: 'bad', reason: 'It is bad.' });
});

test('an older generation is refused', async () => {
  await connector.configure([], { generation: 100 });
  await expect(connector.configure([], { generation: 99 })).rejects.toThrow('generation 99 is older than 100');
});

test('what does not come is said with the connector’s log, and what does not start with why', async () => {
  await using hasty = await startConnector({ module, name: 'sample' }, { timeoutMs: 2_000 });
  await expect(hasty.send({ payload: 'hang' })).rejects.toThrow(/^There was no result within 2000 ms\. It wrote nothing\.$/);
  await expect(startConnector({ module, name: 'nothing' })).rejects.toThrow(/has no export nothing/);
  await expect(startConnector({ module: new URL('./nothing.ts', import.meta.url) })).rejects.toThrow(/does not exist/);
  await expect(startConnector({ command: '/bin/true' })).rejects.toThrow(/did not start: .*ended before its handshake \(status 0\)\nIt wrote nothing/s);
});
