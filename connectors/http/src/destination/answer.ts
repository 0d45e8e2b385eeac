import { brotliDecompressSync, constants, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';

/** What is kept of an answer, for people. */
const KEPT_BYTES_MAX = 1_024;
/** What is read before anything is cut out: a secret that begins within the first KiB is seen whole. */
const READ_BYTES_MAX = 4_096;
/** Of 4 KiB no more than this is inflated for people: as much as deflate makes of them at best, 1 to 1,032. */
const INFLATED_BYTES_MAX = 8_388_608;
/** What cannot be compressed grows a little when one tries. */
const GROWTH_BYTES_MAX = 4_096;
const SECRET_CHARS_MIN = 6;

/** All of an answer that goes on; `too_long`: there is more than may; `unreadable`: it cannot be inflated. */
export type WholeAnswer = { kind: 'whole'; bytes: Uint8Array } | { kind: 'too_long' } | { kind: 'unreadable' };

/** An answer's body as it comes: its beginning, or where it goes on, all of it. */
export class AnswerBody {
  private readonly bytesMax: number;
  /** More of it need not be read. */
  readonly readMax: number;
  private chunks: Uint8Array[] = [];
  private kept = 0;
  /** There was more than is kept. */
  private isOver = false;

  /** `bytesMax`: how much of it goes on, inflated; 0: nothing does. */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
    this.readMax = bytesMax === 0 ? READ_BYTES_MAX : Math.max(READ_BYTES_MAX, bytesMax + GROWTH_BYTES_MAX);
  }

  add(chunk: Buffer): void {
    const room = this.readMax - this.kept;
    if (chunk.length > room) this.isOver = true;
    if (room === 0) return;
    const part = chunk.subarray(0, room);
    this.chunks.push(part);
    this.kept += part.length;
  }

  /** Inflated, without `sensitive`, and cut to 1 KiB. */
  start(encoding: string | undefined, sensitive: readonly string[]): Uint8Array {
    const bytes = this.joined().subarray(0, READ_BYTES_MAX);
    const plain = inflate(bytes, encoding, INFLATED_BYTES_MAX, true);
    const readable = plain === 'unreadable' || plain === 'too_long' || plain.length === 0 ? bytes : plain; // the answer's status counts all the same
    return redact(readable, sensitive, true).subarray(0, KEPT_BYTES_MAX);
  }

  /** Inflated and without `sensitive`. */
  whole(encoding: string | undefined, sensitive: readonly string[]): WholeAnswer {
    if (this.isOver) return { kind: 'too_long' };
    const plain = inflate(this.joined(), encoding, this.bytesMax, false);
    if (plain === 'unreadable' || plain === 'too_long') return { kind: plain };
    const bytes = redact(plain, sensitive, false);
    return bytes.length > this.bytesMax ? { kind: 'too_long' } : { kind: 'whole', bytes };
  }

  private joined(): Uint8Array {
    if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0] ?? EMPTY;
  }
}

const EMPTY = new Uint8Array(0);

type Inflate = (bytes: Uint8Array, maxOutputLength: number, isCut: boolean) => Uint8Array;

/** By the names of RFC 9110 §8.4.1. What is known to be cut is inflated as far as it goes; else it has to be complete. */
const inflaters: Record<string, Inflate> = {
  identity: (bytes) => bytes,
  gzip: (bytes, maxOutputLength, isCut) => gunzipSync(bytes, { ...(isCut && { finishFlush: constants.Z_SYNC_FLUSH }), maxOutputLength }),
  deflate: (bytes, maxOutputLength, isCut) => inflateSync(bytes, { ...(isCut && { finishFlush: constants.Z_SYNC_FLUSH }), maxOutputLength }),
  br: (bytes, maxOutputLength, isCut) => brotliDecompressSync(bytes, { ...(isCut && { finishFlush: constants.BROTLI_OPERATION_FLUSH }), maxOutputLength }),
  zstd: (bytes, maxOutputLength, isCut) => zstdDecompressSync(bytes, { ...(isCut && { finishFlush: constants.ZSTD_e_flush }), maxOutputLength }),
};

/** At most `bytesMax` bytes come into being, whatever the answer is. */
function inflate(bytes: Uint8Array, encoding: string | undefined, bytesMax: number, isCut: boolean): Uint8Array | 'unreadable' | 'too_long' {
  if (encoding === undefined || bytes.length === 0) return bytes;
  const name = encoding.trim().toLowerCase();
  const read = Object.hasOwn(inflaters, name) ? inflaters[name] : name === 'x-gzip' ? inflaters.gzip : undefined;
  if (read === undefined) return 'unreadable';
  try {
    return read(bytes, bytesMax, isCut);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'too_long' : 'unreadable';
  }
}

const MARK = '[redacted]';

function redact(bytes: Uint8Array, sensitive: readonly string[], isCut: boolean): Uint8Array {
  if (sensitive.length === 0) return bytes;
  // Latin-1 keeps every byte, and a secret is compared by its bytes.
  let text = Buffer.from(bytes).toString('latin1');
  for (const secret of [...sensitive].sort((a, b) => b.length - a.length)) {
    if (secret.length < SECRET_CHARS_MIN) continue; // as a word of any text it would cut out half of it
    const wanted = Buffer.from(secret).toString('latin1');
    text = text.replaceAll(wanted, MARK);
    if (isCut) text = withoutBeginningOf(wanted, text);
  }
  return Buffer.from(text, 'latin1');
}

/** The end of what was read may be the beginning of a secret. */
function withoutBeginningOf(secret: string, text: string): string {
  for (let length = Math.min(secret.length - 1, text.length); length >= SECRET_CHARS_MIN; length--) {
    if (text.endsWith(secret.slice(0, length))) return text.slice(0, -length) + MARK;
  }
  return text;
}
