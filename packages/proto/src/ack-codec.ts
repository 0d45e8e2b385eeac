import { AckStatus } from './gen/vrsky/connector/v1/connector_pb.ts';
import { type Reply, readReply, replyBound, writeReply } from './reply-codec.ts';
import { bytesTag, Reader, textBound, varintLength, varintTag, Writer } from './wire.ts';

/** The node's word on one message it was handed. */
export type AckOutcome = 'stored' | 'unavailable' | 'exhausted' | 'too_large' | 'not_found';

export interface Ack {
  seq: number;
  /** `unspecified` is what a newer node says in words this side does not know. */
  status: AckOutcome | 'unspecified';
  messageId: string;
  retryAfterMs: number;
}

export interface AckBatch {
  acks: Ack[];
  credit: number;
  /** To be read after the acks: a reply may come in the frame that says its message is stored. */
  replies: Reply[];
}
export type AckBatchToSend = { acks: readonly Ack[]; credit: number; replies?: readonly Reply[] };

const numbers: Record<Ack['status'], number> = {
  unspecified: AckStatus.UNSPECIFIED,
  stored: AckStatus.STORED,
  unavailable: AckStatus.UNAVAILABLE,
  exhausted: AckStatus.EXHAUSTED,
  too_large: AckStatus.TOO_LARGE,
  not_found: AckStatus.NOT_FOUND,
};
const names = Object.keys(numbers) as Ack['status'][];

const ACKS = bytesTag(1);
const CREDIT = varintTag(2);
const REPLIES = bytesTag(3);
const SEQ = varintTag(1);
const STATUS = varintTag(2);
const MESSAGE_ID = bytesTag(3);
const RETRY_AFTER_MS = varintTag(4);
const ACK_OVERHEAD = 32;

export function encodeAckBatch(batch: AckBatchToSend): Uint8Array {
  let bound = ACK_OVERHEAD;
  for (const ack of batch.acks) bound += textBound(ack.messageId) + ACK_OVERHEAD;
  for (const reply of batch.replies ?? []) bound += replyBound(reply);
  const writer = new Writer(bound);
  for (const ack of batch.acks) {
    const guess = varintLength(ack.messageId.length);
    const lengthAt = writer.open(ACKS, guess);
    writer.number(SEQ, ack.seq);
    writer.number(STATUS, numbers[ack.status]);
    writer.text(MESSAGE_ID, ack.messageId);
    writer.number(RETRY_AFTER_MS, ack.retryAfterMs);
    writer.close(lengthAt, guess);
  }
  writer.number(CREDIT, batch.credit);
  for (const reply of batch.replies ?? []) writeReply(writer, REPLIES, reply);
  return writer.done();
}

/** Throws WireError. */
export function decodeAckBatch(frame: Uint8Array): AckBatch {
  const reader = new Reader(frame);
  const frameEnd = reader.end;
  const batch: AckBatch = { acks: [], credit: 0, replies: [] };
  while (reader.at < frameEnd) {
    const tag = reader.tag();
    if (tag === CREDIT) batch.credit = reader.uint32();
    else if (tag === ACKS) batch.acks.push(readAck(reader));
    else if (tag === REPLIES) batch.replies.push(readReply(reader));
    else reader.skip(tag);
  }
  return batch;
}

function readAck(reader: Reader): Ack {
  const outer = reader.end;
  const end = reader.length();
  const ack: Ack = { seq: 0, status: 'unspecified', messageId: '', retryAfterMs: 0 };
  reader.end = end;
  while (reader.at < end) {
    const tag = reader.tag();
    if (tag === SEQ) ack.seq = reader.varint();
    else if (tag === STATUS) ack.status = names[reader.uint32()] ?? 'unspecified';
    else if (tag === MESSAGE_ID) ack.messageId = reader.text();
    else if (tag === RETRY_AFTER_MS) ack.retryAfterMs = reader.uint32();
    else reader.skip(tag);
  }
  reader.end = outer;
  return ack;
}
