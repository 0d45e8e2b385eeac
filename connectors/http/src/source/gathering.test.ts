import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createGathering, type Heard } from './gathering.ts';

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

/** A gathering of 8 ms, and what was handed over so far with its time. */
function start(gatherMs = 8) {
  const startMs = Date.now();
  const handedOver: [name: string, atMs: number][] = [];
  const gathering = createGathering(gatherMs, () => Date.now());
  return {
    handedOver,
    gathering,
    request(name: string, connection: Heard) {
      gathering.heard(connection);
      gathering.add(() => handedOver.push([name, Date.now() - startMs]));
    },
  };
}

/** Senders that were all heard and answered a moment ago. */
function withSenders(count: number) {
  const stand = start();
  const senders: Heard[] = Array.from({ length: count }, () => ({}));
  for (const sender of senders) {
    stand.request('before', sender);
    stand.gathering.answered();
  }
  vi.advanceTimersByTime(20);
  stand.handedOver.length = 0;
  return { ...stand, senders };
}

test('requests that come soon after each other go on together, in their order, after at most the time for gathering', () => {
  const { request, handedOver, senders } = withSenders(10);
  request('first', senders[0] as Heard); // after a pause
  vi.advanceTimersByTime(1);
  request('a', senders[1] as Heard);
  vi.advanceTimersByTime(3);
  request('b', senders[2] as Heard);
  expect(handedOver).toEqual([['first', 20]]);
  vi.advanceTimersByTime(5);
  expect(handedOver).toEqual([
    ['first', 20],
    ['a', 29],
    ['b', 29],
  ]);
});

test('what comes after a pause goes on at once', () => {
  const { request, handedOver, senders } = withSenders(10);
  for (const sender of senders.slice(0, 3)) {
    request('alone', sender);
    vi.advanceTimersByTime(9);
  }
  expect(handedOver.map(([, atMs]) => atMs)).toEqual([20, 29, 38]);
});

test('as soon as every sender heard lately waits for its answer, nothing waits any longer', () => {
  const { request, handedOver, senders } = withSenders(3);
  request('first', senders[0] as Heard);
  vi.advanceTimersByTime(1);
  request('second', senders[1] as Heard);
  expect(handedOver).toHaveLength(1);
  vi.advanceTimersByTime(2);
  request('third', senders[2] as Heard);
  expect(handedOver).toEqual([
    ['first', 20],
    ['second', 23],
    ['third', 23],
  ]);
});

test('when eight have come together they go on', () => {
  const { request, handedOver, senders } = withSenders(30);
  for (const sender of senders.slice(0, 8)) request('waits', sender);
  expect(handedOver).toHaveLength(1);
  request('the eighth that waits', senders[8] as Heard);
  expect(handedOver.map(([, atMs]) => atMs)).toEqual(Array.from({ length: 9 }, () => 20));
});

test('a sender that goes on only after each answer is never slowed down', () => {
  const { gathering, request, handedOver } = start();
  const sender: Heard = {};
  for (let i = 0; i < 50; i++) {
    request(String(i), sender);
    expect(handedOver).toHaveLength(i + 1);
    vi.advanceTimersByTime(1);
    gathering.answered();
  }
});

test('senders that fell silent are forgotten: nobody waits for them', () => {
  const { request, handedOver } = withSenders(20);
  vi.advanceTimersByTime(200);
  const sender: Heard = {};
  request('a', sender);
  vi.advanceTimersByTime(1);
  request('b', sender);
  expect(handedOver.map(([name]) => name)).toEqual(['a', 'b']);
});

test('stopping hands over what waits, and later requests at once', () => {
  const { gathering, request, handedOver, senders } = withSenders(10);
  request('first', senders[0] as Heard);
  request('waits', senders[1] as Heard);
  expect(handedOver).toHaveLength(1);
  gathering.stop();
  request('late', senders[2] as Heard);
  expect(handedOver.map(([name]) => name)).toEqual(['first', 'waits', 'late']);
});

test('without time for gathering everything goes on at once', () => {
  const { gathering, request, handedOver } = start(0);
  for (const name of ['a', 'b', 'c']) request(name, {});
  expect(handedOver.map(([name]) => name)).toEqual(['a', 'b', 'c']);
  gathering.stop();
});
