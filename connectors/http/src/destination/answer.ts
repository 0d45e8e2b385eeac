import { constants, gunzipSync, inflateSync } from 'node:zlib';

/** What is kept of an answer, for people. */
const KEPT_BYTES_MAX = 1_024;
/** What is read before anything is cut out: a secret that begins within the first KiB is seen whole. */
const READ_BYTES_MAX = 4_096;
/** 4 KiB cannot become more than this: deflate is at best 1 to 1,032. */
const INFLATED_BYTES_MAX = 8_388_608;
const SECRET_CHARS_MIN = 6;
const EMPTY = new Uint8Array(0);

/** The beginning of an answer's body, as it comes. */
export class AnswerStart {
  private bytes: Uint8Array = EMPTY;

  add(chunk: Buffer): void {
    if (this.bytes.length >= READ_BYTES_MAX) return;
    const part = chunk.subarray(0, READ_BYTES_MAX - this.bytes.length);
    this.bytes = this.bytes.length === 0 ? part : Buffer.concat([this.bytes, part]);
  }

  /** Inflated, without `sensitive`, and cut to 1 KiB. */
  take(encoding: string | undefined, sensitive: readonly string[]): Uint8Array {
    const plain = encoding === undefined ? this.bytes : inflate(this.bytes, encoding.trim().toLowerCase());
    return (sensitive.length === 0 ? plain : redact(plain, sensitive)).subarray(0, KEPT_BYTES_MAX);
  }
}

/** As far as it can be inflated; what cannot be is left as it is. */
function inflate(bytes: Uint8Array, encoding: string): Uint8Array {
  const read = encoding === 'gzip' || encoding === 'x-gzip' ? gunzipSync : encoding === 'deflate' ? inflateSync : null;
  if (read === null || bytes.length === 0) return bytes;
  try {
    return read(bytes, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: INFLATED_BYTES_MAX });
  } catch {
    return bytes; // not what it says it is; the answer's status counts all the same
  }
}

const MARK = '[redacted]';

function redact(bytes: Uint8Array, sensitive: readonly string[]): Uint8Array {
  // Latin-1 keeps every byte, and a secret is compared by its bytes.
  let text = Buffer.from(bytes).toString('latin1');
  for (const secret of [...sensitive].sort((a, b) => b.length - a.length)) {
    if (secret.length < SECRET_CHARS_MIN) continue; // as a word of any text it would cut out half of it
    const wanted = Buffer.from(secret).toString('latin1');
    text = text.replaceAll(wanted, MARK);
    // The end may be the beginning of one.
    for (let length = Math.min(wanted.length - 1, text.length); length >= SECRET_CHARS_MIN; length--) {
      if (!text.endsWith(wanted.slice(0, length))) continue;
      text = text.slice(0, -length) + MARK;
      break;
    }
  }
  return Buffer.from(text, 'latin1');
}
