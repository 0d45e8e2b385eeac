/** A body cannot be split as the connection says; in words for the sender. */
export class UnsplittableBody extends Error {
  override name = 'UnsplittableBody';
}

const LF = 10;
const CR = 13;
const BACKSLASH = 92;
const QUOTE = 34;
const COMMA = 44;
const opening = new Set([91, 123]);
const closing = new Set([93, 125]);

/** The lines of NDJSON, byte for byte without their ends; empty ones are left out. Throws UnsplittableBody. */
export function splitLines(body: Buffer, max: number): Buffer[] {
  const parts: Buffer[] = [];
  for (let from = 0; from < body.length; ) {
    const found = body.indexOf(LF, from);
    const next = found < 0 ? body.length : found;
    const end = next > from && body[next - 1] === CR ? next - 1 : next;
    const line = body.subarray(from, end);
    from = next + 1;
    if (line.every((byte) => byte === 32 || byte === 9)) continue;
    add(parts, line, max);
    if (!isJson(line)) throw new UnsplittableBody(`Line ${parts.length} of the body is not JSON. The source takes NDJSON: one JSON value in each line.`);
  }
  return parts;
}

/** The entries of a JSON array, byte for byte as they stand in it. Throws UnsplittableBody. */
export function splitArray(body: Buffer, max: number): Buffer[] {
  const text = body.toString('utf8');
  if (!isJson(body) || !text.trimStart().startsWith('['))
    throw new UnsplittableBody('The body is not a JSON array, which this source takes apart into messages.');
  const parts: Buffer[] = [];
  let depth = 0;
  let inString = false;
  let from = body.indexOf(91) + 1;
  for (let at = from - 1; at < body.length; at++) {
    const byte = body[at] as number;
    if (inString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (opening.has(byte)) depth++;
    else if (closing.has(byte)) {
      depth--;
      if (depth === 0) {
        const last = trimmed(body.subarray(from, at));
        if (last.length > 0) add(parts, last, max);
        return parts;
      }
    } else if (byte === COMMA && depth === 1) {
      add(parts, trimmed(body.subarray(from, at)), max);
      from = at + 1;
    }
  }
  return parts;
}

function add(parts: Buffer[], part: Buffer, max: number): void {
  if (parts.length === max) throw new UnsplittableBody(`The body has more than ${max.toLocaleString('en')} messages. Send them in several requests.`);
  parts.push(part);
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString('utf8'));
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function trimmed(bytes: Buffer): Buffer {
  const isSpace = (at: number): boolean => bytes[at] === 32 || bytes[at] === 9 || bytes[at] === LF || bytes[at] === CR;
  let from = 0;
  let to = bytes.length;
  while (from < to && isSpace(from)) from++;
  while (to > from && isSpace(to - 1)) to--;
  return bytes.subarray(from, to);
}
