import { newInletPath } from '@vrsky/contracts/ids';
import { type PipelineDraft, pipelineDraftSchema } from '@vrsky/contracts/pipeline-spec';
import { expect, test } from 'vitest';
import {
  addConnector,
  addDestination,
  addStep,
  answersFor,
  canMove,
  findPart,
  movePart,
  partsOf,
  placeOfProblem,
  pointerOf,
  removePart,
  stageParts,
  strayParts,
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

/** Two destinations; after the first one a step and a destination, and after that one another. */
function staged(): PipelineDraft {
  let draft = addDestination(addDestination(empty, 'https://a.example.com/').draft, 'https://b.example.com/').draft;
  draft = addStep(draft, 'convert', 'http-out').draft;
  draft = addDestination(draft, 'https://c.example.com/', 'http-out').draft;
  return addConnector(draft, { name: 'file', title: 'Files', settings: {} }, 'http-out-3').draft;
}
const idsOf = (parts: { part: { id: string } }[]): string[] => parts.map(({ part }) => part.id);

test('what takes a destination’s answer comes behind that destination, and the server takes it', () => {
  expect(pipelineDraftSchema.safeParse(staged()).success).toBe(true);
  expect(idsOf(partsOf(staged()))).toEqual(['source', 'http-out', 'convert', 'http-out-3', 'file', 'http-out-2']);
  expect(idsOf(stageParts(staged(), 'http-out'))).toEqual(['convert', 'http-out-3']);
  expect(pointerOf(staged(), 'http-out-3')).toBe('/destinations/2');
});

test('a part moves among those with the same input', () => {
  const draft = staged();
  expect([canMove(draft, 'http-out', -1), canMove(draft, 'http-out', 1), canMove(draft, 'http-out-3', -1), canMove(draft, 'convert', 1)]).toEqual([
    false,
    true,
    false,
    false,
  ]);
  const more = addDestination(draft, 'https://d.example.com/', 'http-out').draft;
  expect(idsOf(stageParts(movePart(more, 'http-out-4', -1), 'http-out'))).toEqual(['convert', 'http-out-4', 'http-out-3']);
});

test('with a destination goes all that takes its answer, and with a step nothing', () => {
  expect(idsOf(partsOf(removePart(staged(), 'http-out')))).toEqual(['source', 'http-out-2']);
  expect(idsOf(partsOf(removePart(staged(), 'convert')))).toEqual(['source', 'http-out', 'http-out-3', 'file', 'http-out-2']);
});

test('a part may take the answer of none that waits for its own, and taking what comes in leaves no trace', () => {
  const draft = staged();
  expect(answersFor(draft, 'http-out').map(({ id }) => id)).toEqual(['http-out-2']);
  expect(answersFor(draft, 'file').map(({ id }) => id)).toEqual(['http-out', 'http-out-2', 'http-out-3']);
  expect(updateDestination(draft, 'http-out-3', { after: undefined } as never).destinations[2]).not.toHaveProperty('after');
});

test('parts that wait for each other or for nobody are shown too, and can be removed', () => {
  const draft = staged();
  const round = { ...draft, destinations: draft.destinations.map((one) => (one.id === 'http-out' ? { ...one, after: 'file' } : one)) };
  expect(idsOf(partsOf(round)).toSorted()).toEqual(idsOf(partsOf(draft)).toSorted());
  expect(strayParts(round).map(({ id }) => id)).toEqual(['convert', 'http-out', 'http-out-3', 'file']);
  expect(idsOf(partsOf(removePart(round, 'file')))).toEqual(['source', 'http-out-2']);
  const twins = { ...draft, destinations: draft.destinations.map((one) => ({ ...one, id: 'http-out', after: 'http-out' })) };
  expect(partsOf(twins)).toHaveLength(6);
});

test('strict order that is switched on and off again leaves the draft as it was', () => {
  const draft = filled();
  const strict = updateDestination(draft, 'http-out', { order: 'strict' });
  expect(strict.destinations[0]?.order).toBe('strict');
  expect(updateDestination(strict, 'http-out', { order: undefined })).toStrictEqual(draft);
});
