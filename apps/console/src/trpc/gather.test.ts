import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createGatherer } from './gather.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function trial() {
  const handed: string[] = [];
  return { handed, gatherer: createGatherer<string>(1_000, (item) => handed.push(item)) };
}

test('an item is handed on at once, and once more after the interval however often it came meanwhile', () => {
  const { handed, gatherer } = trial();
  for (let i = 0; i < 5; i++) gatherer.add('a');
  expect(handed).toEqual(['a']);
  vi.advanceTimersByTime(1_000);
  expect(handed).toEqual(['a', 'a']);
  vi.advanceTimersByTime(5_000);
  expect(handed).toEqual(['a', 'a']);
});

test('one item does not wait for the interval of another', () => {
  const { handed, gatherer } = trial();
  gatherer.add('a');
  gatherer.add('b');
  expect(handed).toEqual(['a', 'b']);
});

test('after a quiet interval an item does not wait', () => {
  const { handed, gatherer } = trial();
  gatherer.add('a');
  vi.advanceTimersByTime(5_000);
  gatherer.add('a');
  expect(handed).toEqual(['a', 'a']);
});

test('nothing is handed on after stop', () => {
  const { handed, gatherer } = trial();
  gatherer.add('a');
  gatherer.add('a');
  gatherer.stop();
  vi.advanceTimersByTime(5_000);
  expect(handed).toEqual(['a']);
});
