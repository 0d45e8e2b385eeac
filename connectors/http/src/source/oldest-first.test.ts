import { expect, test } from 'vitest';
import { createOldestFirst, type Place, unlisted } from './oldest-first.ts';

const entry = (name: string): Place & { name: string } => ({ ...unlisted(), name });

test('entries come in the order in which they were added, without those that left', () => {
  const list = createOldestFirst<Place & { name: string }>();
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(entry) as [
    ReturnType<typeof entry>,
    ReturnType<typeof entry>,
    ReturnType<typeof entry>,
    ReturnType<typeof entry>,
  ];
  for (const each of [a, b, c]) list.add(each);
  expect(list.delete(b)).toBe(true);
  list.add(d);
  expect([...list].map(({ name }) => name)).toEqual(['a', 'c', 'd']);
  for (const each of [d, a, c]) expect(list.delete(each)).toBe(true);
  list.add(b);
  expect([...list].map(({ name }) => name)).toEqual(['b']);
});

test('an entry leaves once, and then leads to nobody', () => {
  const list = createOldestFirst<Place>();
  const [first, second] = [unlisted(), unlisted()];
  expect(list.delete(first)).toBe(false);
  list.add(first);
  list.add(second);
  expect([list.delete(first), list.delete(first)]).toEqual([true, false]);
  expect(first).toEqual(unlisted());
});

test('the entry at hand may leave during a walk', () => {
  const list = createOldestFirst<Place & { name: string }>();
  for (const name of ['a', 'b', 'c']) list.add(entry(name));
  const seen: string[] = [];
  for (const each of list) {
    seen.push(each.name);
    list.delete(each);
  }
  expect([seen, [...list]]).toEqual([['a', 'b', 'c'], []]);
});
