import { router, tenantProcedure } from '../../../server/trpc.ts';
import { rollout } from '../../nodes/server/rollout.ts';
import type { RolloutView } from '../../nodes/types.ts';
import { createPipelineInput, pipelineIdInput, publishPipelineInput, renamePipelineInput, saveDraftInput, stepSourceInput } from '../schema.ts';
import type { CompiledView, PipelineDetail, PipelineSummary, PublishResult, SaveResult, StepFiles } from '../types.ts';
import { compileView } from './compile-view.ts';
import { createPipeline } from './create-pipeline.ts';
import { deletePipeline } from './delete-pipeline.ts';
import { getPipeline } from './get-pipeline.ts';
import { listPipelines } from './list-pipelines.ts';
import { publishPipeline } from './publish-pipeline.ts';
import { renamePipeline } from './rename-pipeline.ts';
import { saveDraft } from './save-draft.ts';
import { stepFiles } from './step-files.ts';

export const pipelinesRouter = router({
  list: tenantProcedure('pipeline.read').query(({ ctx }): Promise<PipelineSummary[]> => listPipelines(ctx.tenant)),
  get: tenantProcedure('pipeline.read')
    .input(pipelineIdInput)
    .query(({ ctx, input }): Promise<PipelineDetail> => getPipeline(ctx.tenant, input)),
  rollout: tenantProcedure('pipeline.read')
    .input(pipelineIdInput)
    .query(({ ctx, input }): Promise<RolloutView[]> => rollout(ctx.tenant, input)),
  create: tenantProcedure('pipeline.write')
    .input(createPipelineInput)
    .mutation(({ ctx, input }): Promise<{ id: string }> => createPipeline(ctx.tenant, input)),
  saveDraft: tenantProcedure('pipeline.write')
    .input(saveDraftInput)
    .mutation(({ ctx, input }): Promise<SaveResult> => saveDraft(ctx.tenant, input)),
  rename: tenantProcedure('pipeline.write')
    .input(renamePipelineInput)
    .mutation(({ ctx, input }): Promise<void> => renamePipeline(ctx.tenant, input)),
  delete: tenantProcedure('pipeline.write')
    .input(pipelineIdInput)
    .mutation(({ ctx, input }): Promise<void> => deletePipeline(ctx.tenant, input)),
  publish: tenantProcedure('pipeline.publish')
    .input(publishPipelineInput)
    .mutation(({ ctx, input }): Promise<PublishResult> => publishPipeline(ctx.tenant, input)),
  stepFiles: tenantProcedure('pipeline.read').query((): Promise<StepFiles> => stepFiles()),
  // A mutation by method, since code does not belong into a URL; it changes nothing.
  compileStep: tenantProcedure('pipeline.write')
    .input(stepSourceInput)
    .mutation(({ input }): Promise<CompiledView> => compileView(input)),
});
