import { newInletPath } from '@vrsky/contracts/ids';
import type { PipelineDraft } from '@vrsky/contracts/pipeline-spec';
import { expect, test } from 'vitest';
import { addDestination, addStep } from '../draft.ts';
import { layOut } from './canvas-layout.ts';

const empty: PipelineDraft = {
  v: 1,
  source: { id: 'source', name: 'Webhook', connector: 'http', settings: { path: newInletPath() } },
  steps: [],
  destinations: [],
};

const shown = (draft: PipelineDraft) => {
  const { places, edges, rows } = layOut(draft);
  return {
    places: Object.fromEntries([...places].map(([id, { column, row }]) => [id, [column, row]])),
    edges: edges.map(({ from, to, isAnswer }) => `${from} ${isAnswer ? '=' : '-'} ${to}`),
    rows,
  };
};

test('the source, its steps and its destinations stand from left to right', () => {
  let { draft } = addStep(empty, 'convert');
  for (const host of ['a', 'b']) draft = addDestination(draft, `https://${host}.example.com/`).draft;
  expect(shown(draft)).toEqual({
    places: { source: [0, 0.5], convert: [1, 0.5], 'http-out': [2, 0], 'http-out-2': [2, 1] },
    edges: ['source - convert', 'convert - http-out', 'convert - http-out-2'],
    rows: 2,
  });
});

test('what takes an answer stands behind its destination, and nothing on anything', () => {
  let draft = addDestination(addDestination(empty, 'https://a.example.com/').draft, 'https://b.example.com/').draft;
  draft = addStep(draft, 'convert', 'http-out').draft;
  for (const host of ['c', 'd']) draft = addDestination(draft, `https://${host}.example.com/`, 'http-out').draft;
  expect(shown(draft)).toEqual({
    places: { source: [0, 1], 'http-out': [1, 0.5], 'http-out-2': [1, 2], convert: [2, 0.5], 'http-out-3': [3, 0], 'http-out-4': [3, 1] },
    edges: ['source - http-out', 'http-out = convert', 'convert - http-out-3', 'convert - http-out-4', 'source - http-out-2'],
    rows: 3,
  });
});

test('a draft that goes round in circles can be drawn', () => {
  const { draft } = addDestination(addDestination(empty, '').draft, '', 'http-out');
  const round = { ...draft, destinations: draft.destinations.map((one) => ({ ...one, id: 'twin', after: 'twin' })) };
  expect(layOut(round).places.size).toBe(2);
  const twins = { ...draft, destinations: draft.destinations.map((one) => ({ ...one, id: 'http-out' })) };
  expect(layOut(twins).rows).toBeGreaterThan(0);
});
