import { pipelineDraftSchema, stepSchema } from '@vrsky/contracts/pipeline-spec';
import { z } from 'zod';
import { getPipeline } from '../../features/pipelines/server/get-pipeline.ts';
import { requireVersion, saveMatching } from './draft-version.ts';
import { idParams, noQuery } from './parameters.ts';
import { type Route, route } from './route.ts';
import { savedSchema } from './schemas.ts';

const { id: stepIdSchema, name, kind, after, language, source, sample, fixtures } = stepSchema.shape;

const stepBody = z.strictObject({
  name: name.optional().describe('Left out, a step keeps its name; a new one is named by its id'),
  kind,
  after: after.describe('The destination whose answer it takes; left out, a step keeps its input, and a new one takes what comes in'),
  language,
  source: source.describe('The code; for `wasm` the module in base64'),
  sample,
  fixtures: fixtures.describe('Inputs and what the step must make of them; left out, a step keeps its own'),
});

export const stepRoutes: Route[] = [
  route({
    method: 'PUT',
    path: '/pipelines/{id}/steps/{stepId}',
    id: 'putStep',
    tag: 'Pipelines',
    summary: 'Put code into one step of the draft',
    description:
      'Replaces the step with this id, or adds it as the last one; everything else of the draft stays. Nothing that runs changes until it is published; `problems` lists what stands in the way.',
    permission: 'pipeline.write',
    params: idParams.extend({ stepId: stepIdSchema }),
    query: noQuery,
    body: stepBody,
    success: { status: 200, description: 'Saved', schema: savedSchema },
    ifMatch: 'optional',
    idempotent: false,
    handle: async (tenant, { params: { id, stepId }, body, ifMatch }) => {
      const { draft, draftVersion } = await getPipeline(tenant, { id });
      requireVersion(draftVersion, ifMatch);
      const at = draft.steps.findIndex((step) => step.id === stepId);
      const step = { ...(at < 0 ? { id: stepId, name: stepId } : draft.steps[at]), ...body };
      // Once more as a whole: a source has a length that depends on its language, and a pipeline has room for so many steps.
      const changed = pipelineDraftSchema.parse({ ...draft, steps: at < 0 ? [...draft.steps, step] : draft.steps.with(at, step as never) });
      const saved = await saveMatching(tenant, { id, draft: changed, draftVersion }, ifMatch);
      return { body: { id, ...saved }, version: saved.draftVersion };
    },
  }),
];
