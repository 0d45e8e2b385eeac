import type { StepModule } from '@vrsky/contracts/bundle';
import { canonicalJson } from '@vrsky/contracts/canonical-json';
import type { PipelineSpec } from '@vrsky/contracts/pipeline-spec';
import { type TenantTx, withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import { notifyLive } from '../../../server/live-channel.ts';
import type { PublishResult } from '../types.ts';
import { askedProblems, connectorProblems, isBlocking } from './connector-problems.ts';
import { failingFixtures } from './failing-fixtures.ts';
import { draftChanged, getPipelineRow, type PipelineRow, parseDraft } from './pipeline-row.ts';
import { draftHash } from './publishable.ts';
import { validateDraft } from './validate-draft.ts';
import { lockBundle, nextFence, writeBundle } from './write-bundle.ts';

/**
 * Makes the draft the next revision and the tenant's new bundle. Revision, bundle and the order to deliver it commit together: nodes
 * never hear of a revision that is not in the books, and no revision is forgotten on the way to them.
 */
export async function publishPipeline(ctx: TenantContext, { id, draftVersion }: { id: string; draftVersion: number }): Promise<PublishResult> {
  const { tenantId } = ctx;
  const current = await withTenant(ctx.db, tenantId, (tx) => getPipelineRow(tx, tenantId, id));
  if (current.draftVersion !== draftVersion) throw draftChanged(current, draftVersion);
  // Outside the transaction: compiling takes long, and so may fixtures, and nodes that are asked.
  const draft = parseDraft(current);
  const valid = await validateDraft(draft);
  const said = await connectorProblems(ctx, draft);
  if (!valid.ok || said.some(isBlocking)) return { ok: false, problems: [...(valid.ok ? [] : valid.problems), ...said] };
  const asked = [...(await failingFixtures(tenantId, valid)), ...(await askedProblems(ctx, draft))];
  const warnings = [...said, ...asked];
  if (asked.some(isBlocking)) return { ok: false, problems: warnings };
  const published = await withTenant(ctx.db, tenantId, async (tx) => {
    await lockBundle(tx, tenantId);
    const row = await getPipelineRow(tx, tenantId, id);
    if (row.draftVersion !== draftVersion) throw draftChanged(row, draftVersion);
    const standing = await findSame(tx, row, valid);
    return standing ?? (await publish(ctx, tx, row, valid));
  });
  return { ok: true, ...published, warnings };
}

type Published = Omit<PublishResult & { ok: true }, 'ok' | 'warnings'>;

interface Publication {
  spec: PipelineSpec;
  modules: StepModule[];
}

/** Publishing what is published already changes nothing: a second click, a repeated request. */
async function findSame(tx: TenantTx, row: PipelineRow, { spec, modules }: Publication): Promise<Published | null> {
  if (row.publishedRevision === null || row.publishedEpoch === null || row.publishedHash !== draftHash(spec)) return null;
  const revision = await tx.revision.findUniqueOrThrow({
    where: { tenantId_pipelineId_number: { tenantId: row.tenantId, pipelineId: row.id, number: row.publishedRevision } },
  });
  if (revision.name !== row.name || canonicalJson(revision.modules) !== canonicalJson(modules)) return null;
  return { revision: revision.number, epoch: row.publishedEpoch, generation: Number(row.publishedGeneration) };
}

async function publish(ctx: TenantContext, tx: TenantTx, row: PipelineRow, { spec, modules }: Publication): Promise<Published> {
  const { tenantId } = ctx;
  const text = canonicalJson(spec);
  const hash = draftHash(spec);
  const { _max } = await tx.revision.aggregate({ where: { tenantId, pipelineId: row.id }, _max: { number: true } });
  const number = (_max.number ?? 0) + 1;
  await tx.revision.create({
    data: { tenantId, pipelineId: row.id, number, name: row.name, spec: text, hash, modules, createdById: ctx.actor.id, createdByName: ctx.actor.name },
  });
  const fence = await nextFence(tx);
  const published = {
    publishedRevision: number,
    publishedHash: hash,
    publishedEpoch: fence.epoch,
    publishedGeneration: BigInt(fence.generation),
    publishedAt: new Date(),
    updatedAt: new Date(),
  };
  await tx.pipeline.update({ where: { tenantId_id: { tenantId, id: row.id } }, data: published });
  await writeBundle(tx, ctx.platform, tenantId, fence);
  await notifyLive(tx, { tenantId, kind: 'rollout', pipelineId: row.id });
  return { revision: number, ...fence };
}
