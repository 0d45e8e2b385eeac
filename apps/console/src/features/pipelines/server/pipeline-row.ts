import { type PipelineDraft, pipelineDraftSchema } from '@vrsky/contracts/pipeline-spec';
import type { TenantTx } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';

export type PipelineRow = NonNullable<Awaited<ReturnType<TenantTx['pipeline']['findFirst']>>>;

/** Another tenant's pipeline, a deleted one and one that never was are the same: not found. */
export async function getPipelineRow(tx: TenantTx, tenantId: string, id: string): Promise<PipelineRow> {
  const row = await tx.pipeline.findFirst({ where: { tenantId, id, deletedAt: null } });
  if (!row) throw pipelineNotFound(id);
  return row;
}

export function pipelineNotFound(id: string): AppError {
  return new AppError({
    code: 'PIPELINE.NOT_FOUND',
    kind: 'not_found',
    message: `there is no pipeline ${id}`,
    publicMessage: 'There is no pipeline under this id. It may have been deleted.',
  });
}

export function parseDraft(row: PipelineRow): PipelineDraft {
  return pipelineDraftSchema.parse(row.draft);
}

/** Refuses to go on from a draft that somebody else has saved meanwhile. */
export function draftChanged(row: { id: string; draftVersion: number }, expected: number): AppError {
  return new AppError({
    code: 'PIPELINE.DRAFT_CHANGED',
    kind: 'conflict',
    message: `draft version ${expected} of ${row.id} was named, and it is at ${row.draftVersion}`,
    publicMessage: 'This draft was saved somewhere else meanwhile. Reload to see the newer one; what you typed here is not saved.',
    details: { draftVersion: row.draftVersion },
  });
}
