import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { type Ack, decodeAckBatch, encodeAckBatch } from './ack-codec.ts';
import {
  AckBatchSchema,
  AckStatus,
  ErrorSource,
  MessageBatchSchema,
  type MessageSchema,
  ReplyStatus,
  SendResultBatchSchema,
  SendStatus,
} from './gen/vrsky/connector/v1/connector_pb.ts';
import { decodeBatch, decodeMessage, encodeBatch, encodeMessage, joinEntries, joinStamped, type Message, splitBatch, stampEntry } from './message-codec.ts';
import { type Random, randomSource } from './random.test-support.ts';
import { decodeReply, encodeReply, type Reply } from './reply-codec.ts';
import { decodeSendResults, encodeSendResults, type SendResult } from './send-result-codec.ts';
import { WireError } from './wire.ts';

describe('the hand-written codec equals the generated code', () => {
  test('random batches have the same bytes, and each side reads the other’s', () => {
    for (let seed = 0; seed < 200; seed++) {
      const messages = randomSource(seed).list(6, randomMessage);
      const generated = toBinary(MessageBatchSchema, create(MessageBatchSchema, { messages: messages.map(generatedMessage) }));
      expect(hex(encodeBatch(messages)), `seed ${seed}`).toBe(hex(generated));
      expect(decodeBatch(generated).map(plain)).toEqual(messages.map(plain));
      expect(hex(joinEntries(messages.map(encodeMessage)))).toBe(hex(generated));
    }
  });

  test('random acks have the same bytes and come back', () => {
    for (let seed = 0; seed < 100; seed++) {
      const random = randomSource(seed);
      const batch = { credit: random.integer(5_000), acks: random.list(8, randomAck), replies: random.list(3, randomReply) };
      const generated = toBinary(
        AckBatchSchema,
        create(AckBatchSchema, {
          credit: batch.credit,
          acks: batch.acks.map((ack) => ({ ...ack, seq: BigInt(ack.seq), status: ackNumbers[ack.status] })),
          replies: batch.replies.map((reply) => ({ ...reply, seq: BigInt(reply.seq), status: replyNumbers[reply.status] })),
        }),
      );
      expect(hex(encodeAckBatch(batch)), `seed ${seed}`).toBe(hex(generated));
      const readable = (reply: Reply) => ({ ...reply, payload: hex(reply.payload) });
      const decoded = decodeAckBatch(generated);
      expect({ ...decoded, replies: decoded.replies.map(readable) }).toEqual({ ...batch, replies: batch.replies.map(readable) });
      for (const reply of batch.replies) expect(readable(decodeReply(encodeReply(reply)))).toEqual(readable(reply));
    }
  });

  test('random results have the same bytes and come back', () => {
    for (let seed = 0; seed < 100; seed++) {
      const results = randomSource(seed).list(8, randomResult);
      const generated = toBinary(
        SendResultBatchSchema,
        create(SendResultBatchSchema, {
          results: results.map(({ source, startedAtUs, ...result }) => ({
            ...result,
            seq: BigInt(result.seq),
            startedAtUs: BigInt(startedAtUs),
            errorSource: sourceNumbers[source],
            status: statusNumbers[result.status],
          })),
        }),
      );
      expect(hex(encodeSendResults(results)), `seed ${seed}`).toBe(hex(generated));
      expect(decodeSendResults(generated).map((result) => ({ ...result, peerAnswer: hex(result.peerAnswer) }))).toEqual(
        results.map((result) => ({ ...result, peerAnswer: hex(result.peerAnswer) })),
      );
    }
  });
});

describe('stamping', () => {
  const stamp = { customerId: 'cus_right', pipelineId: 'pip_right', messageId: 'msg_right' };

  test('whatever the connector wrote, every reader sees the platform’s ids', () => {
    for (let seed = 0; seed < 100; seed++) {
      const messages = randomSource(seed).list(5, randomMessage);
      const entries = splitBatch(encodeBatch(messages));
      expect(entries.map((entry) => [entry.seq, entry.connectionId, entry.customerId])).toEqual(
        messages.map((message) => [message.seq, message.connectionId, message.customerId]),
      );
      const pack = joinEntries(entries.map((entry) => stampEntry(entry.raw, stamp)));
      expect(
        hex(
          joinStamped(
            entries,
            messages.map(() => stamp),
          ),
        ),
      ).toBe(hex(pack));
      expect(decodeBatch(pack).map(plain)).toEqual(messages.map((message) => plain({ ...message, ...stamp })));
      expect(fromBinary(MessageBatchSchema, pack).messages.map((message) => message.customerId)).toEqual(messages.map(() => 'cus_right'));
    }
  });

  test('a stamp with characters of several bytes is written whole', () => {
    const wide = { customerId: 'cus_'.padEnd(140, 'ü'), pipelineId: '✓', messageId: '𝄞' };
    const entries = [{ raw: encodeMessage({ seq: 7, payload: Buffer.alloc(100) }) }];
    expect(decodeBatch(joinStamped(entries, [wide]))[0]).toMatchObject(wide);
  });

  test('an entry whose last field claims more bytes than it has is refused, so it cannot swallow the stamp', () => {
    const swallow = Buffer.concat([encodeMessage({ seq: 1, connectionId: 'a/b', customerId: 'cus_wrong' }), Buffer.from([0x5a, 60])]);
    expect(() => splitBatch(joinEntries([swallow]))).toThrow(WireError);
  });

  test('a claimed customer in a repeated field is seen: the last claim counts, as for every reader', () => {
    const raw = Buffer.concat([encodeMessage({ seq: 1, customerId: 'cus_a' }), encodeMessage({ customerId: 'cus_b' })]);
    expect(splitBatch(joinEntries([raw]))[0]?.customerId).toBe('cus_b');
  });
});

describe('hostile bytes are refused', () => {
  const frame = encodeBatch([{ seq: 300, connectionId: 'pip/source', headers: [['x-a', 'b']], payload: Buffer.from('hello'), contentType: 'text/plain' }]);

  test('a frame cut anywhere', () => {
    for (let end = 1; end < frame.length; end++) {
      expect(() => splitBatch(frame.subarray(0, end)), `split at ${end}`).toThrow(WireError);
      expect(() => decodeBatch(frame.subarray(0, end)), `decode at ${end}`).toThrow(WireError);
    }
  });

  test.each([
    ['a number of eleven bytes', [0x0a, 0x0c, 0x08, ...Array(10).fill(0x80), 0x01]],
    ['a number beyond 2^53', [0x0a, 0x09, 0x08, ...Array(7).fill(0xff), 0x7f]],
    ['a length of 2^35', [0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
    ['a length of 2^32 + 1, which is 1 in 32 bits', [0x0a, 0x81, 0x80, 0x80, 0x80, 0x10, 0x00]],
    ['a payload longer than its message', [0x0a, 0x03, 0x5a, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00]],
    ['a header longer than its message', [0x0a, 0x02, 0x52, 0x04, 0x0a, 0x02, 0x61, 0x61]],
    ['a group', [0x0a, 0x02, 0x73, 0x74]],
    ['field number 0', [0x0a, 0x02, 0x02, 0x00]],
    ['a text that is not UTF-8', [0x0a, 0x04, 0x12, 0x02, 0xc3, 0x28]],
    ['a cut off number of eight bytes', [0x0a, 0x03, 0x79, 0x00, 0x00]],
    ['a cut off number of four bytes', [0x0a, 0x03, 0x7d, 0x00, 0x00]],
  ])('%s', (_, bytes) => {
    expect(() => decodeBatch(Buffer.from(bytes))).toThrow(WireError);
  });

  test('an attempt of more than 32 bits', () => {
    expect(() => decodeMessage(Buffer.from([0x48, 0xff, 0xff, 0xff, 0xff, 0x7f]))).toThrow(/32-bit/);
  });

  test('random bytes either decode or are refused; nothing else happens', () => {
    const random = randomSource(4);
    for (let i = 0; i < 5_000; i++) {
      const bytes = random.bytes(random.integer(40));
      for (const decode of [splitBatch, decodeBatch, decodeMessage, decodeAckBatch, decodeSendResults]) refusedOrRead(() => decode(bytes));
    }
  });

  test('valid frames with one byte changed either decode or are refused', () => {
    const random = randomSource(5);
    for (let i = 0; i < 5_000; i++) {
      const bytes = Buffer.from(frame);
      bytes[random.integer(bytes.length - 1)] = random.integer(255);
      refusedOrRead(() => splitBatch(bytes).map((entry) => decodeMessage(entry.raw)));
    }
  });
});

test('fields of a newer peer are passed over', () => {
  const unknown = Buffer.from([0xa0, 0x06, 0x01, 0xaa, 0x06, 0x02, 0x61, 0x62, 0xa9, 0x06, 1, 2, 3, 4, 5, 6, 7, 8, 0xad, 0x06, 1, 2, 3, 4]);
  const raw = Buffer.concat([encodeMessage({ seq: 9 }), unknown, encodeMessage({ connectionId: 'c' })]);
  expect(decodeMessage(raw)).toMatchObject({ seq: 9, connectionId: 'c' });
  expect(splitBatch(joinEntries([raw]))[0]).toMatchObject({ seq: 9, connectionId: 'c' });
});

test('a status of a newer peer is unspecified', () => {
  expect(decodeAckBatch(Buffer.from([0x0a, 0x02, 0x10, 0x63])).acks[0]?.status).toBe('unspecified');
  expect(decodeSendResults(Buffer.from([0x0a, 0x04, 0x10, 0x63, 0x18, 0x63]))[0]).toMatchObject({ status: 'unspecified', source: 'unspecified' });
});

test('a payload is a view of the frame, not a copy', () => {
  const frame = encodeBatch([{ payload: Buffer.from('abc') }]);
  const payload = decodeBatch(frame)[0]?.payload;
  expect(payload?.buffer).toBe(frame.buffer);
});

const ackNumbers: Record<Ack['status'], AckStatus> = {
  unspecified: AckStatus.UNSPECIFIED,
  stored: AckStatus.STORED,
  unavailable: AckStatus.UNAVAILABLE,
  exhausted: AckStatus.EXHAUSTED,
  too_large: AckStatus.TOO_LARGE,
  not_found: AckStatus.NOT_FOUND,
};
const replyNumbers: Record<Reply['status'], ReplyStatus> = {
  unspecified: ReplyStatus.UNSPECIFIED,
  done: ReplyStatus.DONE,
  filtered: ReplyStatus.FILTERED,
  failed: ReplyStatus.FAILED,
  too_large: ReplyStatus.TOO_LARGE,
};
const statusNumbers: Record<SendResult['status'], SendStatus> = {
  unspecified: SendStatus.UNSPECIFIED,
  ok: SendStatus.OK,
  retryable: SendStatus.RETRYABLE,
  permanent: SendStatus.PERMANENT,
  rate_limited: SendStatus.RATE_LIMITED,
};
const sourceNumbers: Record<SendResult['source'], ErrorSource> = {
  unspecified: ErrorSource.UNSPECIFIED,
  plugin: ErrorSource.PLUGIN,
  downstream: ErrorSource.DOWNSTREAM,
};

function randomMessage(random: Random): Message {
  return {
    seq: random.number(),
    connectionId: random.text(),
    customerId: random.text(),
    pipelineId: random.text(),
    messageId: random.text(),
    traceparent: random.text(),
    tracestate: random.text(),
    receivedAtUs: random.number(),
    attempt: random.integer(2 ** 32 - 1),
    headers: random.list(5, () => [random.text(), random.text()] as [string, string]),
    payload: random.bytes(random.pick([0, 1, 100, 127, 128, 16_300, 16_384])),
    contentType: random.text(),
    destinationId: random.text(),
  };
}

function randomAck(random: Random): Ack {
  return {
    seq: random.number(),
    status: random.pick(Object.keys(ackNumbers) as Ack['status'][]),
    messageId: random.text(),
    retryAfterMs: random.integer(2 ** 32 - 1),
  };
}

function randomReply(random: Random): Reply {
  return {
    seq: random.number(),
    status: random.pick(Object.keys(replyNumbers) as Reply['status'][]),
    peerStatus: random.integer(2 ** 32 - 1),
    contentType: random.text(),
    payload: random.bytes(random.integer(300)),
    code: random.text(),
    reason: random.text(),
  };
}

function randomResult(random: Random): SendResult {
  return {
    seq: random.number(),
    status: random.pick(Object.keys(statusNumbers) as SendResult['status'][]),
    source: random.pick(Object.keys(sourceNumbers) as SendResult['source'][]),
    reason: random.text(),
    code: random.text(),
    retryAfterMs: random.integer(2 ** 32 - 1),
    peerStatus: random.integer(999),
    peerAnswer: random.bytes(random.integer(1_024)),
    peerAnswerType: random.text(),
    peerAnswerCut: random.integer(1) === 1,
    startedAtUs: random.number(),
    durationUs: random.integer(2 ** 32 - 1),
  };
}

function generatedMessage(message: Message): MessageInitShape<typeof MessageSchema> {
  return {
    ...message,
    payload: new Uint8Array(message.payload),
    seq: BigInt(message.seq),
    receivedAtUs: BigInt(message.receivedAtUs),
    headers: message.headers.map(([name, value]) => ({ name, value })),
  };
}

function plain(message: Message): Omit<Message, 'payload'> & { payload: string } {
  return { ...message, payload: hex(message.payload) };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function refusedOrRead(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    expect(error).toBeInstanceOf(WireError);
  }
}
