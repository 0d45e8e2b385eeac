import { expect, test } from 'vitest';
import { createPackQueue } from './pack-queue.ts';

const entry = (group: string, name: string, bytes = 10) => ({ group, name, bytes });
const names = (packs: { name: string }[][]) => packs.map((pack) => pack.map(({ name }) => name).join(''));

test('everything that waits becomes one pack for each pipeline, in order', () => {
  const queue = createPackQueue<ReturnType<typeof entry>>(10, 1_000);
  for (const [group, name] of [
    ['p', 'a'],
    ['q', 'b'],
    ['p', 'c'],
  ] as const)
    queue.push(entry(group, name));
  expect(names(queue.take())).toEqual(['ac', 'b']);
  expect([queue.length, queue.bytes, queue.take()]).toEqual([0, 0, []]);
});

test('a take has at most so many messages', () => {
  const queue = createPackQueue<ReturnType<typeof entry>>(2, 1_000);
  for (const name of 'abcde') queue.push(entry('p', name));
  expect([names(queue.take()), names(queue.take()), names(queue.take()), queue.bytes]).toEqual([['ab'], ['cd'], ['e'], 0]);
});

test('a take has at most so many bytes, and one larger entry goes alone', () => {
  const queue = createPackQueue<ReturnType<typeof entry>>(10, 25);
  for (const name of 'abc') queue.push(entry('p', name));
  queue.push(entry('p', 'D', 90));
  queue.push(entry('p', 'e'));
  expect([names(queue.take()), queue.bytes]).toEqual([['ab'], 110]);
  expect([names(queue.take()), names(queue.take()), names(queue.take()), queue.length]).toEqual([['c'], ['D'], ['e'], 0]);
});
