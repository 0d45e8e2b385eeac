import { limits } from './limits.ts';

/** A part that takes the source's message, or with `after` the answer of that destination. */
interface StagedPart {
  id: string;
  name: string;
  after?: string | undefined;
}

interface StagedSpec<Step extends StagedPart, Destination extends StagedPart> {
  steps: readonly Step[];
  destinations: readonly Destination[];
}

/** The parts with one input: its steps in order, then each of its destinations gets the result. */
export interface Stage<Step, Destination> {
  /** The destination whose answer is the input; null: the source's message is. */
  after: string | null;
  steps: Step[];
  destinations: Destination[];
}

/** The parts that take this destination's answer; null: the source's message. */
export function stageAfter<Step extends StagedPart, Destination extends StagedPart>(
  spec: StagedSpec<Step, Destination>,
  after: string | null,
): Stage<Step, Destination> {
  const isOf = (part: StagedPart): boolean => (part.after ?? null) === after;
  return { after, steps: spec.steps.filter(isOf), destinations: spec.destinations.filter(isOf) };
}

/** Every stage, the source's first, each one before those that take its destinations' answers. */
export function listStages<Step extends StagedPart, Destination extends StagedPart>(spec: StagedSpec<Step, Destination>): Stage<Step, Destination>[] {
  const stages = [stageAfter(spec, null)];
  const seen = new Set<string>();
  for (const { destinations } of stages) {
    for (const { id } of destinations) {
      if (seen.has(id)) continue; // a draft may have two parts of one id
      seen.add(id);
      const next = stageAfter(spec, id);
      if (next.destinations.length > 0 || next.steps.length > 0) stages.push(next);
    }
  }
  return stages;
}

/** Whether anything takes this destination's answer. */
export function hasStage(spec: StagedSpec<StagedPart, StagedPart>, destinationId: string): boolean {
  return spec.steps.some(({ after }) => after === destinationId) || spec.destinations.some(({ after }) => after === destinationId);
}

/** What is wrong with the order of stages, each problem at the part whose `after` causes it. */
export function findStageProblems(
  spec: StagedSpec<StagedPart, StagedPart>,
): { path: [list: 'steps' | 'destinations', index: number, field: 'after']; message: string }[] {
  const byId = new Map(spec.destinations.map((destination) => [destination.id, destination]));
  const missing = (after: string): string => `There is no destination with the id ${after}, so there is no answer of it`;
  const problems: ReturnType<typeof findStageProblems> = [];
  for (const [i, { after }] of spec.steps.entries()) {
    if (after === undefined) continue;
    const path = ['steps', i, 'after'] as const;
    const of = byId.get(after);
    if (of === undefined) problems.push({ path: [...path], message: missing(after) });
    else if (!spec.destinations.some((destination) => destination.after === after) && spec.steps.findIndex((step) => step.after === after) === i)
      problems.push({ path: [...path], message: `Add a destination after “${of.name}”: what the step makes of the answer has nowhere to go` });
  }
  for (const [i, destination] of spec.destinations.entries()) {
    const message = chainProblem(destination, byId, missing);
    if (message !== null) problems.push({ path: ['destinations', i, 'after'], message });
  }
  return problems;
}

function chainProblem(destination: StagedPart, byId: ReadonlyMap<string, StagedPart>, missing: (after: string) => string): string | null {
  if (destination.after !== undefined && !byId.has(destination.after)) return missing(destination.after);
  let depth = 0;
  for (let at = destination.after; at !== undefined; at = byId.get(at)?.after) {
    if (at === destination.id) return `“${destination.name}” would wait for its own answer: let it take the message, or the answer of another destination`;
    // A loop that this destination is not part of is told at those that are.
    if (++depth > byId.size) return null;
  }
  return depth > limits.stageDepthMax ? `At most ${limits.stageDepthMax} answers in a row become the input of the next destination` : null;
}
