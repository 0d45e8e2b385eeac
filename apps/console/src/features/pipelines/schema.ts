import { limits } from '@vrsky/contracts/limits';
import { pipelineDraftSchema } from '@vrsky/contracts/pipeline-spec';
import { z } from 'zod';

export const pipelineIdInput = z.strictObject({ id: z.string().min(1).max(64) });
export const pipelineNameSchema = z.string().trim().min(1, 'Give it a name').max(80, 'A name has at most 80 characters');
export const createPipelineInput = z.strictObject({ name: pipelineNameSchema });
export const renamePipelineInput = pipelineIdInput.extend({ name: pipelineNameSchema });
export const saveDraftInput = pipelineIdInput.extend({ draft: pipelineDraftSchema, draftVersion: z.int().min(1) });
export const publishPipelineInput = pipelineIdInput.extend({ draftVersion: z.int().min(1) });

export const stepCodeInput = z.strictObject({
  kind: z.enum(['convert', 'filter']),
  source: z.string().max(limits.stepSourceBytesMax, `A step has at most ${limits.stepSourceBytesMax} characters`),
});
export const sampleInput = stepCodeInput.extend({
  sample: z.string().max(65_536, 'A sample has at most 65,536 characters'),
  contentType: z.string().max(200).default('application/json'),
});
