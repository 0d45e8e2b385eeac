import type { StepModule } from '@vrsky/contracts/bundle';
import { type PipelineDraft, type PipelineSpec, pipelineSpecSchema } from '@vrsky/contracts/pipeline-spec';
import type { DraftProblem } from '../types.ts';
import { compileKept, toModule } from './compile-steps.ts';

/** `spec` has samples and fixtures still. */
export type ValidDraft = { ok: true; spec: PipelineSpec; modules: StepModule[] } | { ok: false; problems: DraftProblem[] };

/** Everything that keeps a draft from being published: a sentence at each field, and each step's code problems at their lines. */
export async function validateDraft(draft: PipelineDraft): Promise<ValidDraft> {
  const parsed = pipelineSpecSchema.safeParse(draft);
  const problems: DraftProblem[] = parsed.success
    ? []
    : parsed.error.issues.map((issue) => ({ path: toPointer(issue.path), partId: findPartId(draft, issue.path), message: issue.message }));
  const modules: StepModule[] = [];
  for (const [i, step] of draft.steps.entries()) {
    const compiled = await compileKept(step);
    if (compiled.ok) modules.push(toModule(step.id, compiled));
    else
      problems.push({
        path: `/steps/${i}/source`,
        partId: step.id,
        message: codeSentence(
          step.name,
          compiled.problems.filter((problem) => problem.severity === 'error'),
        ),
        code: compiled.problems,
      });
  }
  return parsed.success && problems.length === 0 ? { ok: true, spec: parsed.data, modules } : { ok: false, problems };
}

function codeSentence(name: string, errors: { line: number; message: string }[]): string {
  const [first] = errors;
  if (!first) return `The code of “${name}” cannot be used.`;
  const more = errors.length > 1 ? ` There ${errors.length === 2 ? 'is 1 more problem' : `are ${errors.length - 1} more problems`}.` : '';
  return `The code of “${name}” has a problem in line ${first.line}: ${first.message}${/[.!?]$/.test(first.message) ? '' : '.'}${more}`;
}

function toPointer(path: PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The part a path leads into: the source, which what its senders wait for belongs to, a step or a destination. */
function findPartId(draft: PipelineDraft, path: PropertyKey[]): string | null {
  const [kind, index] = path;
  if (kind === 'source' || kind === 'reply') return draft.source.id;
  if (kind === 'steps' || kind === 'destinations') return draft[kind][Number(index)]?.id ?? null;
  return null;
}
