import { createHash, randomBytes } from 'node:crypto';

/** Crockford's base32 in lower case: no i, l, o, u, so that an id survives being read aloud. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

export type IdKind = 'cus' | 'usr' | 'key' | 'pip' | 'nod' | 'msg' | 'in' | 'stp' | 'dst' | 'prc' | 'sec' | 'dek';

let pool = Buffer.alloc(0);
let used = 0;

function randomByte(): number {
  if (used === pool.length) {
    pool = randomBytes(4096);
    used = 0;
  }
  return pool[used++] ?? 0;
}

function randomText(length: number): string {
  let text = '';
  for (let i = 0; i < length; i++) text += ALPHABET[randomByte() & 31];
  return text;
}

function timeText(nowMs: number): string {
  let rest = nowMs;
  let text = '';
  for (let i = 0; i < 10; i++) {
    text = ALPHABET[rest % 32] + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

/** A new id: kind, then 10 characters of time and 16 random ones (80 bits), so ids of one kind sort by age (as ULID does). */
export function newId(kind: IdKind, nowMs: number = Date.now()): string {
  return `${kind}_${timeText(nowMs)}${randomText(16)}`;
}

/** An address nobody can guess (120 random bits), for URLs that are their own permission. */
export function newInletPath(): string {
  return `in_${randomText(24)}`;
}

const shape = /^[a-z]{2,3}_[0-9a-hjkmnp-tv-z]{24,26}$/;

export function isId(kind: IdKind, value: string): boolean {
  return value.startsWith(`${kind}_`) && shape.test(value);
}

/**
 * The id of the message that a destination's answer becomes: the same each time for one message and destination, so that an answer that was stored
 * twice is one message. It sorts beside the message it answers.
 */
export function answerId(messageId: string, destinationId: string): string {
  const hash = createHash('sha256').update(`vrsky/answer/1\n${messageId}\n${destinationId}`).digest();
  let text = '';
  for (let i = 0; i < 16; i++) text += ALPHABET[(hash[i] ?? 0) & 31];
  return `${messageId.slice(0, 14).padEnd(14, '0')}${text}`;
}
