/** The bytes are not a well-formed message of the protocol: the peer is broken or hostile. */
export class WireError extends Error {
  readonly code = 'WIRE.MALFORMED';
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(`${message} at byte ${offset}`);
    this.name = 'WireError';
    this.offset = offset;
  }
}

/** Wire types of protobuf. Groups (3 and 4) are not part of proto3 and are refused. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** A whole tag (field number and wire type) fits one byte for fields 1 to 15, which are all we have. */
export const varintTag = (field: number): number => (field << 3) | VARINT;
export const bytesTag = (field: number): number => (field << 3) | BYTES;

/** A field number takes 29 bits, its wire type 3. */
const TAG_MAX = 2 ** 32 - 1;
const UINT32_MAX = 2 ** 32 - 1;
/** 2^63: a ten-byte varint reaches it, and no field of ours does. */
const VARINT_BYTES_MAX = 10;
/** Below this a loop over char codes beats the call into native code. */
const SHORT_TEXT = 24;

export function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Reads one frame from front to back. Nothing is copied: `bytes` gives views of the frame. Every length is checked against the
 * innermost enclosing message, so that a field can never reach over the end of its message into its neighbour.
 */
export class Reader {
  readonly frame: Buffer;
  at = 0;
  /** End of the message that is being read. */
  end: number;

  constructor(frame: Uint8Array) {
    this.frame = toBuffer(frame);
    this.end = frame.length;
  }

  /** An unsigned number up to 2^53 - 1. */
  varint(): number {
    const { frame, end } = this;
    if (this.at < end) {
      const byte = frame[this.at] as number;
      if (byte < 128) {
        this.at++;
        return byte;
      }
    }
    return this.longVarint();
  }

  private longVarint(): number {
    const start = this.at;
    let value = 0;
    let factor = 1;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      if (this.at >= this.end) throw new WireError('a number is cut off', start);
      const byte = this.frame[this.at++] as number;
      value += (byte & 127) * factor;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) throw new WireError('a number is too large', start);
        return value;
      }
      factor *= 128;
    }
    throw new WireError('a number does not end', start);
  }

  uint32(): number {
    const start = this.at;
    const value = this.varint();
    if (value > UINT32_MAX) throw new WireError('a 32-bit number is too large', start);
    return value;
  }

  tag(): number {
    const start = this.at;
    const tag = this.varint();
    if (tag > TAG_MAX || tag < 8) throw new WireError('not a field', start);
    return tag;
  }

  /** Reads a length and leaves the position at the first byte it counts; answers where those bytes end. */
  length(): number {
    const start = this.at;
    const end = this.varint() + this.at;
    if (end > this.end) throw new WireError('a length reaches over the end of its message', start);
    return end;
  }

  bytes(): Buffer {
    const end = this.length();
    const bytes = this.frame.subarray(this.at, end);
    this.at = end;
    return bytes;
  }

  text(): string {
    const end = this.length();
    const start = this.at;
    this.at = end;
    if (end === start) return '';
    const text = this.frame.toString('utf8', start, end);
    // A replacement character is the only trace that decoding leaves of broken UTF-8; a sender may also mean it.
    if (text.includes('\ufffd') && !Buffer.from(text).equals(this.frame.subarray(start, end))) throw new WireError('a text is not UTF-8', start);
    return text;
  }

  /** Passes over a field of which only the tag has been read. */
  skip(tag: number): void {
    const start = this.at;
    switch (tag & 7) {
      case VARINT:
        for (let i = 0; i < VARINT_BYTES_MAX; i++) {
          if (this.at >= this.end) throw new WireError('a number is cut off', start);
          if ((this.frame[this.at++] as number) < 128) return;
        }
        throw new WireError('a number does not end', start);
      case FIXED64:
        return this.forward(8);
      case BYTES:
        this.at = this.length();
        return;
      case FIXED32:
        return this.forward(4);
      default:
        throw new WireError('a wire type that this protocol does not use', start);
    }
  }

  private forward(bytes: number): void {
    if (this.at + bytes > this.end) throw new WireError('a number is cut off', this.at);
    this.at += bytes;
  }
}

export function varintLength(value: number): number {
  if (value < 128) return 1;
  if (value < 16_384) return 2;
  if (value < 2_097_152) return 3;
  if (value < 268_435_456) return 4;
  let length = 4;
  for (let rest = Math.floor(value / 268_435_456); rest > 0; rest = Math.floor(rest / 128)) length++;
  return length;
}

/** Most bytes that `text` can take with its tag and length. */
export const textBound = (text: string): number => text.length * 3 + 6;

/**
 * Writes into a buffer that the caller made large enough (bounds, not exact sizes: measuring every text first costs more than
 * writing it). Fields with their default value are left out, as proto3 does.
 */
export class Writer {
  readonly frame: Buffer;
  at = 0;

  constructor(bound: number) {
    this.frame = Buffer.allocUnsafe(bound);
  }

  varint(value: number): void {
    const { frame } = this;
    let rest = value;
    while (rest > 0x7fffffff) {
      frame[this.at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      frame[this.at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    frame[this.at++] = rest;
  }

  number(tag: number, value: number): void {
    if (value === 0) return;
    this.frame[this.at++] = tag;
    this.varint(value);
  }

  text(tag: number, text: string): void {
    const units = text.length;
    if (units === 0) return;
    const { frame } = this;
    frame[this.at++] = tag;
    const lengthAt = this.at;
    // Right for ASCII, which is nearly everything; otherwise `close` makes room.
    const guess = varintLength(units);
    let at = lengthAt + guess;
    if (units < SHORT_TEXT) {
      let i = 0;
      for (; i < units; i++) {
        const code = text.charCodeAt(i);
        if (code > 127) break;
        frame[at + i] = code;
      }
      at += i === units ? units : frame.write(text, at);
    } else {
      at += frame.write(text, at);
    }
    this.at = at;
    this.close(lengthAt, guess);
  }

  bytes(tag: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.frame[this.at++] = tag;
    this.varint(bytes.length);
    this.raw(bytes);
  }

  raw(bytes: Uint8Array): void {
    this.frame.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** Starts a message inside a message; `guess` bytes are kept for its length. Answers where the length goes, for `close`. */
  open(tag: number, guess: number): number {
    this.frame[this.at++] = tag;
    const lengthAt = this.at;
    this.at += guess;
    return lengthAt;
  }

  /** Writes the length of what came after `open`, moving it when the guess was wrong: the shortest form is the only one we send. */
  close(lengthAt: number, guess: number): void {
    const start = lengthAt + guess;
    const length = this.at - start;
    const needed = varintLength(length);
    if (needed !== guess) this.frame.copyWithin(lengthAt + needed, start, this.at);
    this.at = lengthAt;
    this.varint(length);
    this.at += length;
  }

  done(): Buffer {
    return this.frame.subarray(0, this.at);
  }
}
