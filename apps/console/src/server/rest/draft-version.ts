import type { PipelineDraft } from '@vrsky/contracts/pipeline-spec';
import { AppError, isAppError } from '@vrsky/kernel/errors';
import { saveDraft } from '../../features/pipelines/server/save-draft.ts';
import type { SaveResult } from '../../features/pipelines/types.ts';
import type { TenantContext } from '../context.ts';

// What `If-Match` means for a draft.

export function requireVersion(version: number, ifMatch: number | null): void {
  if (ifMatch !== null && ifMatch !== version) throw outOfDate();
}

/** Saves a draft that was made from version `draftVersion`. */
export async function saveMatching(
  tenant: TenantContext,
  { id, draft, draftVersion }: { id: string; draft: PipelineDraft; draftVersion: number },
  ifMatch: number | null,
): Promise<SaveResult> {
  return asPrecondition(ifMatch, saveDraft(tenant, { id, draft, draftVersion }));
}

/** A draft that changed while we worked is, to a caller with `If-Match`, the same as one that had changed before. */
export async function asPrecondition<T>(ifMatch: number | null, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (ifMatch !== null && isAppError(error) && error.code === 'PIPELINE.DRAFT_CHANGED') throw outOfDate(error);
    throw error;
  }
}

function outOfDate(cause?: unknown): AppError {
  return new AppError({
    code: 'PIPELINE.OUT_OF_DATE',
    kind: 'precondition',
    message: 'If-Match names another version of the draft',
    publicMessage: 'The pipeline was changed since you read it. Read it again, and send its new ETag.',
    cause,
  });
}
