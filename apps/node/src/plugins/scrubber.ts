import type { PluginLogRecord } from '@vrsky/plugin/plugin-log';

/** Takes known values out of what a connector says before anybody reads it. */
export interface Scrubber {
  /** Values that must not be seen from now on, in whatever encoding. Shorter ones than 8 characters are words, not secrets, and stay. */
  learn(values: Iterable<string | Uint8Array>): void;
  text(text: string): string;
  bytes(bytes: Uint8Array): Uint8Array;
  record(record: PluginLogRecord): PluginLogRecord;
}

export const MASK = '[secret]';
const LENGTH_MIN = 8;
/** Values of all connections of a process. Beyond it nothing new is learned: a bound, not a number that tenants come near. */
const PATTERNS_MAX = 200_000;
const DEPTH_MAX = 8;
const NAME = /authorization|cookie|token|secret|passw|credential|private|api[-_]?key/i;

/**
 * Finds values wherever they stand, not only in fields of certain names. A text is walked once, whatever the number of values: two
 * characters say whether one may begin here, eight which.
 */
export function createScrubber(): Scrubber {
  const starts = new Uint8Array(65_536);
  /** How long the values are that begin so. */
  const byHead = new Map<string, number[]>();
  const known = new Set<string>();

  const add = (pattern: string): void => {
    if (pattern.length < LENGTH_MIN || known.has(pattern) || known.size >= PATTERNS_MAX) return;
    known.add(pattern);
    starts[pairAt(pattern, 0)] = 1;
    const head = pattern.slice(0, LENGTH_MIN);
    const lengths = byHead.get(head) ?? [];
    if (lengths.includes(pattern.length)) return;
    // The longest that fits is the one that is meant.
    byHead.set(
      head,
      [...lengths, pattern.length].sort((a, b) => b - a),
    );
  };

  const text = (input: string): string => {
    if (known.size === 0) return input;
    let out = '';
    let from = 0;
    for (let at = 0; at <= input.length - LENGTH_MIN; at++) {
      if (starts[pairAt(input, at)] === 0) continue;
      const length = byHead.get(input.slice(at, at + LENGTH_MIN))?.find((end) => known.has(input.slice(at, at + end)));
      if (length === undefined) continue;
      out += input.slice(from, at) + MASK;
      from = at + length;
      at = from - 1;
    }
    return from === 0 ? input : out + input.slice(from);
  };
  const value = (input: unknown, depth: number): unknown => {
    if (typeof input === 'string') return text(input);
    if (typeof input !== 'object' || input === null) return input;
    if (depth === DEPTH_MAX) return '…';
    if (Array.isArray(input)) return input.map((item) => value(item, depth + 1));
    return Object.fromEntries(Object.entries(input).map(([key, item]) => [text(key), value(item, depth + 1)]));
  };

  return {
    learn(values) {
      for (const one of values) for (const pattern of encodingsOf(one)) add(pattern);
    },
    text,
    bytes(bytes) {
      if (known.size === 0 || bytes.length < LENGTH_MIN) return bytes;
      const before = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
      const after = text(before);
      return after === before ? bytes : Buffer.from(after, 'latin1');
    },
    record: (record) =>
      known.size === 0
        ? record
        : { ...record, message: text(record.message), module: text(record.module), fields: value(record.fields, 0) as PluginLogRecord['fields'] },
  };
}

/**
 * What in a connection's settings is most likely a secret: values under names that say so, the second half of `Bearer …`, and
 * passwords in addresses. Settings that are secrets belong into secrets; this is for those who did not know.
 */
export function secretsIn(settings: unknown): string[] {
  const found: string[] = [];
  const take = (input: unknown, isNamed: boolean, depth: number): void => {
    if (depth > DEPTH_MAX) return;
    if (typeof input === 'string') {
      if (isNamed) found.push(input, ...input.split(' ').slice(1));
      const password = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@]*:([^/?#@]+)@/i.exec(input)?.[1];
      if (password !== undefined) found.push(password);
    } else if (Array.isArray(input)) {
      for (const item of input) take(item, isNamed, depth + 1);
    } else if (typeof input === 'object' && input !== null) {
      const { name } = input as { name?: unknown };
      // `{ name: 'Authorization', value: '…' }`, as lists of headers are written; a reference to a secret is no secret.
      const isPair = typeof name === 'string' && NAME.test(name);
      for (const [key, item] of Object.entries(input)) if (key !== '$secret') take(item, NAME.test(key) || (isPair && key === 'value'), depth + 1);
    }
  };
  take(settings, false, 0);
  return found;
}

function pairAt(text: string, at: number): number {
  return ((text.charCodeAt(at) * 31) ^ text.charCodeAt(at + 1)) & 0xffff;
}

/** As programs write values: as they are, in each of their lines, in JSON, in an address, in base64 and in hex. */
function encodingsOf(value: string | Uint8Array): string[] {
  const bytes = Buffer.from(typeof value === 'string' ? Buffer.from(value, 'utf8') : value);
  const plain = bytes.toString('utf8');
  const lines = plain.includes('\n') ? plain.split('\n').map((line) => line.trim()) : [];
  return [
    ...new Set([
      plain,
      ...lines,
      JSON.stringify(plain).slice(1, -1),
      encodeURIComponent(plain.toWellFormed()),
      bytes.toString('latin1'),
      bytes.toString('base64').replace(/=+$/, ''),
      bytes.toString('base64url'),
      bytes.toString('hex'),
      bytes.toString('hex').toUpperCase(),
    ]),
  ];
}
