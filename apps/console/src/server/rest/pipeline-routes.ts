import { type PipelineDraft, pipelineDraftSchema, sourceNameSchema } from '@vrsky/contracts/pipeline-spec';
import { AppError } from '@vrsky/kernel/errors';
import { z } from 'zod';
import { listRefusals } from '../../features/connectors/server/list-refusals.ts';
import { listWaiting } from '../../features/messages/server/list-waiting.ts';
import { rollout } from '../../features/nodes/server/rollout.ts';
import { pipelineNameSchema } from '../../features/pipelines/schema.ts';
import { createPipeline } from '../../features/pipelines/server/create-pipeline.ts';
import { deletePipeline } from '../../features/pipelines/server/delete-pipeline.ts';
import { getPipeline } from '../../features/pipelines/server/get-pipeline.ts';
import { listPipelines } from '../../features/pipelines/server/list-pipelines.ts';
import { publishPipeline } from '../../features/pipelines/server/publish-pipeline.ts';
import { renamePipeline } from '../../features/pipelines/server/rename-pipeline.ts';
import { saveDraft } from '../../features/pipelines/server/save-draft.ts';
import type { DraftProblem, PipelineDetail, PipelineSummary } from '../../features/pipelines/types.ts';
import type { TenantContext } from '../context.ts';
import { asPrecondition, requireVersion, saveMatching } from './draft-version.ts';
import { idParams, noBody, noParams, noQuery, pageQuery } from './parameters.ts';
import { type Route, route } from './route.ts';
import {
  destinationHealthSchema,
  pageOf,
  pipelineSchema,
  pipelineSummarySchema,
  publishedSchema,
  rolloutSchema,
  savedSchema,
  sourceRefusalSchema,
} from './schemas.ts';

const tag = 'Pipelines';
const partsSchema = pipelineDraftSchema.pick({ steps: true, destinations: true, reply: true }).partial();

const newSourceSchema = sourceNameSchema.partial().extend({
  settings: z
    .record(z.string().max(200), z.json())
    .refine((settings) => !Object.hasOwn(settings, 'path'), { path: ['path'], message: 'The path of a new source is made here: leave it out' })
    .optional()
    .describe('Who may send, what is taken and how it is answered; the path is added'),
});

const createBody = z.strictObject({
  name: pipelineNameSchema,
  draft: partsSchema
    .extend({ source: newSourceSchema.optional() })
    .optional()
    .describe('Steps and destinations to begin with, and what the source is to be; its URL is made here'),
});
const updateBody = z
  .strictObject({ name: pipelineNameSchema.optional(), draft: pipelineDraftSchema.optional() })
  .refine((body) => body.name !== undefined || body.draft !== undefined, 'Send a name, a draft, or both');

export const pipelineRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/pipelines',
    id: 'listPipelines',
    tag,
    summary: 'List pipelines, the one changed last first',
    permission: 'pipeline.read',
    params: noParams,
    query: pageQuery,
    body: noBody,
    success: { status: 200, description: 'A page of pipelines', schema: pageOf(pipelineSummarySchema) },
    ifMatch: 'none',
    idempotent: false,
    handle: async (tenant, { query }) => ({ body: pageOfPipelines(await listPipelines(tenant), query) }),
  }),
  route({
    method: 'POST',
    path: '/pipelines',
    id: 'createPipeline',
    tag,
    summary: 'Create a pipeline',
    description: 'Its URL exists at once and takes messages from the first publish on.',
    permission: 'pipeline.write',
    params: noParams,
    query: noQuery,
    body: createBody,
    success: { status: 201, description: 'The pipeline', schema: pipelineSchema },
    ifMatch: 'none',
    idempotent: true,
    handle: async (tenant, { body }) => {
      const { id } = await createPipeline(tenant, { name: body.name });
      if (body.draft) await fill(tenant, id, body.draft);
      const pipeline = await getPipeline(tenant, { id });
      return { body: toPipeline(pipeline), version: pipeline.draftVersion, location: `/pipelines/${id}` };
    },
  }),
  route({
    method: 'GET',
    path: '/pipelines/{id}',
    id: 'getPipeline',
    tag,
    summary: 'Read a pipeline: draft, revisions and its state on each node',
    permission: 'pipeline.read',
    params: idParams,
    query: noQuery,
    body: noBody,
    success: { status: 200, description: 'The pipeline', schema: pipelineSchema },
    ifMatch: 'none',
    idempotent: false,
    handle: async (tenant, { params }) => {
      const pipeline = await getPipeline(tenant, params);
      return { body: toPipeline(pipeline), version: pipeline.draftVersion };
    },
  }),
  route({
    method: 'PATCH',
    path: '/pipelines/{id}',
    id: 'updatePipeline',
    tag,
    summary: 'Rename a pipeline or replace its draft',
    description: 'Changes nothing that runs until it is published. A draft may be unfinished; `problems` lists what stands in the way of publishing.',
    permission: 'pipeline.write',
    params: idParams,
    query: noQuery,
    body: updateBody,
    success: { status: 200, description: 'Saved', schema: savedSchema },
    ifMatch: 'required',
    idempotent: false,
    handle: async (tenant, { params, body, ifMatch }) => {
      const current = await getPipeline(tenant, params);
      requireVersion(current.draftVersion, ifMatch);
      const saved = body.draft
        ? await saveMatching(tenant, { id: params.id, draft: body.draft, draftVersion: current.draftVersion }, ifMatch)
        : { draftVersion: current.draftVersion, problems: [] };
      if (body.name !== undefined) await renamePipeline(tenant, { id: params.id, name: body.name });
      return { body: { id: params.id, ...saved }, version: saved.draftVersion };
    },
  }),
  route({
    method: 'DELETE',
    path: '/pipelines/{id}',
    id: 'deletePipeline',
    tag,
    summary: 'Delete a pipeline',
    description: 'Nodes stop running it; its URL answers 404. Messages and dead letters stay readable until they expire.',
    permission: 'pipeline.write',
    params: idParams,
    query: noQuery,
    body: noBody,
    success: { status: 204, description: 'Deleted', schema: noBody },
    ifMatch: 'optional',
    idempotent: false,
    handle: async (tenant, { params, ifMatch }) => {
      if (ifMatch !== null) requireVersion((await getPipeline(tenant, params)).draftVersion, ifMatch);
      await deletePipeline(tenant, params);
      return { body: undefined };
    },
  }),
  route({
    method: 'POST',
    path: '/pipelines/{id}/publish',
    id: 'publishPipeline',
    tag,
    summary: 'Publish the draft as the next revision',
    description: 'With `If-Match`, only the draft you read is published. Ask for the rollout to see when nodes run it.',
    permission: 'pipeline.publish',
    params: idParams,
    query: noQuery,
    body: noBody,
    success: { status: 200, description: 'The revision', schema: publishedSchema },
    ifMatch: 'optional',
    idempotent: false,
    handle: async (tenant, { params, ifMatch }) => {
      const { draftVersion } = await getPipeline(tenant, params);
      requireVersion(draftVersion, ifMatch);
      const result = await asPrecondition(ifMatch, publishPipeline(tenant, { id: params.id, draftVersion }));
      if (!result.ok) throw notPublishable(result.problems);
      const { ok: _ok, ...published } = result;
      return { body: published };
    },
  }),
  route({
    method: 'GET',
    path: '/pipelines/{id}/rollout',
    id: 'getRollout',
    tag,
    summary: 'Which node runs the published revision, and why one does not',
    permission: 'pipeline.read',
    params: idParams,
    query: noQuery,
    body: noBody,
    success: { status: 200, description: 'One row a node', schema: z.object({ items: z.array(rolloutSchema) }) },
    ifMatch: 'none',
    idempotent: false,
    handle: async (tenant, { params }) => ({ body: { items: await rollout(tenant, params) } }),
  }),
  route({
    method: 'GET',
    path: '/pipelines/{id}/waiting',
    id: 'getPipelineWaiting',
    tag,
    summary: 'Which destination does not take messages, since when, and how many wait',
    permission: 'message.read',
    params: idParams,
    query: noQuery,
    body: noBody,
    success: {
      status: 200,
      description: 'One row a destination that fails, catches up, or did so a short while ago; none while all is well',
      schema: z.object({ items: z.array(destinationHealthSchema) }),
    },
    ifMatch: 'none',
    idempotent: false,
    handle: async (tenant, { params }) => {
      const { id } = await getPipeline(tenant, params);
      return { body: { items: await listWaiting(tenant, { pipelineId: id }) } };
    },
  }),
  route({
    method: 'GET',
    path: '/pipelines/{id}/refusals',
    id: 'getPipelineRefusals',
    tag,
    summary: 'What the source refused in the last 24 hours, and why',
    permission: 'connector.read',
    params: idParams,
    query: noQuery,
    body: noBody,
    success: { status: 200, description: 'One row a reason, the one of the last request first', schema: z.object({ items: z.array(sourceRefusalSchema) }) },
    ifMatch: 'none',
    idempotent: false,
    handle: async (tenant, { params }) => {
      const { id } = await getPipeline(tenant, params);
      return { body: { items: await listRefusals(tenant, { pipelineId: id }) } };
    },
  }),
];

async function fill(tenant: TenantContext, id: string, parts: z.output<typeof createBody>['draft']): Promise<void> {
  const { draft, draftVersion } = await getPipeline(tenant, { id });
  await saveDraft(tenant, {
    id,
    draftVersion,
    draft: {
      ...draft,
      source: { ...draft.source, ...parts?.source, settings: { ...parts?.source?.settings, ...draft.source.settings } } as PipelineDraft['source'],
      steps: parts?.steps ?? [],
      destinations: parts?.destinations ?? [],
      ...(parts?.reply === undefined ? {} : { reply: parts.reply }),
    },
  });
}

function notPublishable(problems: DraftProblem[]): AppError {
  const fields = problems
    .filter((problem) => !problem.warning)
    .flatMap(({ path, message, code }) =>
      code && code.length > 0 ? code.map((item) => ({ path, message: `Line ${item.line}: ${item.message}` })) : [{ path, message }],
    );
  return new AppError({
    code: 'PIPELINE.NOT_PUBLISHABLE',
    kind: 'invalid',
    message: `${fields.length} problems in the draft`,
    publicMessage: 'The draft is not ready to publish. `errors` says what to change.',
    fields,
  });
}

function pageOfPipelines(all: PipelineSummary[], { limit, cursor }: z.output<typeof pageQuery>) {
  // The cursor is the last id of the page before; a tenant's pipelines are few enough to read at once.
  const start = cursor === undefined ? 0 : all.findIndex((item) => item.id === cursor) + 1;
  if (cursor !== undefined && start === 0)
    throw new AppError({
      code: 'CURSOR.INVALID',
      kind: 'invalid',
      message: 'the cursor names no pipeline',
      publicMessage: 'This cursor is not one of ours, or its pipeline was deleted. Start again without a cursor.',
    });
  const items = all.slice(start, start + limit);
  return { items: items.map(toPipelineSummary), nextCursor: start + limit < all.length ? (items.at(-1)?.id ?? null) : null };
}

function toPipelineSummary({ perMinute: _perMinute, shape: _shape, ...summary }: PipelineSummary): z.input<typeof pipelineSummarySchema> {
  return summary;
}

function toPipeline({ perMinute: _perMinute, shape: _shape, ...pipeline }: PipelineDetail): z.input<typeof pipelineSchema> {
  return pipeline;
}
