import { expect, test } from 'vitest';
import { createReplyBook, type ReplyContent } from './reply-book.ts';

const done = (text: string): ReplyContent => ({ status: 'done', peerStatus: 0, contentType: 'text/plain', payload: Buffer.from(text), code: '', reason: '' });

function start({ max = 10, perTenantMax = 10 } = {}) {
  const told: string[] = [];
  const counts: string[] = [];
  const gone = new Set<number>();
  const book = createReplyBook({
    max,
    perTenantMax,
    deliver(seq, content) {
      if (gone.has(seq)) return false;
      told.push(`${seq} ${Buffer.from(content.payload)}`);
      return true;
    },
    count: (tenantId, result) => counts.push(`${tenantId} ${result}`),
  });
  const wait = (messageId: string, seq: number, { tenantId = 'cus_a', untilMs = 100 } = {}) => book.expect({ tenantId, messageId, seq, untilMs });
  return { book, told, counts, gone, wait };
}

test('a result is told once, to the sender that waits for that message', () => {
  const { book, told, counts, wait } = start();
  wait('msg_1', 1);
  wait('msg_2', 2);
  book.stored('msg_1', 0);
  book.stored('msg_2', 0);
  book.accept('cus_a', 'msg_2', done('two'), 1);
  book.accept('cus_a', 'msg_2', done('two again'), 2);
  expect(told).toEqual(['2 two']);
  expect(counts).toEqual(['cus_a done', 'cus_a late']);
  expect(book.waiting).toBe(1);
});

test('a result that is there before the message is known to be stored waits for that', () => {
  const { book, told, wait } = start();
  wait('msg_1', 1);
  book.accept('cus_a', 'msg_1', done('made'), 1);
  expect(told).toEqual([]);
  book.stored('msg_1', 2);
  expect(told).toEqual(['1 made']);
});

test('of a message that was not stored nobody is told anything', () => {
  const { book, told, wait } = start();
  wait('msg_1', 1);
  book.forget('msg_1');
  book.accept('cus_a', 'msg_1', done('made'), 1);
  expect(told).toEqual([]);
  expect(book.waiting).toBe(0);
});

test("what comes in another tenant's account reaches nobody, and the right one still does", () => {
  const { book, told, counts, wait } = start();
  wait('msg_1', 1);
  book.stored('msg_1', 0);
  book.accept('cus_b', 'msg_1', done('forged'), 1);
  book.accept('cus_a', 'msg_1', done('made'), 2);
  expect(told).toEqual(['1 made']);
  expect(counts).toEqual(['cus_b late', 'cus_a done']);
});

test('a wait ends with its deadline; a result after that, or for a connector that is gone, is late', () => {
  const { book, told, counts, gone, wait } = start();
  for (const seq of [1, 2, 3]) {
    wait(`msg_${seq}`, seq, { untilMs: seq * 10 });
    book.stored(`msg_${seq}`, 0);
  }
  book.expire(10);
  book.accept('cus_a', 'msg_1', done('late'), 11);
  book.accept('cus_a', 'msg_2', done('late'), 21);
  gone.add(3);
  book.accept('cus_a', 'msg_3', done('gone'), 22);
  expect(told).toEqual([]);
  expect(counts).toEqual(['cus_a timeout', 'cus_a late', 'cus_a late', 'cus_a late']);
});

test('one tenant cannot use up the room of the others, and all together have a bound', () => {
  const { book, wait } = start({ max: 3, perTenantMax: 2 });
  expect([wait('a1', 1), wait('a2', 2), wait('a3', 3)]).toEqual([true, true, false]);
  expect(wait('b1', 4, { tenantId: 'cus_b' })).toBe(true);
  expect(wait('c1', 5, { tenantId: 'cus_c' })).toBe(false);
  book.forget('a1');
  expect(wait('c1', 5, { tenantId: 'cus_c' })).toBe(true);
});
