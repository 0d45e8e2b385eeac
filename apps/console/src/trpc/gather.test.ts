import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createGatherer } from './gather.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('the first item is handed on at once, those in the same interval together and once', () => {
  const flushes: string[][] = [];
  const gatherer = createGatherer<string>(1_000, (items) => flushes.push([...items]));
  gatherer.add('a');
  gatherer.add('b');
  gatherer.add('b');
  gatherer.add('c');
  expect(flushes).toEqual([['a']]);
  vi.advanceTimersByTime(1_000);
  expect(flushes).toEqual([['a'], ['b', 'c']]);
});

test('after a quiet interval the next item does not wait', () => {
  const flushes: string[][] = [];
  const gatherer = createGatherer<string>(1_000, (items) => flushes.push([...items]));
  gatherer.add('a');
  vi.advanceTimersByTime(5_000);
  gatherer.add('b');
  expect(flushes).toEqual([['a'], ['b']]);
});

test('nothing is handed on after stop', () => {
  const flushes: string[][] = [];
  const gatherer = createGatherer<string>(1_000, (items) => flushes.push([...items]));
  gatherer.add('a');
  gatherer.add('b');
  gatherer.stop();
  vi.advanceTimersByTime(5_000);
  expect(flushes).toEqual([['a']]);
});
