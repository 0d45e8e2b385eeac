import { setImmediate as turn } from 'node:timers/promises';
import { encodeAckBatch } from '@vrsky/proto/ack-codec';
import { decodeBatch, type Message } from '@vrsky/proto/message-codec';
import { describe, expect, test } from 'vitest';
import type { Receipt, Reply } from '../connector.ts';
import { createFakeCall, type FakeCall } from './fake-call.test-support.ts';
import { createIntake } from './intake.ts';

function start(credit?: number) {
  const intake = createIntake(() => undefined);
  const node = createFakeCall();
  if (credit !== undefined) {
    intake.attach(node.call);
    grant(node, credit);
  }
  return { intake, node };
}

const grant = (node: FakeCall, credit: number): void => node.frame(encodeAckBatch({ acks: [], credit }));
const stored = (node: FakeCall, seq: number): void =>
  node.frame(encodeAckBatch({ acks: [{ seq, status: 'stored', messageId: `msg_${seq}`, retryAfterMs: 0 }], credit: 0 }));
const messages = (node: FakeCall): Message[] => node.written.flatMap((frame) => decodeBatch(frame));
const message = (text: string) => ({ connectionId: 'p/in', payload: Buffer.from(text) });

const result = (node: FakeCall, seq: number, text: string): void =>
  node.frame(
    encodeAckBatch({
      acks: [],
      credit: 0,
      replies: [{ seq, status: 'done', payload: Buffer.from(text), contentType: 'text/plain', peerStatus: 0, code: '', reason: '' }],
    }),
  );

describe('a message whose sender waits', () => {
  const ask = (intake: ReturnType<typeof createIntake>, replyWithinMs: number) => {
    const heard: string[] = [];
    const over = Promise.withResolvers<Reply>();
    intake.offer(
      { ...message('x'), replyWithinMs },
      ({ status }) => void heard.push(status),
      (reply) => {
        heard.push(`${reply.status} ${Buffer.from(reply.payload)}`);
        over.resolve(reply);
      },
    );
    return { heard, over: over.promise };
  };

  test('hears that it is stored, and then once what the pipeline made of it', async () => {
    const { intake, node } = start(10);
    const { heard } = ask(intake, 5_000);
    result(node, 1, 'too early');
    stored(node, 1);
    expect(heard).toEqual(['stored']);
    result(node, 1, 'made');
    result(node, 1, 'made again');
    expect(heard).toEqual(['stored', 'done made']);
    expect(intake.waitingForReply).toBe(0);
  });

  test('hears both from one frame, and a promise has both', async () => {
    const { intake, node } = start(10);
    const receipt = intake.submit({ ...message('x'), replyWithinMs: 5_000 });
    const ack = { seq: 1, status: 'stored' as const, messageId: 'msg_1', retryAfterMs: 0 };
    const reply = { seq: 1, status: 'filtered' as const, payload: Buffer.alloc(0), contentType: '', peerStatus: 0, code: 'filtered', reason: 'no' };
    node.frame(encodeAckBatch({ acks: [ack], credit: 0, replies: [reply] }));
    expect(await (await receipt).reply).toMatchObject({ status: 'filtered', reason: 'no' });
  });

  test('is told that the result is pending when the time is over, and what comes then meets nobody', async () => {
    const { intake, node } = start(10);
    const { heard, over } = ask(intake, 20);
    stored(node, 1);
    expect(await over).toMatchObject({ status: 'pending' });
    result(node, 1, 'late');
    expect(heard).toEqual(['stored', 'pending ']);
  });

  test('is told so, too, when the node goes away after it was stored, and nothing beyond its receipt when it was not', async () => {
    const { intake, node } = start(10);
    const [kept, lost] = [ask(intake, 5_000), ask(intake, 5_000)];
    stored(node, 1);
    node.hangUp();
    expect(kept.heard).toEqual(['stored', 'pending ']);
    expect(lost.heard).toEqual(['unavailable']);
    expect(intake.waitingForReply).toBe(0);
  });
});

describe('a message', () => {
  test('goes to the node with what its source said, and its receipt comes back', async () => {
    const { intake, node } = start(10);
    const receipt = intake.submit({
      ...message('hello'),
      contentType: 'text/plain',
      headers: [['x-a', '1']],
      traceparent: 'tp',
      tracestate: 'ts',
      receivedAtUs: 7,
    });
    await turn();
    expect(messages(node)[0]).toMatchObject({
      seq: 1,
      connectionId: 'p/in',
      customerId: '',
      messageId: '',
      contentType: 'text/plain',
      headers: [['x-a', '1']],
      traceparent: 'tp',
      tracestate: 'ts',
      receivedAtUs: 7,
    });
    stored(node, 1);
    expect(await receipt).toMatchObject({ status: 'stored', messageId: 'msg_1' });
  });

  test('is unavailable at once without a node', async () => {
    expect(await start().intake.submit(message('x'))).toEqual({ status: 'unavailable', messageId: '', retryAfterMs: 1_000 });
  });

  test('is unavailable when its node goes away, and the late word of that node meets nobody', async () => {
    const { intake, node } = start(10);
    const receipts: Receipt[] = [];
    intake.offer(message('x'), (receipt) => receipts.push(receipt));
    await turn();
    node.hangUp();
    expect(receipts.map(({ status }) => status)).toEqual(['unavailable']);
    const next = createFakeCall();
    intake.attach(next.call);
    grant(next, 10);
    intake.offer(message('y'), (receipt) => receipts.push(receipt));
    await turn();
    stored(next, 1); // the number of the first message
    expect(receipts).toHaveLength(1);
    stored(next, messages(next)[0]?.seq as number);
    expect(receipts.map(({ status }) => status)).toEqual(['unavailable', 'stored']);
  });

  test('that was not yet written when its node went away is not written to the next', async () => {
    const { intake, node } = start(10);
    intake.offer(message('x'), () => undefined);
    node.hangUp();
    const next = createFakeCall();
    intake.attach(next.call);
    await turn();
    expect([...node.written, ...next.written]).toEqual([]);
  });

  test('acknowledged twice is answered once', async () => {
    const { intake, node } = start(10);
    const receipts: Receipt[] = [];
    intake.offer(message('x'), (receipt) => receipts.push(receipt));
    await turn();
    stored(node, 1);
    stored(node, 1);
    expect(receipts).toHaveLength(1);
  });

  test('that the node answers in words of a later version is not taken for stored', async () => {
    const { intake, node } = start(10);
    const receipt = intake.submit(message('x'));
    await turn();
    node.frame(Buffer.from([0x0a, 0x04, 0x08, 0x01, 0x10, 0x63]));
    expect((await receipt).status).toBe('unavailable');
  });
});

describe('credit', () => {
  test('bounds what waits; beyond it a message is unavailable at once', async () => {
    const { intake, node } = start(2);
    const receipts: Receipt[] = [];
    for (let i = 0; i < 3; i++) intake.offer(message('x'), (receipt) => receipts.push(receipt));
    expect(intake.room).toBe(0);
    expect(receipts.map(({ status }) => status)).toEqual(['unavailable']);
    await turn();
    stored(node, 1);
    expect(intake.room).toBe(1);
  });

  test('given again counts beyond what waits', async () => {
    const { intake, node } = start(2);
    intake.offer(message('x'), () => undefined);
    await turn();
    grant(node, 5);
    expect(intake.room).toBe(5);
  });

  test('is 0 before the node has given any', () => {
    const { intake, node } = start();
    intake.attach(node.call);
    expect(intake.room).toBe(0);
  });
});

test('messages of one turn share a frame; a node that takes no more gets the rest in one frame later', async () => {
  const { intake, node } = start(1_000);
  node.isFull = true;
  for (let i = 0; i < 5; i++) intake.offer(message(`a${i}`), () => undefined);
  await turn();
  for (let i = 0; i < 5; i++) {
    intake.offer(message(`b${i}`), () => undefined);
    await turn();
  }
  node.drain();
  await turn();
  expect(node.written.map((frame) => decodeBatch(frame).length)).toEqual([5, 5]);
});

test('a second stream takes the place of the first', async () => {
  const { intake, node } = start(10);
  const receipt = intake.submit(message('x'));
  const next = createFakeCall();
  intake.attach(next.call);
  expect((await receipt).status).toBe('unavailable');
  expect(node.ended).toBe(true);
  node.hangUp(); // what still comes from it changes nothing
  grant(next, 3);
  expect(intake.room).toBe(3);
});

test('a frame that cannot be read ends the stream', () => {
  const { intake, node } = start(10);
  node.frame(Buffer.from('garbage'));
  expect(node.errors).toHaveLength(1);
  expect(intake.room).toBe(0);
});
