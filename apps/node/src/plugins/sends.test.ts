import type { Message } from '@vrsky/proto/message-codec';
import type { SendResult } from '@vrsky/proto/send-result-codec';
import { expect, test } from 'vitest';
import { createSends, type OutgoingMessage, type SendOutcome } from './sends.ts';

const message = (connectionId: string): OutgoingMessage => ({
  connectionId,
  customerId: 'cus_a',
  pipelineId: 'p',
  messageId: 'msg_1',
  traceparent: '',
  tracestate: '',
  attempt: 1,
  headers: [],
  payload: Buffer.from('x'),
  contentType: '',
});
const result = (seq: number, more: Partial<SendResult> = {}): SendResult => ({
  seq,
  status: 'ok',
  source: 'downstream',
  reason: '',
  code: '',
  retryAfterMs: 0,
  peerStatus: 200,
  peerAnswer: Buffer.alloc(0),
  peerAnswerType: '',
  peerAnswerCut: false,
  startedAtUs: 0,
  durationUs: 0,
  ...more,
});

function start() {
  let now = 0;
  const sends = createSends(() => now);
  const written: Partial<Message>[] = [];
  const strays: string[] = [];
  const unanswered: number[] = [];
  const line = {
    write: (one: Partial<Message>) => void written.push(one),
    stray: (kind: string) => void strays.push(kind),
    unanswered: (inARow: number) => void unanswered.push(inARow),
  };
  const outcomes: (SendOutcome | null)[] = [];
  return {
    sends,
    written,
    line,
    strays,
    unanswered,
    outcomes,
    send(connectionId = 'p/out', deadlineMs = 1_000): void {
      const i = outcomes.push(null) - 1;
      void sends.send(message(connectionId), deadlineMs).then((outcome) => {
        outcomes[i] = outcome;
      });
    },
    async at(ms: number): Promise<(string | undefined)[]> {
      now = ms;
      sends.expire();
      await Promise.resolve();
      return outcomes.map((outcome) => outcome?.code);
    },
  };
}

test('a message that gets no result is answered for when its time is over', async () => {
  const { sends, line, send, at } = start();
  sends.open(line);
  send();
  expect(await at(1_000)).toEqual([undefined]);
  expect(await at(1_001)).toEqual(['no_result']);
  expect(sends.inFlight).toBe(0);
});

test('behind a slow receiver nothing is late as long as its connection gives results', async () => {
  const { sends, line, send, at, written } = start();
  sends.open(line);
  for (let i = 0; i < 5; i++) send();
  for (let i = 0; i < 5; i++) {
    await at(i * 900 + 900);
    sends.settle([result(written[i]?.seq as number)]);
  }
  expect(await at(4_500)).toEqual(['', '', '', '', '']);
});

test('results of one connection say nothing about another', async () => {
  const { sends, line, send, at, written } = start();
  sends.open(line);
  send('p/good');
  send('p/stuck');
  await at(900);
  sends.settle([result(written[0]?.seq as number)]);
  expect(await at(1_100)).toEqual(['', 'no_result']);
});

test('one message that is forgotten among many is found in the end', async () => {
  const { sends, line, send, at, written } = start();
  sends.open(line);
  send();
  for (let i = 1; i <= 70; i++) {
    send();
    sends.settle([result(written[i]?.seq as number)]);
    await at(i * 900);
  }
  expect((await at(63_000))[0]).toBe('no_result');
});

test('without a process a message waits for one, and goes out with it', async () => {
  const { sends, line, send, at, written } = start();
  send();
  expect(await at(900)).toEqual([undefined]);
  sends.open(line);
  expect(written).toHaveLength(1);
  expect(await at(1_800)).toEqual([undefined]);
});

test('but not for longer than its time', async () => {
  const { send, at, sends } = start();
  send();
  expect(await at(1_001)).toEqual(['connector_unavailable']);
  expect(sends.waiting).toBe(0);
});

test('a process that dies leaves what it had as retryable, and what only waited goes on waiting', async () => {
  const { sends, line, send, at } = start();
  sends.open(line);
  send();
  sends.close('It ended.');
  send();
  expect(await at(10)).toEqual(['connector_stopped', undefined]);
});

test('what waits is bounded', async () => {
  const { send, at, sends } = start();
  for (let i = 0; i < 8_193; i++) send();
  const codes = await at(10);
  expect(codes.filter((code) => code === 'connector_unavailable')).toHaveLength(1);
  expect(sends.waiting).toBe(8_192);
});

test('a result that comes twice, or for nobody, changes nothing and is counted', async () => {
  const { sends, line, send, at, written, strays } = start();
  sends.open(line);
  send();
  sends.settle([result(99), result(written[0]?.seq as number), result(written[0]?.seq as number, { code: 'second' })]);
  expect(await at(1)).toEqual(['']);
  expect(strays).toEqual(['unknown', 'twice']);
  expect(sends.strays).toEqual({ unknown: 1, twice: 1, late: 0 });
});

test('a result after the deadline is late, which is no fault of its own kind', async () => {
  const { sends, line, send, at, written, strays } = start();
  sends.open(line);
  send();
  expect(await at(1_001)).toEqual(['no_result']);
  sends.settle([result(written[0]?.seq as number)]);
  expect(strays).toEqual([]);
  expect(sends.strays.late).toBe(1);
  sends.settle([result(written[0]?.seq as number)]);
  expect(strays).toEqual(['twice']);
});

test('a process cannot answer for what an earlier one was given', async () => {
  const { sends, line, send, at, written, strays } = start();
  sends.open(line);
  send();
  sends.close('It ended.');
  sends.open(line);
  send();
  sends.settle([result(written[0]?.seq as number)]);
  expect(await at(1)).toEqual(['connector_stopped', undefined]);
  expect(strays).toEqual(['unknown']);
});

test('who answers nothing at all is told on; one result, also a late one, begins the count anew', async () => {
  const { sends, line, send, at, written, unanswered } = start();
  sends.open(line);
  send();
  send();
  await at(1_001);
  send();
  await at(2_002);
  expect(unanswered).toEqual([2, 3]);
  sends.settle([result(written[1]?.seq as number)]);
  send();
  await at(3_003);
  expect(unanswered).toEqual([2, 3, 1]);
});

test('a connector’s words are cut to our bounds', async () => {
  const { sends, line, send, at, written, outcomes } = start();
  sends.open(line);
  send();
  sends.settle([
    result(written[0]?.seq as number, {
      status: 'retryable',
      code: 'Bad Code!',
      reason: 'r'.repeat(9_000),
      retryAfterMs: 4e9,
      peerAnswer: Buffer.alloc(9_000),
    }),
  ]);
  await at(1);
  expect(outcomes[0]).toMatchObject({ code: 'unknown', retryAfterMs: 86_400_000 });
  expect(outcomes[0]?.reason).toHaveLength(500);
  expect(outcomes[0]?.peerAnswer).toHaveLength(1_024);
});

test('a status that this version does not know is no success', async () => {
  const { sends, line, send, at, written, outcomes } = start();
  sends.open(line);
  send();
  sends.settle([result(written[0]?.seq as number, { status: 'unspecified' })]);
  await at(1);
  expect(outcomes[0]).toMatchObject({ status: 'retryable', source: 'plugin', code: 'unknown_status' });
});

test('a connector that does not say how long it took is timed by the node, one that does is believed', async () => {
  const trial = start();
  trial.sends.open(trial.line);
  trial.send();
  trial.send();
  await trial.at(40);
  trial.sends.settle([result(1), result(2, { startedAtUs: 7_000, durationUs: 5 })]);
  await Promise.resolve();
  expect(trial.outcomes[0]?.durationUs).toBe(40_000);
  expect(Math.abs(Date.now() - 40 - (trial.outcomes[0]?.startedAtMs ?? 0))).toBeLessThan(5_000);
  expect(trial.outcomes[1]).toMatchObject({ startedAtMs: 7, durationUs: 5 });
});

test('an answer that goes on is as long as was asked for, whatever the connector sends, and otherwise known to be cut', async () => {
  const { sends, line, written } = start();
  sends.open(line);
  const wanting = [sends.send({ ...message('p/out'), answerBytesMax: 5_000 }, 1_000), sends.send({ ...message('p/out'), answerBytesMax: 5_000 }, 1_000)];
  sends.settle([
    result(written[0]?.seq as number, { peerAnswer: Buffer.alloc(5_000), peerAnswerType: 'application/json' }),
    result(written[1]?.seq as number, { peerAnswer: Buffer.alloc(5_001), peerAnswerType: 'line\nbreak' }),
  ]);
  const [whole, cut] = await Promise.all(wanting);
  expect(whole).toMatchObject({ peerAnswerType: 'application/json', peerAnswerCut: false });
  expect(whole?.peerAnswer).toHaveLength(5_000);
  expect(cut).toMatchObject({ peerAnswerType: '', peerAnswerCut: true });
  expect(cut?.peerAnswer).toHaveLength(1_024);
});
