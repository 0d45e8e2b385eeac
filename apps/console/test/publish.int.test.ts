import { canonicalJson, contentHash } from '@vrsky/contracts/canonical-json';
import { openEnvelope } from '@vrsky/contracts/signed';
import { withTenant } from '@vrsky/db/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPipeline } from '../src/features/pipelines/server/create-pipeline.ts';
import { deletePipeline } from '../src/features/pipelines/server/delete-pipeline.ts';
import { getPipeline } from '../src/features/pipelines/server/get-pipeline.ts';
import { listPipelines } from '../src/features/pipelines/server/list-pipelines.ts';
import { publishPipeline } from '../src/features/pipelines/server/publish-pipeline.ts';
import { renamePipeline } from '../src/features/pipelines/server/rename-pipeline.ts';
import { saveDraft } from '../src/features/pipelines/server/save-draft.ts';
import { publishedPipeline } from './fixtures.ts';
import { type Rig, startRig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

const acme = () => rig.acme.context;
const destination = {
  id: 'out',
  name: 'Out',
  connector: 'http' as const,
  settings: { url: 'https://example.test/orders', method: 'POST' as const, headers: [], timeoutMs: 1_000 },
  retry: { attempts: 2, initialMs: 50, maxMs: 50 },
};
const step = (source: string) => ({ id: 'reshape', name: 'Reshape', kind: 'convert' as const, language: 'typescript' as const, source });

const fixtureOf = (input: unknown, output: unknown) => ({
  name: 'an order',
  input: { payload: JSON.stringify(input), encoding: 'utf8' as const, contentType: 'application/json', headers: {} },
  expect: { outcome: 'ok' as const, output: JSON.stringify(output), encoding: 'utf8' as const },
});

async function draftOf(id: string) {
  const { draft, draftVersion } = await getPipeline(acme(), { id });
  return { draft, draftVersion };
}

/** Everything that publishing writes, as the worker would find it. */
async function written() {
  const { tenantId } = acme();
  return withTenant(rig.platformDb, tenantId, async (tx) => ({
    revisions: await tx.revision.findMany({ where: { tenantId } }),
    outbox: await tx.outbox.count({ where: { tenantId } }),
    bundle: await tx.bundle.findFirstOrThrow({ where: { tenantId } }),
  }));
}

describe('a draft', () => {
  it('of a new pipeline has a source whose URL exists at once, and is not published', async () => {
    const { id } = await createPipeline(acme(), { name: 'New' });
    const detail = await getPipeline(acme(), { id });
    expect(detail.ingestUrl).toMatch(/\/in\/in_[0-9a-z]{24}$/);
    expect(detail).toMatchObject({ state: 'draft', publishedRevision: null, hasUnpublishedChanges: true, draftVersion: 1, rollout: [], revisions: [] });
    expect(detail.perMinute).toHaveLength(60);
  });

  it('is saved unfinished, with a sentence for everything that keeps it from being published', async () => {
    const { id } = await createPipeline(acme(), { name: 'Unfinished' });
    const { draft, draftVersion } = await draftOf(id);
    const broken = {
      ...draft,
      steps: [step('export default function (message) {\n  return message.;\n}')],
      destinations: [{ ...destination, settings: { ...destination.settings, url: 'nowhere' } }],
    };
    const saved = await saveDraft(acme(), { id, draftVersion, draft: broken });
    expect(saved.draftVersion).toBe(2);
    expect(saved.problems.map((problem) => [problem.path, problem.partId])).toEqual([
      ['/destinations/0/settings/url', 'out'],
      ['/steps/0/source', 'reshape'],
    ]);
    expect(saved.problems[1]?.code?.[0]).toMatchObject({ line: 2, severity: 'error' });
    const result = await publishPipeline(acme(), { id, draftVersion: 2 });
    expect(result).toEqual({ ok: false, problems: saved.problems });
  });

  it('that somebody else saved meanwhile is not overwritten, and of two saves at once one wins', async () => {
    const { id } = await createPipeline(acme(), { name: 'Contested' });
    const { draft, draftVersion } = await draftOf(id);
    const saves = await Promise.allSettled(
      ['a', 'b', 'c'].map((name) => saveDraft(acme(), { id, draftVersion, draft: { ...draft, source: { ...draft.source, name } } })),
    );
    expect(saves.map((save) => save.status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    await expect(saveDraft(acme(), { id, draftVersion, draft })).rejects.toMatchObject({ code: 'PIPELINE.DRAFT_CHANGED', kind: 'conflict' });
  });

  it("cannot take another pipeline's URL", async () => {
    const [mine, other] = [await createPipeline(acme(), { name: 'Mine' }), await createPipeline(rig.globex.context, { name: 'Theirs' })];
    const theirs = await getPipeline(rig.globex.context, { id: other.id });
    const { draft, draftVersion } = await draftOf(mine.id);
    await expect(saveDraft(acme(), { id: mine.id, draftVersion, draft: { ...draft, source: theirs.draft.source } })).rejects.toMatchObject({
      code: 'PIPELINE.FOREIGN_PATH',
    });
  });
});

describe('publishing', () => {
  it('writes an immutable revision, a signed bundle and the order to deliver it, all or nothing', async () => {
    const before = await written();
    const { id, draftVersion } = await publishedPipeline(rig.acme, 'Whole');
    const after = await written();
    expect(after.outbox).toBe(before.outbox + 1);
    const revision = after.revisions.find((row) => row.pipelineId === id);
    expect(revision).toMatchObject({ number: 1, createdByName: acme().actor.name });
    expect(contentHash(revision?.spec ?? '')).toBe(revision?.hash);
    expect(canonicalJson(JSON.parse(revision?.spec ?? ''))).toBe(revision?.spec);

    const bundle = JSON.parse(openEnvelope('bundle', after.bundle.envelope, acme().platform.trustedKeys));
    expect(bundle).toMatchObject({ tenantId: acme().tenantId, pool: 'shared', epoch: 1, generation: Number(after.bundle.generation) });
    expect(bundle.pipelines.find((item: { pipelineId: string }) => item.pipelineId === id)).toMatchObject({ name: 'Whole', revision: 1, hash: revision?.hash });
    expect(after.bundle.generation).toBeGreaterThan(before.bundle.generation);
    expect((await getPipeline(acme(), { id })).hasUnpublishedChanges).toBe(false);

    // A bundle over the limit makes the whole publication fail: nothing of it may stay.
    const failing = {
      ...acme(),
      platform: { ...acme().platform, bundleKey: { keyId: 'x'.repeat(5_000_000), privateKey: acme().platform.bundleKey.privateKey } },
    };
    const { draft } = await draftOf(id);
    const saved = await saveDraft(acme(), { id, draftVersion, draft: { ...draft, steps: [step('export default (message) => message.json()')] } });
    await expect(publishPipeline(failing, { id, draftVersion: saved.draftVersion })).rejects.toMatchObject({ code: 'BUNDLE.TOO_LARGE' });
    expect(await written()).toEqual(after);
  });

  it('carries compiled steps without samples and fixtures, which the revision keeps', async () => {
    const { id } = await createPipeline(acme(), { name: 'Stepped' });
    const { draft, draftVersion } = await draftOf(id);
    const fixture = fixtureOf({ a: 'fixture@example.test' }, { a: 'fixture@example.test' });
    const stepped = { ...step('export default (message) => message.json()'), sample: 'somebody@example.test', fixtures: [fixture] };
    const saved = await saveDraft(acme(), { id, draftVersion, draft: { ...draft, steps: [stepped], destinations: [destination] } });
    expect(saved.problems).toEqual([]);
    expect(await publishPipeline(acme(), { id, draftVersion: saved.draftVersion })).toMatchObject({ ok: true, revision: 1 });
    expect((await getPipeline(acme(), { id })).hasUnpublishedChanges).toBe(false);
    const { bundle, revisions } = await written();
    const pipeline = JSON.parse(openEnvelope('bundle', bundle.envelope, acme().platform.trustedKeys)).pipelines.find(
      (item: { pipelineId: string }) => item.pipelineId === id,
    );
    expect(pipeline.modules).toEqual([{ stepId: 'reshape', format: 'script', code: expect.any(String), sha256: contentHash(pipeline.modules[0].code) }]);
    expect(contentHash(canonicalJson(pipeline.spec))).toBe(pipeline.hash);
    expect(bundle.envelope).not.toContain('@example.test');
    expect(revisions.find((row) => row.pipelineId === id)?.spec).toMatch(
      /somebody@example.test.*fixture@example.test|fixture@example.test.*somebody@example.test/,
    );
  });

  it('is stopped by a fixture that fails, with the reason where the fixture is', async () => {
    const { id } = await createPipeline(acme(), { name: 'Fixtures' });
    const { draft, draftVersion } = await draftOf(id);
    const good = fixtureOf({ a: 1 }, { a: 1 });
    const endless = {
      ...step('export default (message) => { for (let i = 0; ; i++) if (i < 0) return message.json(); }'),
      id: 'endless',
      fixtures: [fixtureOf({}, {})],
    };
    const steps = [{ ...step('export default (message) => message.json()'), fixtures: [good, fixtureOf({ a: 1 }, { a: 2 })] }, endless];
    const saved = await saveDraft(acme(), { id, draftVersion, draft: { ...draft, steps, destinations: [destination] } });
    expect(saved.problems).toEqual([]);
    expect(await publishPipeline(acme(), { id, draftVersion: saved.draftVersion })).toEqual({
      ok: false,
      problems: [
        { path: '/steps/0/fixtures/1', partId: 'reshape', message: 'The fixture “an order” of “Reshape” fails. a is 1, not 2' },
        { path: '/steps/1/fixtures/0', partId: 'endless', message: expect.stringContaining('more than 20,000,000 instructions') },
      ],
    });
    expect((await getPipeline(acme(), { id })).publishedRevision).toBeNull();
  });

  it('the same again is the same revision; a change is the next one', async () => {
    const { id, draftVersion } = await publishedPipeline(rig.acme, 'Twice');
    const again = await publishPipeline(acme(), { id, draftVersion });
    expect(again).toMatchObject({ ok: true, revision: 1 });
    const { draft } = await draftOf(id);
    const saved = await saveDraft(acme(), { id, draftVersion, draft: { ...draft, source: { ...draft.source, name: 'Changed' } } });
    expect((await getPipeline(acme(), { id })).hasUnpublishedChanges).toBe(true);
    await expect(publishPipeline(acme(), { id, draftVersion })).rejects.toMatchObject({ code: 'PIPELINE.DRAFT_CHANGED' });
    expect(await publishPipeline(acme(), { id, draftVersion: saved.draftVersion })).toMatchObject({ ok: true, revision: 2 });
    expect((await getPipeline(acme(), { id })).revisions.map((item) => item.number)).toEqual([2, 1]);
  });

  it('many pipelines at once loses none of them', async () => {
    const made = await Promise.all(Array.from({ length: 6 }, (_, i) => publishedPipeline(rig.globex, `Parallel ${i}`)));
    const { tenantId, platform } = rig.globex.context;
    const row = await rig.platformDb.prisma.bundle.findFirstOrThrow({ where: { tenantId } });
    const bundle = JSON.parse(openEnvelope('bundle', row.envelope, platform.trustedKeys));
    expect(bundle.pipelines.map((item: { pipelineId: string }) => item.pipelineId).sort()).toEqual(made.map((item) => item.id).sort());
    const generations = await rig.platformDb.prisma.pipeline.findMany({
      where: { tenantId, publishedRevision: { not: null } },
      select: { publishedGeneration: true },
    });
    expect(new Set(generations.map((item) => item.publishedGeneration)).size).toBe(6);
  });
});

describe('a pipeline', () => {
  it('that was deleted is gone from the lists and the bundle, and a second time not found', async () => {
    const { id } = await publishedPipeline(rig.acme, 'Short-lived');
    await deletePipeline(acme(), { id });
    expect((await listPipelines(acme())).map((item) => item.id)).not.toContain(id);
    expect((await written()).bundle.envelope).not.toContain(id);
    await expect(deletePipeline(acme(), { id })).rejects.toMatchObject({ code: 'PIPELINE.NOT_FOUND' });
    await expect(getPipeline(acme(), { id })).rejects.toMatchObject({ code: 'PIPELINE.NOT_FOUND' });
  });

  it('is renamed at once', async () => {
    const { id } = await createPipeline(acme(), { name: 'Old name' });
    await renamePipeline(acme(), { id, name: 'New name' });
    expect((await listPipelines(acme())).find((item) => item.id === id)?.name).toBe('New name');
  });
});
