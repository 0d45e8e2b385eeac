import { createHash } from 'node:crypto';
import type { RunRequest, RunResponse } from '@vrsky/contracts/run';
import { openEnvelope } from '@vrsky/contracts/signed';
import { subjects } from '@vrsky/contracts/subjects';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveStepFile } from '../src/features/pipelines/server/serve-step-file.ts';
import type { StepFiles } from '../src/features/pipelines/types.ts';
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
          split: { decode: 5, logic: 4, encode: 3 },
          durationUs: 3,
          output: { base64: Buffer.from(text).toString('base64'), bytes: 400_000, contentType: 'text/plain' },
          logs: ['hello'],
          reason: 'It threw.',
          line: 3,
        },
        { id: 't', result: 'filtered', instructions: 7, durationUs: 1, output: null, logs: [], reason: 'not paid', route: 'unpaid' },
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
      steps: [
        {
          result: 'failed',
          instructions: 12,
          split: { decode: 5, logic: 4, encode: 3 },
          logs: ['hello'],
          reason: 'It threw.',
          line: 3,
          output: { bytes: 400_000 },
        },
        { result: 'filtered', reason: 'not paid', route: 'unpaid', split: null },
      ],
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

describe('what the step editor runs with', () => {
  it('is served under names made of the content, to be kept for good', async () => {
    const { data } = await trpc('query', 'pipelines.stepFiles', { cookie: rig.acme.cookie, tenant: 'acme' });
    const { engine, types } = data as StepFiles;
    for (const { url, bytes } of [engine, types]) {
      const name = url.split('/').at(-1) ?? '';
      const response = await serveStepFile(new Request(`http://console.test${url}`), { params: Promise.resolve({ name }) });
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      const body = await response.bytes();
      expect(body).toHaveLength(bytes);
      expect(name).toContain(createHash('sha256').update(body).digest('hex').slice(0, 20));
      if (name.endsWith('.wasm')) expect(WebAssembly.validate(body)).toBe(true);
      else expect(JSON.parse(new TextDecoder().decode(body))).toMatchObject({ sdk: expect.stringContaining('defineConvert'), globals: expect.any(String) });
    }
    const gone = await serveStepFile(new Request('http://console.test/'), { params: Promise.resolve({ name: 'engine-0.wasm' }) });
    expect(gone.status).toBe(404);
  });

  it('compiles on request what a page cannot, or says where the code is wrong', async () => {
    const compile = (input: object) => trpc('mutation', 'pipelines.compileStep', { cookie: rig.acme.cookie, tenant: 'acme', input });
    const source = 'export default function (msg: Message) {\n  return { b: msg.json().a };\n}';
    expect((await compile({ kind: 'convert', language: 'typescript', source })).data).toMatchObject({ ok: true, format: 'script', problems: [] });
    const wrong = await compile({ kind: 'convert', language: 'typescript', source: source.replace('json', 'jsn') });
    expect(wrong.data).toMatchObject({ ok: false, problems: [{ line: 2, severity: 'error' }] });
  });
});
