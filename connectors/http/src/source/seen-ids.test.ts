import { expect, test } from 'vitest';
import { createSeenIds, shareOfIds } from './seen-ids.ts';

test('an id is known for the window, and new again behind it', () => {
  const seen = createSeenIds(1_000);
  expect(seen.find('a', 0)).toBeNull();
  seen.settle('a', ['msg_1'], 0);
  expect(seen.find('a', 999)).toMatchObject({ state: 'stored', messageIds: ['msg_1'] });
  expect(seen.find('a', 1_000)).toBeNull();
});

test('what comes again while the first is being stored hears what became of it', () => {
  const seen = createSeenIds(1_000);
  const heard: (readonly string[] | null)[] = [];
  seen.find('a', 0);
  const again = seen.find('a', 0);
  if (again?.state !== 'waiting') throw new Error('it is not known');
  again.onSettled.push((ids) => heard.push(ids));
  seen.settle('a', ['msg_1'], 5);
  expect(heard).toEqual([['msg_1']]);
});

test('what could not be stored may come again', () => {
  const seen = createSeenIds(1_000);
  seen.find('a', 0);
  seen.settle('a', null, 0);
  expect(seen.find('a', 0)).toBeNull();
});

test('the more connections there are, the fewer ids each may keep; what it has beyond goes at once', () => {
  expect([1, 50, 100, 100_000].map(shareOfIds)).toEqual([10_000, 10_000, 5_000, 100]);
  const seen = createSeenIds(1_000);
  for (const id of ['a', 'b', 'c']) {
    seen.find(id, 0);
    seen.settle(id, [id], 0);
  }
  seen.setMax(1);
  expect(seen.find('c', 0)).not.toBeNull();
  expect(seen.find('b', 0)).toBeNull();
});

test('memory is bounded: the oldest goes first, and never one that is still being stored', () => {
  const seen = createSeenIds(1_000, 2);
  seen.find('waits', 0);
  for (const id of ['a', 'b', 'c']) {
    seen.find(id, 0);
    seen.settle(id, [id], 0);
  }
  expect(seen.find('waits', 0)).not.toBeNull();
  expect(seen.find('c', 0)).not.toBeNull();
  expect(seen.find('a', 0)).toBeNull();
});
