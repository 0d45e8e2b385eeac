import type { DestinationSpec, PipelineDraft, ReplySpec, SourceSpec, StepSpec } from '@vrsky/contracts/pipeline-spec';
import { hasStage, listStages, stageAfter } from '@vrsky/contracts/stages';
import { starterOf } from './starters.ts';

/** `index`: in the draft's list of its kind. */
export type DraftPart =
  | { kind: 'source'; part: SourceSpec }
  | { kind: 'step'; part: StepSpec; index: number }
  | { kind: 'destination'; part: DestinationSpec; index: number };

/** All parts in the order a message meets them; what takes a destination's answer comes right behind that destination. */
export function partsOf(draft: PipelineDraft): DraftPart[] {
  return [{ kind: 'source', part: draft.source }, ...stageParts(draft, null, true), ...strayParts(draft).map((part) => toPart(draft, part))];
}

/** The parts that take the answer of a destination, or with null what comes in; `deep`: with what takes their answers. */
export function stageParts(draft: PipelineDraft, after: string | null, deep = false): Exclude<DraftPart, { kind: 'source' }>[] {
  const found: ReturnType<typeof stageParts> = [];
  const entered = new Set<string | null>(); // what others wrote into a draft may go round in circles
  const enter = (input: string | null): void => {
    entered.add(input);
    const { steps, destinations } = stageAfter(draft, input);
    for (const part of [...steps, ...destinations]) {
      found.push(toPart(draft, part));
      if (deep && hasStage(draft, part.id) && !entered.has(part.id)) enter(part.id);
    }
  };
  enter(after);
  return found;
}

/** Parts that take an answer which is never given; the server says so at each of them. */
export function strayParts(draft: PipelineDraft): (StepSpec | DestinationSpec)[] {
  const placed = new Set<unknown>(listStages(draft).flatMap(({ steps, destinations }) => [...steps, ...destinations]));
  return [...draft.steps, ...draft.destinations].filter((part) => !placed.has(part));
}

function toPart(draft: PipelineDraft, part: StepSpec | DestinationSpec): Exclude<DraftPart, { kind: 'source' }> {
  return 'connector' in part
    ? { kind: 'destination', part, index: draft.destinations.indexOf(part) }
    : { kind: 'step', part, index: draft.steps.indexOf(part) };
}

export function findPart(draft: PipelineDraft, id: string): DraftPart | null {
  return partsOf(draft).find((item) => item.part.id === id) ?? null;
}

/** Adds a step behind the others and says which id it got. With `after` it takes the answer of that destination. */
export function addStep(draft: PipelineDraft, kind: StepSpec['kind'], after?: string): { draft: PipelineDraft; id: string } {
  const id = freeId(draft, kind);
  const name = kind === 'convert' ? 'Convert' : 'Filter';
  const step: StepSpec = { id, name, kind, language: 'typescript', source: starterOf(kind, 'typescript'), ...inputOf(after) };
  return { draft: { ...draft, steps: [...draft.steps, step] }, id };
}

export function addDestination(draft: PipelineDraft, url: string, after?: string): { draft: PipelineDraft; id: string } {
  const id = freeId(draft, 'http-out');
  const destination: DestinationSpec = {
    id,
    name: 'HTTP request',
    connector: 'http',
    settings: { url, method: 'POST', headers: [], timeoutMs: 10_000 },
    retry: { attempts: 6, initialMs: 1_000, maxMs: 60_000 },
    ...inputOf(after),
  };
  return { draft: { ...draft, destinations: [...draft.destinations, destination] }, id };
}

/** Adds a destination of another connector than HTTP. */
export function addConnector(
  draft: PipelineDraft,
  { name, title, settings }: { name: string; title: string; settings: Record<string, never> },
  after?: string,
): { draft: PipelineDraft; id: string } {
  const id = freeId(draft, name);
  const destination: DestinationSpec = {
    id,
    name: title.slice(0, 80),
    connector: name,
    settings,
    retry: { attempts: 6, initialMs: 1_000, maxMs: 60_000 },
    ...inputOf(after),
  };
  return { draft: { ...draft, destinations: [...draft.destinations, destination] }, id };
}

function inputOf(after: string | undefined): { after?: string } {
  return after === undefined ? {} : { after };
}

/** The source stays: a pipeline without one receives nothing. With a destination goes what takes its answer. */
export function removePart(draft: PipelineDraft, id: string): PipelineDraft {
  const gone = new Set([id, ...stageParts(draft, id, true).map(({ part }) => part.id)]);
  return { ...draft, steps: draft.steps.filter((step) => !gone.has(step.id)), destinations: draft.destinations.filter((one) => !gone.has(one.id)) };
}

/** Moves a step or destination among those of its kind that have the same input; at an end it stays where it is. */
export function movePart(draft: PipelineDraft, id: string, by: 1 | -1): PipelineDraft {
  return { ...draft, steps: moved(draft.steps, id, by), destinations: moved(draft.destinations, id, by) };
}

/** Whether it can be moved there. */
export function canMove(draft: PipelineDraft, id: string, by: 1 | -1): boolean {
  const { steps, destinations } = movePart(draft, id, by);
  return steps !== draft.steps || destinations !== draft.destinations;
}

/** The destinations whose answer a part may take: none that comes behind it. */
export function answersFor(draft: PipelineDraft, id: string): DestinationSpec[] {
  const behind = new Set([id, ...stageParts(draft, id, true).map(({ part }) => part.id)]);
  return draft.destinations.filter((destination) => !behind.has(destination.id));
}

export function updateSource(draft: PipelineDraft, change: Partial<SourceSpec>): PipelineDraft {
  return { ...draft, source: changed(draft.source, change) };
}

/** What senders wait for; undefined: they are answered as soon as their message is stored. */
export function updateReply({ reply: _, ...draft }: PipelineDraft, reply: ReplySpec | undefined): PipelineDraft {
  return reply === undefined ? draft : { ...draft, reply };
}

export function updateStep(draft: PipelineDraft, id: string, change: Partial<StepSpec>): PipelineDraft {
  return { ...draft, steps: draft.steps.map((step) => (step.id === id ? withoutAbsent({ ...step, ...change }) : step)) };
}

export function updateDestination(draft: PipelineDraft, id: string, change: Partial<DestinationSpec>): PipelineDraft {
  return { ...draft, destinations: draft.destinations.map((destination) => (destination.id === id ? changed(destination, change) : destination)) };
}

function changed<Part extends SourceSpec | DestinationSpec>(part: Part, change: Partial<Part>): Part {
  return withoutAbsent({ ...part, ...change });
}

/** What is taken back, a release, an order or an input, leaves no trace: the draft is then what it was before. */
function withoutAbsent<Part extends object>(part: Part): Part {
  return Object.fromEntries(Object.entries(part).filter(([, value]) => value !== undefined)) as Part;
}

/** The JSON Pointer under which the server reports problems of a part. */
export function pointerOf(draft: PipelineDraft, id: string): string {
  const found = findPart(draft, id);
  if (!found || found.kind === 'source') return '/source';
  return `/${found.kind === 'step' ? 'steps' : 'destinations'}/${found.index}`;
}

function moved<T extends { id: string; after?: string | undefined }>(items: T[], id: string, by: 1 | -1): T[] {
  const from = items.findIndex((item) => item.id === id);
  const item = items[from];
  if (!item) return items;
  let to = from + by;
  while (items[to] !== undefined && items[to]?.after !== item.after) to += by;
  const other = items[to];
  return other === undefined ? items : items.with(from, other).with(to, item);
}

function freeId(draft: PipelineDraft, base: string): string {
  const taken = new Set(partsOf(draft).map((item) => item.part.id));
  if (!taken.has(base)) return base;
  let n = 2;
  while (taken.has(`${base}-${n}`)) n++;
  return `${base}-${n}`;
}

/** Where a problem of the server leads: the part, and which fixture of it. */
export function placeOfProblem({ path, partId }: { path: string; partId: string | null }): { partId: string; fixture: number | null } | null {
  if (partId === null) return null;
  const fixture = /^\/steps\/\d+\/fixtures\/(\d+)/.exec(path)?.[1];
  return { partId, fixture: fixture === undefined ? null : Number(fixture) };
}
