import { setImmediate as oneTurn } from 'node:timers/promises';
import { encodeBatch } from '@vrsky/proto/message-codec';
import { decodeSendResults, type SendResult } from '@vrsky/proto/send-result-codec';
import { describe, expect, test } from 'vitest';
import type { Delivery, DeliveryResult, DestinationDefinition } from '../connector.ts';
import { createFakeCall, type FakeCall } from './fake-call.test-support.ts';
import { createOutlet } from './outlet.ts';

function start(send: DestinationDefinition['send'] | undefined) {
  const logged: string[] = [];
  const outlet = createOutlet(send ?? null, (_, text) => logged.push(text));
  const node = createFakeCall();
  outlet.attach(node.call);
  return { outlet, node, logged };
}

/** A promise's result takes one turn to come and one to leave. */
const turn = async (): Promise<void> => {
  await oneTurn();
  await oneTurn();
};

const deliver = (node: FakeCall, ...seqs: number[]): void =>
  node.frame(encodeBatch(seqs.map((seq) => ({ seq, connectionId: 'p/out', messageId: `msg_${seq}`, payload: Buffer.from('x') }))));
const results = (node: FakeCall): SendResult[] => node.written.flatMap((frame) => decodeSendResults(frame));

describe('a delivery', () => {
  test('answered through `done` or by a promise has its result, in one frame with others of the turn', async () => {
    const { node } = start((delivery, done) => {
      if (delivery.messageId === 'msg_1') return void done({ status: 'ok', peerStatus: 200 });
      return Promise.resolve({ status: 'permanent', code: 'http_400', reason: 'No.' } as const);
    });
    deliver(node, 1, 2);
    await turn();
    expect(node.written).toHaveLength(1);
    expect(results(node)).toMatchObject([
      { seq: 1, status: 'ok', source: 'downstream', peerStatus: 200 },
      { seq: 2, status: 'permanent', code: 'http_400', reason: 'No.' },
    ]);
  });

  test.each<[string, DestinationDefinition['send']]>([
    [
      'throws',
      () => {
        throw new Error('secret of a connector');
      },
    ],
    ['rejects', () => Promise.reject(new Error('secret of a connector'))],
  ])('that %s is retryable and the connector’s fault; why is in its log alone', async (_, send) => {
    const { node, logged } = start(send);
    deliver(node, 1);
    await turn();
    expect(results(node)).toMatchObject([{ seq: 1, status: 'retryable', source: 'plugin', code: 'connector_fault' }]);
    expect(results(node)[0]?.reason).not.toContain('secret');
    expect(logged[0]).toContain('secret of a connector');
  });

  test('answered several times counts once', async () => {
    const { node } = start((_, done) => {
      done({ status: 'ok' });
      done({ status: 'permanent' });
      throw new Error('afterwards');
    });
    deliver(node, 1);
    await turn();
    expect(results(node).map(({ status }) => status)).toEqual(['ok']);
  });

  test('keeps 1 KiB of the receiver’s answer', async () => {
    const { node } = start((_, done) => done({ status: 'ok', peerAnswer: Buffer.alloc(5_000) }));
    deliver(node, 1);
    await turn();
    expect(results(node)[0]?.peerAnswer).toHaveLength(1_024);
  });

  test('gives as much of the answer as its connection asked for; a longer one is cut and says so', async () => {
    const { node, outlet } = start((delivery, done) =>
      done({ status: 'ok', peerAnswer: Buffer.alloc(delivery.messageId === 'msg_1' ? 5_000 : 5_001), peerAnswerType: 'text/plain' }),
    );
    outlet.setAnswerBytesMax(new Map([['p/out', 5_000]]));
    deliver(node, 1, 2);
    await turn();
    const [whole, cut] = results(node);
    expect(whole).toMatchObject({ peerAnswerType: 'text/plain', peerAnswerCut: false });
    expect(whole?.peerAnswer).toHaveLength(5_000);
    expect(cut).toMatchObject({ peerAnswerType: 'text/plain', peerAnswerCut: true });
    expect(cut?.peerAnswer).toHaveLength(1_024);
  });

  test('to a connector that is no destination fails for good', async () => {
    const { node } = start(undefined);
    deliver(node, 1);
    await turn();
    expect(results(node)).toMatchObject([{ status: 'permanent', source: 'plugin', code: 'not_a_destination' }]);
  });

  test('whose node went away is answered to nobody', async () => {
    const open: ((result: DeliveryResult) => void)[] = [];
    const { node } = start((_: Delivery, done) => void open.push(done));
    deliver(node, 1);
    node.hangUp();
    open[0]?.({ status: 'ok' });
    await turn();
    expect(node.written).toEqual([]);
  });
});

test('idle is when every delivery has its result', async () => {
  const open: ((result: DeliveryResult) => void)[] = [];
  const { node, outlet } = start((_: Delivery, done) => void open.push(done));
  await outlet.idle();
  deliver(node, 1, 2);
  let idle = false;
  const waiting = outlet.idle().then(() => {
    idle = true;
  });
  open[0]?.({ status: 'ok' });
  await turn();
  expect(idle).toBe(false);
  open[1]?.({ status: 'ok' });
  await waiting;
});

test('a frame that cannot be read ends the stream', () => {
  const { node } = start((_, done) => done({ status: 'ok' }));
  node.frame(Buffer.from('garbage'));
  expect(node.errors).toHaveLength(1);
});
