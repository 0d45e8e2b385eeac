import { pipelineDraftSchema, stepSchema } from '@vrsky/contracts/pipeline-spec';
import { z } from 'zod';

export const pipelineIdInput = z.strictObject({ id: z.string().min(1).max(64) });
export const pipelineNameSchema = z.string().trim().min(1, 'Give it a name').max(80, 'A name has at most 80 characters');
export const createPipelineInput = z.strictObject({ name: pipelineNameSchema });
export const renamePipelineInput = pipelineIdInput.extend({ name: pipelineNameSchema });
export const saveDraftInput = pipelineIdInput.extend({ draft: pipelineDraftSchema, draftVersion: z.int().min(1) });
export const publishPipelineInput = pipelineIdInput.extend({ draftVersion: z.int().min(1) });

export const stepSourceInput = z.strictObject({
  kind: stepSchema.shape.kind,
  language: stepSchema.shape.language,
  source: stepSchema.shape.source,
});
