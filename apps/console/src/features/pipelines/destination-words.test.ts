import { expect, test } from 'vitest';
import type { DestinationHealth } from '../messages/types.ts';
import { destinationWords } from './destination-words.ts';

const retry = { attempts: 6, initialMs: 1_000, maxMs: 60_000 };
const at = '2026-11-30T10:00:00.000Z';
const failing: DestinationHealth = {
  destinationId: 'out',
  state: 'failing',
  waiting: 3,
  moreWait: false,
  since: at,
  failure: { at, code: 'connect_refused', reason: 'Nothing accepts connections at shop.example.', peerStatus: null },
  nextAt: at,
  deliveredAt: null,
  caughtUp: 0,
  dead: null,
};
const words = (change: Partial<DestinationHealth> = {}) => {
  const { title, todo } = destinationWords('Shop', { ...failing, ...change }, { retry });
  return { title: title.replaceAll('\u00a0', ' '), todo: todo.join(' ').replaceAll('\u00a0', ' ') };
};

test('a receiver that is down: how many wait, what to do, and that nothing is lost', () => {
  expect(words().title).toBe('“Shop” does not take messages: 3 messages wait');
  expect(words().todo).toContain('Start the receiver, or correct the URL of the destination. Nothing is lost: each message is tried 6 times in all');
});

test('in strict order the others wait behind the one that is tried', () => {
  expect(destinationWords('Shop', failing, { retry, order: 'strict' }).todo.join(' ')).toContain('wait behind the one that is tried');
  expect(words().todo).not.toContain('wait behind');
});

test('of very many it is said that there are more', () => {
  expect(words({ waiting: 1_000, moreWait: true }).title).toBe('“Shop” does not take messages: more than 1,000 messages wait');
});

test('a receiver that answers 429 is not down: it asks for time', () => {
  const { title, todo } = words({ waiting: 1, failure: { at, code: 'http_429', reason: null, peerStatus: 429 } });
  expect(title).toBe('“Shop” asks to slow down: 1 message waits');
  expect(todo).toContain('requests a second');
});

test('a receiver that is back says so while messages still wait, and when none does', () => {
  expect(words({ state: 'recovering' })).toEqual({
    title: '“Shop” takes messages again; 3 messages wait for the next attempt',
    todo: 'They are delivered when their time has come; nothing needs to be done.',
  });
  expect(words({ state: 'recovered', waiting: 0, failure: null, caughtUp: 3 })).toEqual({ title: '“Shop” takes messages again', todo: '' });
});

test('dead letters alone are told with their reason', () => {
  const { title, todo } = words({ waiting: 0, failure: null, dead: { count: 1, at, reason: 'The receiver answered 404.' } });
  expect(title).toBe('“Shop” could not take 1 message');
  expect(todo).toBe('1 message of the last 24 hours is a dead letter, to be sent again when the cause is mended: The receiver answered 404.');
});
