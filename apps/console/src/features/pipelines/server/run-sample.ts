import type { RunResponse } from '@vrsky/contracts/run';
import type { TenantContext } from '../../../server/context.ts';
import { askNode } from '../../../server/run/ask-node.ts';
import type { SampleRun } from '../types.ts';
import { compileKept, toModule } from './compile-steps.ts';

export interface SampleArgs {
  kind: 'convert' | 'filter';
  source: string;
  sample: string;
  contentType: string;
}

const STEP_ID = 'sample';

/** Tries a step on a sample, on a node and metered, exactly as it will run once it is published. */
export async function runSample(ctx: TenantContext, args: SampleArgs): Promise<SampleRun> {
  const compiled = await compileKept(args);
  if (!compiled.ok) {
    const [problem] = compiled.problems.filter(({ severity }) => severity === 'error');
    return {
      ...nothing,
      result: 'failed',
      reason: problem?.message ?? 'The code does not compile.',
      line: problem?.line ?? null,
      column: problem?.column ?? null,
    };
  }
  const pipeline = {
    pipelineId: 'sample',
    name: 'Sample',
    revision: 1,
    modules: [toModule(STEP_ID, compiled)],
    steps: [{ id: STEP_ID, name: 'Sample', kind: args.kind }],
  };
  return toSampleRun(await askNode(ctx, pipeline, { payloadBase64: Buffer.from(args.sample).toString('base64'), contentType: args.contentType, headers: {} }));
}

const nothing: SampleRun = { ok: false, result: 'unavailable', output: null, reason: null, line: null, column: null, instructions: 0, durationUs: 0, logs: [] };

function toSampleRun(answer: RunResponse): SampleRun {
  if (!answer.ok) return { ...nothing, reason: answer.reason };
  const [step] = answer.steps;
  if (!step) return { ...nothing, reason: 'The node ran nothing.' };
  const { output } = step;
  return {
    ok: step.result !== 'failed',
    result: step.result,
    output: output && { text: Buffer.from(output.base64, 'base64').toString('utf8'), contentType: output.contentType, bytes: output.bytes },
    reason: step.reason ?? null,
    line: step.line ?? null,
    column: step.column ?? null,
    instructions: step.instructions,
    durationUs: step.durationUs,
    logs: step.logs,
  };
}
