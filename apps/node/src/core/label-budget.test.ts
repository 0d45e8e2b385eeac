import { expect, test } from 'vitest';
import { createLabelBudget, topRows } from './label-budget.ts';

test('beyond the budget every new value shares one label, and known ones keep theirs', () => {
  const label = createLabelBudget(2);
  expect(['a', 'b', 'c', 'a', 'd', 'b'].map(label)).toEqual(['a', 'b', '_other', 'a', '_other', 'b']);
});

test('the largest rows are kept, and the largest of the rest stands for them', () => {
  const rows = [3, 9, 1, 7].map((value) => ({ value }));
  expect(topRows(rows, 2)).toEqual({ top: [{ value: 9 }, { value: 7 }], otherMax: 3 });
  expect(topRows(rows, 4).otherMax).toBeNull();
});
