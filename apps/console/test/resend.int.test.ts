import { createStreamPublisher } from '@vrsky/bus/publisher';
import { getStored } from '@vrsky/bus/stored';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { isPackProof } from '@vrsky/contracts/proof';
import { streamNames, subjects } from '@vrsky/contracts/subjects';
import { decodeBatch, encodeBatch } from '@vrsky/proto/message-codec';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { deletePipeline } from '../src/features/pipelines/server/delete-pipeline.ts';
import { deriveProofKey } from '../src/features/tenancy/server/tenant-account.ts';
import { rest, trpc } from './calls.ts';
import { projectedMessage, publishedPipeline } from './fixtures.ts';
import { type Rig, startRig } from './rig.ts';

let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig[Symbol.asyncDispose]());

const payload = Buffer.from('{"order":1}');

/** A dead letter as a node leaves it: its entry in the stream DLQ, and its row. */
async function deadLetter(pipelineId: string, more: Record<string, string> = {}): Promise<{ messageId: string; dlqSeq: number }> {
  const nc = await rig.bus.tenant(rig.acme.account);
  const publisher = createStreamPublisher(nc, { timeoutMs: 5_000 });
  const entry = {
    connectionId: `${pipelineId}/source`,
    customerId: rig.acme.context.tenantId,
    pipelineId,
    messageId: 'msg_original',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    headers: [['x-mark', 'one']] as [string, string][],
    payload,
    contentType: 'application/json',
    attempt: 6,
  };
  const { seq } = await publisher.publish(
    subjects.dlq(pipelineId),
    { [packHeaders.connection]: `${pipelineId}/source`, [packHeaders.destination]: 'out', ...more },
    encodeBatch([entry]),
  );
  publisher.close();
  return { messageId: await projectedMessage(rig, rig.acme, pipelineId, { state: 'dead_lettered', dlqSeq: seq }), dlqSeq: seq };
}

async function lastStored() {
  const nc = await rig.bus.tenant(rig.acme.account);
  for (let seq = 50; seq > 0; seq--) {
    const stored = await getStored(nc, streamNames.ingest, seq);
    if (stored) return stored;
  }
  return null;
}

it('a dead letter goes out again as a new message to its one destination, stamped by the platform', async () => {
  const { id: pipelineId } = await publishedPipeline(rig.acme);
  const { messageId, dlqSeq } = await deadLetter(pipelineId);
  const answer = await trpc('mutation', 'deadLetters.resend', { cookie: rig.acme.cookie, tenant: 'acme', input: { messageId, destinationId: 'out' } });
  const again = (answer.data as { messageId: string }).messageId;
  expect(again).toMatch(/^msg_/);
  expect(again).not.toBe(messageId);

  const stored = await lastStored();
  const { tenantId, platform } = rig.acme.context;
  expect(stored?.subject).toBe(subjects.resend(pipelineId));
  expect(stored?.headers).toMatchObject({
    [packHeaders.customerId]: tenantId,
    [packHeaders.pipeline]: pipelineId,
    [packHeaders.revision]: '1',
    [packHeaders.pack]: '1',
    [packHeaders.attempt]: '0',
    [packHeaders.destination]: 'out',
    [packHeaders.replayOf]: String(dlqSeq),
    [packHeaders.msgId]: again,
  });
  expect(isPackProof(stored?.headers[packHeaders.proof] ?? '', deriveProofKey(platform.kek, tenantId), tenantId, pipelineId, [again])).toBe(true);
  const [entry] = decodeBatch(stored?.data ?? new Uint8Array());
  expect(entry).toMatchObject({
    messageId: again,
    customerId: tenantId,
    pipelineId,
    destinationId: 'out',
    attempt: 0,
    contentType: 'application/json',
    headers: [['x-mark', 'one']],
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  });
  expect(Buffer.from(entry?.payload ?? [])).toEqual(payload);

  const listed = await rest('GET', `/dead-letters?pipelineId=${pipelineId}`, { key: rig.acme.apiKey });
  expect(listed.body.items[0]).toMatchObject({ messageId, resentAs: again, resentAt: expect.any(String) });
});

it('an answer that is sent again is still the answer of its destination', async () => {
  const { id: pipelineId } = await publishedPipeline(rig.acme);
  const ofAnswer = { [packHeaders.answerOf]: 'customers', [packHeaders.answerTo]: 'msg_first' };
  const { messageId } = await deadLetter(pipelineId, ofAnswer);
  expect(await rest('POST', `/dead-letters/${messageId}/out/resend`, { key: rig.acme.apiKey })).toMatchObject({ status: 202 });
  expect((await lastStored())?.headers).toMatchObject(ofAnswer);
});

it('to a destination in strict order it goes behind those that wait', async () => {
  const { id: pipelineId } = await publishedPipeline(rig.acme, 'In order', { order: 'strict' });
  const { messageId } = await deadLetter(pipelineId);
  expect((await rest('POST', `/dead-letters/${messageId}/out/resend`, { key: rig.acme.apiKey })).status).toBe(202);
  const stored = await lastStored();
  expect(stored?.subject).toBe(subjects.orderedResend(pipelineId));
  expect(stored?.headers).toMatchObject({ [packHeaders.destination]: 'out', [packHeaders.ordered]: 'out' });
});

it('a double click sends one message', async () => {
  const { id: pipelineId } = await publishedPipeline(rig.acme);
  const { messageId } = await deadLetter(pipelineId);
  const before = (await lastStored())?.seq ?? 0;
  const answers = await Promise.all(Array.from({ length: 4 }, () => rest('POST', `/dead-letters/${messageId}/out/resend`, { key: rig.acme.apiKey })));
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
  expect(new Set(answers.map(({ body }) => body.messageId)).size).toBe(1);
  expect((await lastStored())?.seq).toBe(before + 1);
});

it('what cannot be sent again says why: its content is gone, its pipeline is deleted', async () => {
  const { id: pipelineId } = await publishedPipeline(rig.acme);
  const gone = await projectedMessage(rig, rig.acme, pipelineId, { state: 'dead_lettered', dlqSeq: 9_999 });
  expect(await rest('POST', `/dead-letters/${gone}/out/resend`, { key: rig.acme.apiKey })).toMatchObject({
    status: 412,
    body: { code: 'DEAD_LETTER.EXPIRED' },
  });
  const { messageId } = await deadLetter(pipelineId);
  await deletePipeline(rig.acme.context, { id: pipelineId });
  expect(await rest('POST', `/dead-letters/${messageId}/out/resend`, { key: rig.acme.apiKey })).toMatchObject({
    status: 412,
    body: { code: 'PIPELINE.NOT_RUNNING' },
  });
});
