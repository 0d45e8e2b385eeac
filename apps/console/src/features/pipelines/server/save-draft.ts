import { isHttp, type PipelineDraft } from '@vrsky/contracts/pipeline-spec';
import { withTenant } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import type { TenantContext } from '../../../server/context.ts';
import { notifyLive } from '../../../server/live-channel.ts';
import type { SaveResult } from '../types.ts';
import { connectorProblems } from './connector-problems.ts';
import { draftChanged, getPipelineRow } from './pipeline-row.ts';
import { draftHash } from './publishable.ts';
import { validateDraft } from './validate-draft.ts';

export interface SaveDraftArgs {
  id: string;
  draft: PipelineDraft;
  /** The version this draft was made from. */
  draftVersion: number;
}

/** Saves a draft, unfinished or not, unless somebody saved another one meanwhile; then says what keeps it from being published. */
export async function saveDraft(ctx: TenantContext, { id, draft, draftVersion }: SaveDraftArgs): Promise<SaveResult> {
  const { tenantId } = ctx;
  const saved = await withTenant(ctx.db, tenantId, async (tx) => {
    const row = await getPipelineRow(tx, tenantId, id);
    if (isHttp(draft.source) && draft.source.settings.path !== row.inletPath) throw foreignPath(id);
    // The version in the condition, not only in the comparison: two saves at once must not both win.
    const { count } = await tx.pipeline.updateMany({
      where: { tenantId, id, draftVersion, deletedAt: null },
      data: { draft, draftHash: draftHash(draft), draftVersion: draftVersion + 1, updatedAt: new Date() },
    });
    if (count === 0) throw draftChanged(row, draftVersion);
    await notifyLive(tx, { tenantId, kind: 'pipelines', pipelineId: id });
    return draftVersion + 1;
  });
  const valid = await validateDraft(draft);
  return { draftVersion: saved, problems: [...(valid.ok ? [] : valid.problems), ...(await connectorProblems(ctx, draft))] };
}

/** Else a tenant could have its pipeline answer at another's URL. */
function foreignPath(id: string): AppError {
  const sentence = 'The URL of a source is made by the console and stays with its pipeline.';
  return new AppError({
    code: 'PIPELINE.FOREIGN_PATH',
    kind: 'invalid',
    message: `a draft of ${id} names a source path that is not its own`,
    publicMessage: sentence,
    fields: [{ path: '/draft/source/settings/path', message: sentence }],
  });
}
