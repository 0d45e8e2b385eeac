import { expect, test } from 'vitest';
import { backoff, backoffMs } from './backoff.ts';
import { AppError, describeError, isAppError, publicMessageOf } from './errors.ts';

test("a person reads our sentence or the sentence of the kind, never a stranger's text", () => {
  const hidden = new AppError({ code: 'DB.DOWN', kind: 'unavailable', message: 'connect ECONNREFUSED 10.0.0.1', cause: new Error('socket') });
  expect(publicMessageOf(hidden)).toBe('A part of the platform does not answer. Try again in a few seconds.');
  expect(publicMessageOf(new AppError({ code: 'X.Y', kind: 'invalid', message: 'internal', publicMessage: 'Give it a name.' }))).toBe('Give it a name.');
  expect(publicMessageOf(new Error('secret'))).toBe('This is a fault of ours. Try again, and send us the request id if it stays.');
});

test('an error of another copy of the class is known by its brand', () => {
  const copy = Object.assign(new Error('x'), { [Symbol.for('vrsky.app-error')]: true, code: 'A.B', kind: 'conflict' });
  expect(isAppError(copy)).toBe(true);
  expect(isAppError(new Error('x'))).toBe(false);
});

test('a log line holds the whole chain of causes', () => {
  const cause = new Error('EPIPE');
  expect(describeError(new AppError({ code: 'BUS.UNAVAILABLE', kind: 'unavailable', message: 'publish failed', cause }))).toBe(
    'BUS.UNAVAILABLE: publish failed ← EPIPE',
  );
});

test('delays double up to their limit and are jittered by at most half', () => {
  const at = (attempt: number, random: number) => backoffMs(attempt, { initialMs: 100, maxMs: 1_000, random: () => random });
  expect([1, 2, 3, 4, 5, 9].map((attempt) => at(attempt, 1))).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  expect(at(3, 0)).toBe(200);
});

test('a success starts the delays over', () => {
  const retry = backoff({ initialMs: 100, maxMs: 1_000, random: () => 1 });
  expect([retry.nextMs(), retry.nextMs()]).toEqual([100, 200]);
  retry.reset();
  expect(retry.nextMs()).toBe(100);
});
