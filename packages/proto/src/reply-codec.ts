import { ReplyStatus } from './gen/vrsky/connector/v1/connector_pb.ts';
import { bytesTag, Reader, textBound, varintLength, varintTag, Writer } from './wire.ts';

/** What a pipeline made of one message, for the peer that sent it. */
export interface Reply {
  seq: number;
  /** `unspecified` is what a newer node says in words this side does not know. */
  status: 'unspecified' | 'done' | 'filtered' | 'failed' | 'too_large';
  peerStatus: number;
  contentType: string;
  payload: Uint8Array;
  code: string;
  reason: string;
}

const numbers: Record<Reply['status'], number> = {
  unspecified: ReplyStatus.UNSPECIFIED,
  done: ReplyStatus.DONE,
  filtered: ReplyStatus.FILTERED,
  failed: ReplyStatus.FAILED,
  too_large: ReplyStatus.TOO_LARGE,
};
const names = Object.keys(numbers) as Reply['status'][];

const SEQ = varintTag(1);
const STATUS = varintTag(2);
const PEER_STATUS = varintTag(3);
const CONTENT_TYPE = bytesTag(4);
const PAYLOAD = bytesTag(5);
const CODE = bytesTag(6);
const REASON = bytesTag(7);
const OVERHEAD = 48;
const EMPTY = new Uint8Array(0);

/** Most bytes that a reply takes, with its own tag and length. */
export function replyBound({ contentType, payload, code, reason }: Reply): number {
  return textBound(contentType) + payload.length + textBound(code) + textBound(reason) + OVERHEAD;
}

export function encodeReply(reply: Reply): Uint8Array {
  const writer = new Writer(replyBound(reply));
  writeFields(writer, reply);
  return writer.done();
}

/** Throws WireError. */
export function decodeReply(bytes: Uint8Array): Reply {
  const reader = new Reader(bytes);
  return readFields(reader, reader.end);
}

/** As an entry of a batch. */
export function writeReply(writer: Writer, tag: number, reply: Reply): void {
  const guess = varintLength(reply.contentType.length + reply.payload.length + reply.code.length + reply.reason.length + 24);
  const lengthAt = writer.open(tag, guess);
  writeFields(writer, reply);
  writer.close(lengthAt, guess);
}

/** An entry of a batch whose tag has been read. Throws WireError. */
export function readReply(reader: Reader): Reply {
  const outer = reader.end;
  const end = reader.length();
  reader.end = end;
  const reply = readFields(reader, end);
  reader.end = outer;
  return reply;
}

function writeFields(writer: Writer, reply: Reply): void {
  writer.number(SEQ, reply.seq);
  writer.number(STATUS, numbers[reply.status]);
  writer.number(PEER_STATUS, reply.peerStatus);
  writer.text(CONTENT_TYPE, reply.contentType);
  writer.bytes(PAYLOAD, reply.payload);
  writer.text(CODE, reply.code);
  writer.text(REASON, reply.reason);
}

function readFields(reader: Reader, end: number): Reply {
  const reply: Reply = { seq: 0, status: 'unspecified', peerStatus: 0, contentType: '', payload: EMPTY, code: '', reason: '' };
  while (reader.at < end) {
    const tag = reader.tag();
    if (tag === SEQ) reply.seq = reader.varint();
    else if (tag === STATUS) reply.status = names[reader.uint32()] ?? 'unspecified';
    else if (tag === PEER_STATUS) reply.peerStatus = reader.uint32();
    else if (tag === CONTENT_TYPE) reply.contentType = reader.text();
    else if (tag === PAYLOAD) reply.payload = reader.bytes();
    else if (tag === CODE) reply.code = reader.text();
    else if (tag === REASON) reply.reason = reader.text();
    else reader.skip(tag);
  }
  return reply;
}
