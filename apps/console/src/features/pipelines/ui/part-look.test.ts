import { expect, test } from 'vitest';
import { addConnector, partsOf } from '../draft.ts';
import { kindWord } from './part-look.ts';

const draft = addConnector(
  { v: 1, source: { id: 'source', name: 'Webhook', connector: 'http', settings: { path: 'in_0' } }, steps: [], destinations: [] },
  { name: 'schedule-and-file', title: 'Schedule and file', settings: {} },
).draft;

test('a part says which connector it is of, unless its name does', () => {
  const titles = new Map([['schedule-and-file', 'Schedule and file']]);
  const words = (spec: typeof draft, known = titles) => partsOf(spec).map((item) => kindWord(item, known));
  expect(words(draft)).toEqual(['HTTP in', 'Destination']);
  const renamed = { ...draft, destinations: draft.destinations.map((destination) => ({ ...destination, name: 'Orders of the day' })) };
  expect(words(renamed)).toEqual(['HTTP in', 'Schedule and file out']);
  const strict = { ...draft, destinations: draft.destinations.map((destination) => ({ ...destination, order: 'strict' as const })) };
  expect(words(strict)).toEqual(['HTTP in', 'Destination, in order']);
  // A connector that no node offers any more has its own name.
  expect(words(renamed, new Map())).toEqual(['HTTP in', 'schedule-and-file out']);
});
