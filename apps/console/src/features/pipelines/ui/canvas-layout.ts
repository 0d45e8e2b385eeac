import type { PipelineDraft } from '@vrsky/contracts/pipeline-spec';
import { hasStage, stageAfter } from '@vrsky/contracts/stages';
import { strayParts } from '../draft.ts';

/** Where the parts stand, in columns and rows; a row may be half of one. */
export interface CanvasLayout {
  places: ReadonlyMap<string, { column: number; row: number }>;
  edges: CanvasEdge[];
  rows: number;
}

export interface CanvasEdge {
  from: string;
  to: string;
  /** What goes along it is the answer of the destination where it begins. */
  isAnswer: boolean;
}

/** From left to right: the source, its steps, its destinations one under the other, and behind each of them what takes its answer. */
export function layOut(draft: PipelineDraft): CanvasLayout {
  const places = new Map<string, { column: number; row: number }>();
  const edges: CanvasEdge[] = [];
  const entered = new Set<string | null>();

  /** Answers how many rows the stage takes. */
  const placeStage = (after: string | null, column: number, top: number): number => {
    entered.add(after);
    const { steps, destinations } = stageAfter(draft, after);
    let bottom = top;
    let last = after ?? draft.source.id;
    for (const { id } of steps) {
      edges.push({ from: last, to: id, isAnswer: last === after });
      last = id;
    }
    for (const { id } of destinations) {
      edges.push({ from: last, to: id, isAnswer: last === after });
      const height = hasStage(draft, id) && !entered.has(id) ? placeStage(id, column + steps.length + 1, bottom) : 1;
      places.set(id, { column: column + steps.length, row: bottom + (height - 1) / 2 });
      bottom += height;
    }
    const height = Math.max(1, bottom - top);
    for (const [i, { id }] of steps.entries()) places.set(id, { column: column + i, row: top + (height - 1) / 2 });
    return height;
  };

  const height = placeStage(null, 1, 0);
  places.set(draft.source.id, { column: 0, row: (height - 1) / 2 });
  const strays = strayParts(draft);
  for (const [i, { id }] of strays.entries()) places.set(id, { column: 1 + i, row: height });
  return { places, edges, rows: height + (strays.length > 0 ? 1 : 0) };
}
