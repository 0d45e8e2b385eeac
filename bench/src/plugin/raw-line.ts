import type net from 'node:net';
import { createBatcher } from '@vrsky/plugin/batcher';

/**
 * What a connector carries over a raw unix socket, in frames that gather as those of the connector protocol do. A line begins with nine
 * bytes of the host: `s` when the host sends or `r` when it receives, the length of a message, and how many may be on the way. A message
 * is its length in four bytes and itself; the answer to it is its number and a status, four bytes each. Numbers are big-endian.
 */
export interface RawHead {
  role: 's' | 'r';
  messageBytes: number;
  window: number;
}

export const RAW_HEAD_BYTES = 9;
const LENGTH_BYTES = 4;
const ANSWER_BYTES = 8;
const STATUS_OK = 1;

export function encodeRawHead({ role, messageBytes, window }: RawHead): Buffer {
  const head = Buffer.alloc(RAW_HEAD_BYTES);
  head.write(role);
  head.writeUInt32BE(messageBytes, 1);
  head.writeUInt32BE(window, 5);
  return head;
}

export function decodeRawHead(head: Buffer): RawHead {
  return { role: head.toString('latin1', 0, 1) === 's' ? 's' : 'r', messageBytes: head.readUInt32BE(1), window: head.readUInt32BE(5) };
}

/** Sends messages of one length and hears the answers, which come in order. `answered` is called for each. */
export function createRawSender(socket: net.Socket, messageBytes: number): { send(answered: () => void): void } {
  const message = Buffer.alloc(messageBytes, 'x');
  const waiting = new Map<number, () => void>();
  let sent = 0;
  const batcher = createBatcher<number>((numbers) => {
    const frame = Buffer.allocUnsafe(numbers.length * (LENGTH_BYTES + messageBytes));
    let at = 0;
    for (const _ of numbers) {
      frame.writeUInt32BE(messageBytes, at);
      message.copy(frame, at + LENGTH_BYTES);
      at += LENGTH_BYTES + messageBytes;
    }
    return socket.write(frame);
  });
  socket.on('drain', batcher.resume);
  onWhole(
    socket,
    () => ANSWER_BYTES,
    (bytes, at) => {
      const number = bytes.readUInt32BE(at);
      const answered = waiting.get(number);
      if (answered === undefined || bytes.readUInt32BE(at + LENGTH_BYTES) !== STATUS_OK) throw new Error(`the raw line answers for message ${number}`);
      waiting.delete(number);
      answered();
    },
  );
  return {
    send(answered) {
      waiting.set(sent, answered);
      batcher.add(sent, messageBytes + LENGTH_BYTES);
      sent = (sent + 1) % 2 ** 32;
    },
  };
}

/** Answers every message that comes; `onMessage` hears of each. */
export function receiveRaw(socket: net.Socket, onMessage: () => void): void {
  let received = 0;
  const batcher = createBatcher<number>((numbers) => {
    const frame = Buffer.allocUnsafe(numbers.length * ANSWER_BYTES);
    let at = 0;
    for (const number of numbers) {
      frame.writeUInt32BE(number, at);
      frame.writeUInt32BE(STATUS_OK, at + LENGTH_BYTES);
      at += ANSWER_BYTES;
    }
    return socket.write(frame);
  });
  socket.on('drain', batcher.resume);
  onWhole(
    socket,
    (bytes, at) => LENGTH_BYTES + bytes.readUInt32BE(at),
    () => {
      onMessage();
      batcher.add(received, ANSWER_BYTES);
      received = (received + 1) % 2 ** 32;
    },
  );
}

/** Cuts what comes into whole items; the length of one is known from its first four bytes. */
function onWhole(socket: net.Socket, lengthAt: (bytes: Buffer, at: number) => number, onItem: (bytes: Buffer, at: number) => void): void {
  let left: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    const bytes = left.length === 0 ? chunk : Buffer.concat([left, chunk]);
    let at = 0;
    while (bytes.length - at >= LENGTH_BYTES) {
      const length = lengthAt(bytes, at);
      if (bytes.length - at < length) break;
      onItem(bytes, at);
      at += length;
    }
    left = bytes.subarray(at);
  });
}
