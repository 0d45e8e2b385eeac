import { newInletPath } from '@vrsky/contracts/ids';
import { type PipelineDraft, pipelineDraftSchema } from '@vrsky/contracts/pipeline-spec';
import { expect, test } from 'vitest';
import {
  addConnector,
  addDestination,
  addStep,
  findPart,
  movePart,
  partsOf,
  placeOfProblem,
  pointerOf,
  removePart,
  updateDestination,
  updateStep,
} from './draft.ts';

const empty: PipelineDraft = {
  v: 1,
  source: { id: 'source', name: 'Webhook', connector: 'http', settings: { path: newInletPath() } },
  steps: [],
  destinations: [],
};

function filled(): PipelineDraft {
  const converted = addStep(empty, 'convert').draft;
  const filtered = addStep(converted, 'filter').draft;
  return addDestination(addStep(filtered, 'convert').draft, 'https://api.example.com/').draft;
}

test('what the editor adds is a draft that the server takes', () => {
  expect(pipelineDraftSchema.safeParse(filled()).success).toBe(true);
});

test('parts come in the order a message meets them, each under an id of its own', () => {
  expect(partsOf(filled()).map((item) => item.part.id)).toEqual(['source', 'convert', 'filter', 'convert-2', 'http-out']);
});

test('a step moves among the steps and stops at the ends', () => {
  const draft = filled();
  expect(movePart(draft, 'filter', -1).steps.map((step) => step.id)).toEqual(['filter', 'convert', 'convert-2']);
  expect(movePart(draft, 'convert', -1).steps).toEqual(draft.steps);
  expect(movePart(draft, 'convert-2', 1).steps).toEqual(draft.steps);
});

test('the source cannot be removed', () => {
  expect(removePart(filled(), 'source').source.id).toBe('source');
  expect(findPart(removePart(filled(), 'filter'), 'filter')).toBeNull();
});

test('an edit leaves the draft before it untouched, so that undo can bring it back', () => {
  const before = filled();
  const after = updateStep(before, 'filter', { name: 'Only paid' });
  expect(before.steps[1]?.name).toBe('Filter');
  expect(after.steps[1]?.name).toBe('Only paid');
});

test('a part is found where the server reports its problems', () => {
  expect(pointerOf(filled(), 'convert-2')).toBe('/steps/2');
  expect(pointerOf(filled(), 'http-out')).toBe('/destinations/0');
  expect(pointerOf(filled(), 'source')).toBe('/source');
});

test('a problem leads to its part, and a fixture that fails to that fixture', () => {
  expect(placeOfProblem({ path: '/steps/0/fixtures/2', partId: 'convert' })).toEqual({ partId: 'convert', fixture: 2 });
  expect(placeOfProblem({ path: '/destinations/0/settings/url', partId: 'http-out' })).toEqual({ partId: 'http-out', fixture: null });
  expect(placeOfProblem({ path: '/destinations', partId: null })).toBeNull();
});

test('a destination of any connector is a draft that the server takes, under an id and a name of its own', () => {
  const { draft, id } = addConnector(filled(), { name: 'file', title: 'Files and folders', settings: {} });
  expect(pipelineDraftSchema.safeParse(draft).success).toBe(true);
  expect(findPart(draft, id)?.part).toMatchObject({ id: 'file', name: 'Files and folders', connector: 'file' });
});

test('a release that is pinned and let go again leaves the draft as it was, so that there is nothing to publish', () => {
  const { draft, id } = addConnector(empty, { name: 'file', title: 'Files', settings: {} });
  const pinned = updateDestination(draft, id, { release: `sha256:${'a'.repeat(64)}` });
  expect(pinned.destinations[0]?.release).toMatch(/^sha256:/);
  expect(JSON.stringify(updateDestination(pinned, id, { release: undefined } as never))).toBe(JSON.stringify(draft));
});

test('strict order that is switched on and off again leaves the draft as it was', () => {
  const draft = filled();
  const strict = updateDestination(draft, 'http-out', { order: 'strict' });
  expect(strict.destinations[0]?.order).toBe('strict');
  expect(updateDestination(strict, 'http-out', { order: undefined })).toStrictEqual(draft);
});
