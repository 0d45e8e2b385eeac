import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rest } from './calls.ts';
import { type Rig, startRig } from './rig.ts';

let rig: Rig;
let key: string;

beforeAll(async () => {
  rig = await startRig();
  key = rig.acme.apiKey;
});
afterAll(() => rig[Symbol.asyncDispose]());

const body = {
  kind: 'convert',
  language: 'typescript',
  source: 'export default function (msg) {\n  return { id: msg.json().id };\n}\n',
  fixtures: [{ name: 'an order', input: { payload: '{"id":1}' }, expect: { outcome: 'ok', output: '{"id":1}' } }],
};

async function newPipeline(): Promise<string> {
  const destinations = [{ id: 'out', name: 'Out', connector: 'http', settings: { url: 'https://api.example.com/orders' } }];
  const steps = [{ id: 'first', name: 'First', kind: 'filter', language: 'typescript', source: 'export default () => true;\n', sample: '{"kept":1}' }];
  const created = await rest('POST', '/pipelines', { key, body: { name: 'Steps', draft: { steps, destinations } } });
  return `/pipelines/${created.body.id}`;
}

describe('a step over REST', () => {
  it('is added to the draft, replaced under its id and published; its neighbours, its name and its sample stay', async () => {
    const path = await newPipeline();
    const added = await rest('PUT', `${path}/steps/second`, { key, body });
    expect(added).toMatchObject({ status: 200, body: { draftVersion: 3, problems: [] } });
    expect(added.headers.get('etag')).toBe('"3"');
    const replaced = await rest('PUT', `${path}/steps/first`, { key, body: { ...body, fixtures: [] } });
    expect(replaced.status).toBe(200);
    const { draft } = (await rest('GET', path, { key })).body;
    expect(draft.steps).toMatchObject([
      { id: 'first', name: 'First', kind: 'convert', source: body.source, sample: '{"kept":1}', fixtures: [] },
      { id: 'second', name: 'second', kind: 'convert', source: body.source, fixtures: [{ name: 'an order' }] },
    ]);
    expect(draft.destinations).toHaveLength(1);
    expect(await rest('POST', `${path}/publish`, { key, headers: { 'if-match': replaced.headers.get('etag') as string } })).toMatchObject({
      status: 200,
      body: { revision: 1 },
    });
  });

  it('takes the answer of a destination that it names, and goes on doing so when only its code is put', async () => {
    const path = await newPipeline();
    expect((await rest('PUT', `${path}/steps/second`, { key, body: { ...body, after: 'out' } })).body.problems).toMatchObject([
      { path: '/steps/1/after', partId: 'second', message: expect.stringContaining('Add a destination after “Out”') },
    ]);
    await rest('PUT', `${path}/steps/second`, { key, body });
    expect((await rest('GET', path, { key })).body.draft.steps).toMatchObject([{ id: 'first' }, { id: 'second', after: 'out' }]);
  });

  it('is refused under an old ETag, with another id than ids have, and in a pipeline of somebody else', async () => {
    const path = await newPipeline();
    expect(await rest('PUT', `${path}/steps/second`, { key, body, headers: { 'if-match': '"1"' } })).toMatchObject({
      status: 412,
      body: { code: 'PIPELINE.OUT_OF_DATE' },
    });
    expect((await rest('PUT', `${path}/steps/Second`, { key, body })).status).toBe(400);
    expect((await rest('PUT', `${path}/steps/second`, { key: rig.globex.apiKey, body })).status).toBe(404);
    expect((await rest('PUT', `${path}/steps/second`, { key, body: { ...body, source: 'x'.repeat(1_048_577) } })).status).toBe(400);
    expect((await rest('GET', path, { key })).body.draftVersion).toBe(2);
  });

  it('saves code that does not compile, and says at which line', async () => {
    const path = await newPipeline();
    const saved = await rest('PUT', `${path}/steps/second`, { key, body: { ...body, source: 'export default () =>\n  nothing;\n' } });
    expect(saved).toMatchObject({ status: 200, body: { problems: [{ partId: 'second', code: [{ line: 2 }] }] } });
  });

  it('with a fixture that fails is saved and not published, with the reason', async () => {
    const path = await newPipeline();
    const fixtures = [{ name: 'an order', input: { payload: '{"id":1}' }, expect: { outcome: 'ok', output: '{"id":2}' } }];
    await rest('PUT', `${path}/steps/second`, { key, body: { ...body, fixtures } });
    const refused = await rest('POST', `${path}/publish`, { key });
    expect(refused).toMatchObject({
      status: 400,
      body: { code: 'PIPELINE.NOT_PUBLISHABLE', errors: [{ path: '/steps/1/fixtures/0', message: expect.stringContaining('an order') }] },
    });
    expect((await rest('GET', path, { key })).body.publishedRevision).toBeNull();
  });
});
