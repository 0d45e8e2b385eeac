import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { createOpenResults, pendingReply } from './open-results.ts';

const reply = (text: string) => ({ ...pendingReply, status: 'done' as const, payload: Buffer.from(text) });
const response = () => new EventEmitter() as ServerResponse;

function start() {
  const told: string[] = [];
  const results = createOpenResults({
    perConnectionMax: 2,
    max: 3,
    unsentBytesMax: 10,
    sendMs: 1_000,
    answer(to, messageId, { status, payload }) {
      told.push(`${messageId} ${status} ${Buffer.from(payload)}`);
      to.emit('close');
    },
  });
  return { told, results };
}

test('a result that is there before its sender waits is kept until then, and told once', () => {
  const { told, results } = start();
  results.expect('msg_1');
  results.settle('msg_1', reply('made'));
  expect(told).toEqual([]);
  expect(results.wait('p/in', 'msg_1', response())).toBe(true);
  results.ready('msg_1');
  expect(told).toEqual(['msg_1 done made']);
  expect(results.wait('p/in', 'msg_1', response())).toBe(false);
  expect(results.waiting).toBe(0);
});

test('one connection cannot take the room of all, and whoever leaves gives it back', () => {
  const { results } = start();
  for (const id of ['msg_1', 'msg_2', 'msg_3', 'msg_4', 'msg_5']) results.expect(id);
  const leaving = response();
  expect([results.wait('p/a', 'msg_1', leaving), results.wait('p/a', 'msg_2', response()), results.wait('p/a', 'msg_3', response())]).toEqual([
    true,
    true,
    false,
  ]);
  expect([results.wait('p/b', 'msg_4', response()), results.wait('p/b', 'msg_5', response())]).toEqual([true, false]);
  leaving.emit('close');
  expect(results.wait('p/b', 'msg_5', response())).toBe(true);
  expect(results.waiting).toBe(3);
});

test('who waits when the connector drains is told so, and what comes later reaches nobody', () => {
  const { told, results } = start();
  results.expect('msg_1');
  results.wait('p/in', 'msg_1', response());
  results.ready('msg_1');
  results.settleAll(pendingReply);
  results.settle('msg_1', reply('late'));
  expect(told).toEqual(['msg_1 pending ']);
});
