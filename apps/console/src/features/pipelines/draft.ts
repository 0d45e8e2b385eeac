import type { DestinationSpec, PipelineDraft, ReplySpec, SourceSpec, StepSpec } from '@vrsky/contracts/pipeline-spec';
import { starterOf } from './starters.ts';

export type DraftPart =
  | { kind: 'source'; part: SourceSpec }
  | { kind: 'step'; part: StepSpec; index: number }
  | { kind: 'destination'; part: DestinationSpec; index: number };

/** All parts in the order a message meets them. */
export function partsOf(draft: PipelineDraft): DraftPart[] {
  return [
    { kind: 'source', part: draft.source },
    ...draft.steps.map((part, index) => ({ kind: 'step' as const, part, index })),
    ...draft.destinations.map((part, index) => ({ kind: 'destination' as const, part, index })),
  ];
}

export function findPart(draft: PipelineDraft, id: string): DraftPart | null {
  return partsOf(draft).find((item) => item.part.id === id) ?? null;
}

/** Adds a step behind the others and says which id it got. */
export function addStep(draft: PipelineDraft, kind: StepSpec['kind']): { draft: PipelineDraft; id: string } {
  const id = freeId(draft, kind);
  const name = kind === 'convert' ? 'Convert' : 'Filter';
  const step: StepSpec = { id, name, kind, language: 'typescript', source: starterOf(kind, 'typescript') };
  return { draft: { ...draft, steps: [...draft.steps, step] }, id };
}

export function addDestination(draft: PipelineDraft, url: string): { draft: PipelineDraft; id: string } {
  const id = freeId(draft, 'http-out');
  const destination: DestinationSpec = {
    id,
    name: 'HTTP request',
    connector: 'http',
    settings: { url, method: 'POST', headers: [], timeoutMs: 10_000 },
    retry: { attempts: 6, initialMs: 1_000, maxMs: 60_000 },
  };
  return { draft: { ...draft, destinations: [...draft.destinations, destination] }, id };
}

/** Adds a destination of another connector than HTTP. */
export function addConnector(
  draft: PipelineDraft,
  { name, title, settings }: { name: string; title: string; settings: Record<string, never> },
): { draft: PipelineDraft; id: string } {
  const id = freeId(draft, name);
  const destination: DestinationSpec = {
    id,
    name: title.slice(0, 80),
    connector: name,
    settings,
    retry: { attempts: 6, initialMs: 1_000, maxMs: 60_000 },
  };
  return { draft: { ...draft, destinations: [...draft.destinations, destination] }, id };
}

/** The source stays: a pipeline without one receives nothing. */
export function removePart(draft: PipelineDraft, id: string): PipelineDraft {
  return { ...draft, steps: draft.steps.filter((step) => step.id !== id), destinations: draft.destinations.filter((destination) => destination.id !== id) };
}

/** Moves a step or destination among its own kind; at an end it stays where it is. */
export function movePart(draft: PipelineDraft, id: string, by: 1 | -1): PipelineDraft {
  return { ...draft, steps: moved(draft.steps, id, by), destinations: moved(draft.destinations, id, by) };
}

export function updateSource(draft: PipelineDraft, change: Partial<SourceSpec>): PipelineDraft {
  return { ...draft, source: changed(draft.source, change) };
}

/** What senders wait for; undefined: they are answered as soon as their message is stored. */
export function updateReply({ reply: _, ...draft }: PipelineDraft, reply: ReplySpec | undefined): PipelineDraft {
  return reply === undefined ? draft : { ...draft, reply };
}

export function updateStep(draft: PipelineDraft, id: string, change: Partial<StepSpec>): PipelineDraft {
  return { ...draft, steps: draft.steps.map((step) => (step.id === id ? { ...step, ...change } : step)) };
}

export function updateDestination(draft: PipelineDraft, id: string, change: Partial<DestinationSpec>): PipelineDraft {
  return { ...draft, destinations: draft.destinations.map((destination) => (destination.id === id ? changed(destination, change) : destination)) };
}

/** A release that is taken back leaves no trace: the draft is then what it was before. */
function changed<Part extends SourceSpec | DestinationSpec>(part: Part, change: Partial<Part>): Part {
  const { release, ...rest } = { ...part, ...change };
  return (release === undefined ? rest : { ...rest, release }) as Part;
}

/** The JSON Pointer under which the server reports problems of a part. */
export function pointerOf(draft: PipelineDraft, id: string): string {
  const found = findPart(draft, id);
  if (!found || found.kind === 'source') return '/source';
  return `/${found.kind === 'step' ? 'steps' : 'destinations'}/${found.index}`;
}

function moved<T extends { id: string }>(items: T[], id: string, by: 1 | -1): T[] {
  const from = items.findIndex((item) => item.id === id);
  const to = from + by;
  const item = items[from];
  if (!item || to < 0 || to >= items.length) return items;
  return items.toSpliced(from, 1).toSpliced(to, 0, item);
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
