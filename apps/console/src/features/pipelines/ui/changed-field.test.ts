import { expect, test } from 'vitest';
import { changedField } from './changed-field.ts';

const draft = {
  steps: [
    { id: 'a', name: 'A' },
    { id: 'b', name: 'B' },
  ],
  destinations: [{ id: 'c', settings: { url: 'http://x' } }],
};

test('typing in one field is named by where the field is', () => {
  expect(changedField(draft, { ...draft, steps: [draft.steps[0], { id: 'b', name: 'Bo' }] })).toBe('/steps/1/name');
  expect(changedField(draft, { ...draft, destinations: [{ id: 'c', settings: { url: 'http://y' } }] })).toBe('/destinations/0/settings/url');
});

test('parts that come, go or change places are no field', () => {
  expect(changedField(draft, { ...draft, steps: [draft.steps[0]] })).toBeNull();
  expect(changedField(draft, { ...draft, steps: [...draft.steps, { id: 'd', name: 'D' }] })).toBeNull();
  expect(changedField(draft, { ...draft, steps: draft.steps.toReversed() })).toBeNull();
});

test('two fields at once are no field', () => {
  expect(
    changedField(draft, {
      ...draft,
      steps: [
        { id: 'a', name: 'X' },
        { id: 'b', name: 'Y' },
      ],
    }),
  ).toBeNull();
});
