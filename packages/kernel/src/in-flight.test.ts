import { expect, test } from 'vitest';
import { createInFlight } from './in-flight.ts';

const entry = (name: string) => ({ name });

test('an entry is found and taken by its number, once', () => {
  const open = createInFlight<{ name: string }>();
  open.add(1, entry('a'));
  open.add(2, entry('b'));
  expect(open.get(2)).toEqual(entry('b'));
  expect(open.take(1)).toEqual(entry('a'));
  expect(open.take(1)).toBeUndefined();
  expect([open.size, open.get(0), open.get(3)]).toEqual([1, undefined, undefined]);
});

test('numbers may leave gaps, however wide', () => {
  const open = createInFlight<{ name: string }>();
  open.add(5, entry('a'));
  open.take(5);
  open.add(2 ** 45, entry('b'));
  open.add(2 ** 45 + 200, entry('c'));
  expect([...open.entries()]).toEqual([
    [2 ** 45, entry('b')],
    [2 ** 45 + 200, entry('c')],
  ]);
});

test('a number that is not above all before it is a fault of the caller', () => {
  const open = createInFlight<{ name: string }>();
  open.add(7, entry('a'));
  expect(() => open.add(7, entry('b'))).toThrow('bug: number 7 is not above 7');
});

test('entries come in their order, whatever was taken in between and during the walk', () => {
  const open = createInFlight<{ name: string }>();
  for (let number = 1; number <= 300; number++) open.add(number, entry(String(number)));
  for (let number = 1; number <= 300; number++) if (number % 3 !== 0) open.take(number);
  const seen: number[] = [];
  for (const [number] of open.entries()) {
    seen.push(number);
    open.take(number);
    open.take(number + 3);
  }
  expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => 3 + i * 6));
  expect([open.size, open.oldest()]).toEqual([0, undefined]);
});

test('an entry that stays holds nothing open: the slots have a bound, and it is still the oldest', () => {
  const open = createInFlight<{ name: string }>(8);
  open.add(1, entry('stays'));
  open.add(2, entry('stays too'));
  for (let number = 3; number < 10_000; number++) {
    open.add(number, entry(String(number)));
    if (number >= 6) expect(open.take(number - 3)).toEqual(entry(String(number - 3)));
  }
  expect(open.oldest()).toEqual(entry('stays'));
  expect([...open.entries()].map(([number]) => number)).toEqual([1, 2, 9_997, 9_998, 9_999]);
  expect(open.take(2)).toEqual(entry('stays too'));
  expect(open.clear().map(({ name }) => name)).toEqual(['stays', '9997', '9998', '9999']);
  open.add(10_000, entry('next'));
  expect([open.size, open.get(9_999)]).toEqual([1, undefined]);
});

test('it agrees with a Map on what comes and goes at random', () => {
  const open = createInFlight<{ name: string }>(32);
  const model = new Map<number, { name: string }>();
  let seed = 42;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % below;
  };
  for (let number = 1, last = 0; number < 5_000; number++) {
    last += 1 + random(3);
    open.add(last, entry(String(last)));
    model.set(last, entry(String(last)));
    for (let takes = random(3); takes > 0; takes--) {
      const victim = Math.max(1, last - random(60));
      expect(open.take(victim)).toEqual(model.get(victim));
      model.delete(victim);
    }
    expect([open.size, open.oldest()]).toEqual([model.size, model.values().next().value]);
  }
  expect([...open.entries()]).toEqual([...model]);
});
