import type { RunRequest, RunResponse } from '@vrsky/contracts/run';
import { openEnvelope } from '@vrsky/contracts/signed';
import { subjects } from '@vrsky/contracts/subjects';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trpc } from './calls.ts';
import { projectedMessage, publishedPipeline } from './fixtures.ts';
import { type Rig, startRig } from './rig.ts';

let rig: Rig;
let pipelineId: string;
let messageId: string;

beforeAll(async () => {
  rig = await startRig();
  ({ id: pipelineId } = await publishedPipeline(rig.acme));
  messageId = await projectedMessage(rig, rig.acme, pipelineId, { seq: 42 });
});
afterAll(() => rig[Symbol.asyncDispose]());

/** Answers run requests in a node's place, and shows what was asked. */
async function nodeThatAnswers(response: RunResponse): Promise<AsyncDisposable & { asked: RunRequest[] }> {
  const nc = await rig.bus.tenant(rig.acme.account);
  const asked: RunRequest[] = [];
  const subscription = nc.subscribe(subjects.run('shared'), {
    callback: (_error, message) => {
      // As a node does: what is not signed for this purpose is not even read.
      asked.push(JSON.parse(openEnvelope('run', message.string(), rig.acme.context.platform.trustedKeys)));
      message.respond(JSON.stringify(response));
    },
  });
  await nc.flush();
  return { asked, [Symbol.asyncDispose]: async () => subscription.unsubscribe() };
}

const payloads = (input: { id: string }) => trpc('query', 'messages.payloads', { cookie: rig.acme.cookie, tenant: 'acme', input });

describe('recomputed payloads', () => {
  it("ask a node, by signed request, for the message's address with the revision it ran with", async () => {
    const text = 'é'.repeat(200_000);
    await using node = await nodeThatAnswers({
      ok: true,
      input: { base64: Buffer.from([0, 1, 255]).toString('base64'), bytes: 3, contentType: 'application/octet-stream', headers: { 'x-a': '1' }, messageId },
      steps: [
        {
          id: 's',
          result: 'failed',
          instructions: 12,
          durationUs: 3,
          output: { base64: Buffer.from(text).toString('base64'), bytes: 400_000, contentType: 'text/plain' },
          logs: ['hello'],
          reason: 'It threw.',
          line: 3,
        },
      ],
    });
    const { data } = await payloads({ id: messageId });
    expect(node.asked).toEqual([
      {
        v: 1,
        tenantId: rig.acme.context.tenantId,
        pool: 'shared',
        issuedAtMs: expect.any(Number),
        pipeline: { pipelineId, name: 'Orders', revision: 1, modules: [], steps: [] },
        input: { seq: 42, index: 0 },
      },
    ]);
    expect(data).toMatchObject({
      ok: true,
      input: { text: null, base64: 'AAH/', bytes: 3 },
      inputHeaders: { 'x-a': '1' },
      steps: [{ result: 'failed', instructions: 12, logs: ['hello'], reason: 'It threw.', line: 3, output: { bytes: 400_000 } }],
    });
    // Cut where it is still text.
    expect((data as { steps: { output: { text: string } }[] }).steps[0]?.output.text).toBe('é'.repeat(131_072));
  });

  it('say so when no node answers, or when the input is gone', async () => {
    expect((await payloads({ id: messageId })).data).toEqual({ ok: false, reason: expect.stringContaining('No node answers') });
    await using _node = await nodeThatAnswers({ ok: false, code: 'RUN.INPUT_GONE', reason: 'The input is no longer kept.' });
    expect((await payloads({ id: messageId })).data).toEqual({ ok: false, reason: 'The input is no longer kept.' });
  });
});

describe('a sample', () => {
  const run = (source: string) =>
    trpc('mutation', 'pipelines.runSample', { cookie: rig.acme.cookie, tenant: 'acme', input: { kind: 'convert', source, sample: '{"a":1}' } });

  it('runs on a node with the compiled step and nothing stored', async () => {
    await using node = await nodeThatAnswers({
      ok: true,
      input: { base64: '', bytes: 7, contentType: 'application/json', headers: {}, messageId: '' },
      steps: [
        {
          id: 'sample',
          result: 'ok',
          instructions: 99,
          durationUs: 10,
          output: { base64: Buffer.from('{"b":1}').toString('base64'), bytes: 7, contentType: 'application/json' },
          logs: [],
        },
      ],
    });
    const { data } = await run('export default function (message) { return { b: message.json().a }; }');
    expect(data).toMatchObject({ ok: true, result: 'ok', output: { text: '{"b":1}', contentType: 'application/json' }, instructions: 99 });
    expect(node.asked[0]).toMatchObject({
      input: { payloadBase64: Buffer.from('{"a":1}').toString('base64'), contentType: 'application/json' },
      pipeline: { steps: [{ id: 'sample', kind: 'convert' }], modules: [{ stepId: 'sample' }] },
    });
  });

  it('that does not compile says where, without asking a node', async () => {
    const { data } = await run('export default function (message) {\n  return message.;\n}');
    expect(data).toMatchObject({ ok: false, result: 'failed', line: 2, reason: expect.any(String) });
  });

  it('without a node is unavailable, not an error', async () => {
    const { data } = await run('export default function () { return 1; }');
    expect(data).toMatchObject({ ok: false, result: 'unavailable', reason: expect.stringContaining('No node answers') });
  });
});
