import { describe, expect, test } from 'vitest';
import { startList, takeHead, takeOlder, takeWaiting } from './live-list.ts';

interface Item {
  id: string;
  state: string;
}
const item = (id: number, state = 'delivered'): Item => ({ id: `m${id}`, state });
const page = (ids: number[], nextCursor: string | null = null) => ({ items: ids.map((id) => item(id)), nextCursor, asOf: '' });
const keyOf = (value: Item) => value.id;
const ids = (list: { items: Item[] }) => list.items.map((value) => value.id);

describe('a live list', () => {
  test('puts new items on top when nobody reads', () => {
    const list = takeHead(startList(page([2, 1])), page([4, 3, 2, 1]), keyOf, false);
    expect(ids(list)).toEqual(['m4', 'm3', 'm2', 'm1']);
    expect([...list.arrived]).toEqual(['m4', 'm3']);
  });

  test('moves nothing while somebody reads, counts what waits and shows it on request', () => {
    const held = takeHead(startList(page([2, 1])), page([4, 3, 2, 1]), keyOf, true);
    expect(ids(held)).toEqual(['m2', 'm1']);
    expect(held.waiting?.count).toBe(2);
    expect(ids(takeWaiting(held, keyOf))).toEqual(['m4', 'm3', 'm2', 'm1']);
  });

  test('renews rows in place also while held', () => {
    const list = takeHead({ ...startList(page([2, 1])), items: [item(2, 'retrying'), item(1)] }, page([3, 2, 1]), keyOf, true);
    expect(list.items[0]).toEqual(item(2, 'delivered'));
  });

  test('an empty list shows its first item even when held', () => {
    expect(ids(takeHead(startList(page([])), page([1]), keyOf, true))).toEqual(['m1']);
  });

  test('keeps older pages that were loaded, and their cursor', () => {
    const older = takeOlder(startList(page([3, 2], 'c2')), page([2, 1], 'c1'), keyOf);
    const list = takeHead(older, page([4, 3], 'c3'), keyOf, false);
    expect(ids(list)).toEqual(['m4', 'm3', 'm2', 'm1']);
    expect(list.olderCursor).toBe('c1');
  });

  test('starts anew when more came than a page holds, so that no gap is hidden', () => {
    const list = takeHead(startList(page([2, 1], null)), page([9, 8], 'c8'), keyOf, false);
    expect(ids(list)).toEqual(['m9', 'm8']);
    expect(list.olderCursor).toBe('c8');
  });
});
