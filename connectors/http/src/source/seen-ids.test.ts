import { expect, test } from 'vitest';
import { createSeenBook, IDS_MAX, type SeenIds, shareOfIds } from './seen-ids.ts';

const bookInMemory = () => createSeenBook({ dir: null, log: () => undefined, onUnwritten: () => undefined });
const openSeen = (windowMs: number): SeenIds => bookInMemory().open({ connectionId: 'pip/src', kind: 'scheme' }, windowMs);

function store(seen: SeenIds, id: string, nowMs = 0): void {
  seen.find(id, nowMs);
  seen.settle(id, [`msg_${id}`], nowMs, () => undefined);
}

test('an id is known for the window, and new again behind it', () => {
  const seen = openSeen(1_000);
  expect(seen.find('a', 0)).toBeNull();
  store(seen, 'a');
  expect(seen.find('a', 999)).toMatchObject({ state: 'stored', messageIds: ['msg_a'] });
  expect(seen.find('a', 1_000)).toBeNull();
});

test('what comes again while the first is being stored hears what became of it', () => {
  const seen = openSeen(1_000);
  const heard: (readonly string[] | null)[] = [];
  seen.find('a', 0);
  const again = seen.find('a', 0);
  if (again?.state !== 'waiting') throw new Error('it is not known');
  again.onSettled.push((ids) => heard.push(ids));
  store(seen, 'a', 5);
  expect(heard).toEqual([['msg_a']]);
});

test('what could not be stored may come again', () => {
  const seen = openSeen(1_000);
  seen.find('a', 0);
  seen.settle('a', null, 0, () => undefined);
  expect(seen.find('a', 0)).toBeNull();
});

test('an id is known by a hash that says nothing about it, and is another at another source', () => {
  const book = bookInMemory();
  const [one, other] = ['pip/one', 'pip/other'].map((connectionId) => book.open({ connectionId, kind: 'scheme' }, 1_000).keyOf('order-7'));
  expect(one).toMatch(/^[\w-]{22}$/);
  expect(one).not.toBe(other);
});

test('the newest 10,000 of a source are remembered, and never is one forgotten that is still being stored', () => {
  const seen = openSeen(1_000);
  seen.find('waits', 0);
  for (let i = 0; i <= IDS_MAX; i++) store(seen, String(i));
  expect(seen.find('waits', 0)).not.toBeNull();
  expect(seen.find(String(IDS_MAX), 0)).not.toBeNull();
  expect(seen.find('0', 0)).toBeNull();
});

test('the messages that bodies were split into are bounded, too', () => {
  const seen = openSeen(1_000);
  const messageIds = Array.from({ length: 1_000 }, (_, i) => `msg_${i}`);
  for (let i = 0; i < 200; i++) {
    seen.find(String(i), 0);
    seen.settle(String(i), messageIds, 0, () => undefined);
  }
  expect(seen.find('199', 0)).toMatchObject({ messageIds });
  expect(seen.find('0', 0)).toBeNull();
});

test('the more sources there are, the fewer ids each may keep; what it has beyond goes at once', () => {
  expect([1, 50, 100, 100_000].map(shareOfIds)).toEqual([10_000, 10_000, 5_000, 100]);
  const book = bookInMemory();
  const shelves = Array.from({ length: 5_000 }, (_, i) => book.open({ connectionId: `pip/${i}`, kind: 'scheme' }, 1_000));
  const [seen] = shelves as [SeenIds];
  for (let i = 0; i <= 100; i++) store(seen, String(i));
  expect(seen.find('0', 0)).not.toBeNull();
  book.divide(new Set(shelves));
  expect(seen.find('100', 0)).not.toBeNull();
  expect(seen.find('0', 0)).toBeNull();
});

test('a source that is gone for a while still knows its ids; one with other ids begins anew', () => {
  const book = bookInMemory();
  const open = (kind: string) => book.open({ connectionId: 'pip/src', kind }, 60_000);
  store(open('scheme'), 'a', Date.now());
  book.divide(new Set());
  expect(open('scheme').find('a', Date.now())).toMatchObject({ state: 'stored' });
  expect(open('header idempotency-key').find('a', Date.now())).toBeNull();
});
