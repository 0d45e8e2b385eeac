import { ByteWriter, isUnusual } from './byte-writer.ts';

/**
 * JSON on its way into the engine, in the engine's own binary form of a value (QuickJS 2025-09-13, `JS_WriteObject`), so that the engine
 * does not read JSON text itself, which takes it some 270 instructions a byte. Lengths and counts are LEB128 numbers; a string's is shifted
 * by one, with the lowest bit set when its units have 16 bits; the names of properties stand in a list at the beginning.
 */
const version = 5;
const tag = { null: 1, false: 3, true: 4, int32: 5, float64: 6, string: 7, object: 8, array: 9 } as const;
const ascii = (character: string): number => character.charCodeAt(0);
const quote = ascii('"');
const backslash = ascii('\\');
const minus = ascii('-');
const zero = ascii('0');
const nine = ascii('9');
const [openBracket, closeBracket, openBrace, closeBrace, comma, colon, point] = [0x5b, 0x5d, 0x7b, 0x7d, 0x2c, 0x3a, 0x2e];

/** Deeper JSON is for the engine's own parser, which counts the stack it takes. */
const depthMax = 100;
/** A count in three bytes: it is written before it is known. */
const countMax = 2 ** 21 - 1;

export interface JsonReader {
  /**
   * Reads JSON (RFC 8259) of well-formed UTF-8. Returns the size of the engine's form of it in bytes, or -1 when it is not JSON or nested
   * deeper than 100.
   */
  read(json: Uint8Array): number;
  /** Writes what was read last. */
  copyTo(memory: Uint8Array, at: number): void;
}

export function createJsonReader(): JsonReader {
  let from: Uint8Array = nothing;
  let at = 0;
  let depth = 0;
  const body = new ByteWriter();
  const names = new ByteWriter();
  let nameCount = 0;
  /** Names by the hash of their bytes: a number from 1, and where in `from` the bytes are. A name that finds no place in it is listed again. */
  const places = 1024;
  const placesTried = 8;
  const numberAt = new Uint16Array(places);
  const hashAt = new Int32Array(places);
  const startAt = new Int32Array(places);
  const lengthAt = new Int32Array(places);
  /** A string that does not stand in the JSON as it is. */
  let units = new Uint16Array(256);
  let unitCount = 0;

  function skipSpace(): void {
    for (; at < from.length; at++) {
      const byte = from[at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
    }
  }

  /** Each of these returns whether it was JSON. */
  function readValue(): boolean {
    const byte = from[at];
    if (byte === quote) {
      body.reserve(1);
      body.bytes[body.end++] = tag.string;
      return readString(body);
    }
    if (byte === openBrace) return readObject();
    if (byte === openBracket) return readArray();
    if (byte === ascii('t')) return readWord(trueWord, tag.true);
    if (byte === ascii('f')) return readWord(falseWord, tag.false);
    if (byte === ascii('n')) return readWord(nullWord, tag.null);
    return readNumber();
  }

  function readWord(word: Uint8Array, wordTag: number): boolean {
    for (let i = 0; i < word.length; i++) if (from[at + i] !== word[i]) return false;
    at += word.length;
    body.reserve(1);
    body.bytes[body.end++] = wordTag;
    return true;
  }

  function readArray(): boolean {
    const countAt = open(tag.array);
    if (countAt < 0) return false;
    let count = 0;
    if (from[at] === closeBracket) at++;
    else
      for (;;) {
        if (!readValue()) return false;
        count++;
        skipSpace();
        const byte = from[at++];
        if (byte === closeBracket) break;
        if (byte !== comma) return false;
        skipSpace();
      }
    return close(countAt, count);
  }

  function readObject(): boolean {
    const countAt = open(tag.object);
    if (countAt < 0) return false;
    let count = 0;
    if (from[at] === closeBrace) at++;
    else
      for (;;) {
        if (from[at] !== quote || !readName()) return false;
        skipSpace();
        if (from[at++] !== colon) return false;
        skipSpace();
        if (!readValue()) return false;
        count++;
        skipSpace();
        const byte = from[at++];
        if (byte === closeBrace) break;
        if (byte !== comma) return false;
        skipSpace();
      }
    return close(countAt, count);
  }

  function open(containerTag: number): number {
    if (++depth > depthMax) return -1;
    at++;
    skipSpace();
    body.reserve(4);
    body.bytes[body.end] = containerTag;
    body.end += 4;
    return body.end - 3;
  }

  function close(countAt: number, count: number): boolean {
    depth--;
    body.bytes[countAt] = (count & 0x7f) | 0x80;
    body.bytes[countAt + 1] = ((count >> 7) & 0x7f) | 0x80;
    body.bytes[countAt + 2] = count >> 14;
    return count <= countMax;
  }

  function readName(): boolean {
    const start = at + 1;
    let hash = 0;
    let end = start;
    for (; ; end++) {
      const byte = from[end] as number;
      if (byte === quote || isUnusual(byte)) break;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    if (from[end] !== quote) {
      if (!readString(names)) return false;
      putName(++nameCount);
      return true;
    }
    const length = end - start;
    for (let i = 0; i < placesTried; i++) {
      const place = (hash + i) & (places - 1);
      const number = numberAt[place] as number;
      if (number === 0) {
        // Above this, a number does not fit.
        if (nameCount < 0xffff) {
          numberAt[place] = nameCount + 1;
          hashAt[place] = hash;
          startAt[place] = start;
          lengthAt[place] = length;
        }
        break;
      }
      if (hashAt[place] === hash && lengthAt[place] === length && isSame(startAt[place] as number, start, length)) {
        at = end + 1;
        putName(number);
        return true;
      }
    }
    names.putString(from, start, end);
    at = end + 1;
    putName(++nameCount);
    return true;
  }

  function isSame(one: number, other: number, length: number): boolean {
    for (let i = 0; i < length; i++) if (from[one + i] !== from[other + i]) return false;
    return true;
  }

  /** Numbers start at 1, which is where the engine's own names end when no code is in the value. */
  function putName(number: number): void {
    body.putLeb(number * 2);
  }

  function readString(to: ByteWriter): boolean {
    const start = at + 1;
    let end = start;
    while (from[end] !== quote) {
      if (isUnusual(from[end] as number)) return readUnusualString(to);
      end++;
    }
    to.putString(from, start, end);
    at = end + 1;
    return true;
  }

  function readUnusualString(to: ByteWriter): boolean {
    unitCount = 0;
    let all = 0;
    for (at++; from[at] !== quote; ) {
      let code = from[at++] as number;
      if (!(code >= 0x20)) return false;
      if (code === backslash) {
        const escaped = from[at++] as number;
        code = escaped === ascii('u') ? readHex() : (escapes.get(escaped) ?? -1);
        if (code < 0) return false;
      } else if (code >= 0xf0) {
        code = (((code & 7) << 18) | (follow() << 12) | (follow() << 6) | follow()) - 0x10000;
        addUnit(0xd800 | (code >> 10));
        code = 0xdc00 | (code & 0x3ff);
      } else if (code >= 0xe0) code = ((code & 15) << 12) | (follow() << 6) | follow();
      else if (code >= 0x80) code = ((code & 31) << 6) | follow();
      addUnit(code);
      all |= code;
    }
    at++;
    to.putUnits(units, unitCount, all > 0xff);
    return true;
  }

  function follow(): number {
    return (from[at++] as number) & 63;
  }

  function addUnit(unit: number): void {
    if (unitCount === units.length) {
      const larger = new Uint16Array(units.length * 2);
      larger.set(units);
      units = larger;
    }
    units[unitCount++] = unit;
  }

  function readHex(): number {
    let code = 0;
    for (let i = 0; i < 4; i++) {
      const byte = from[at++] as number;
      const letter = byte | 0x20;
      if (byte >= zero && byte <= nine) code = code * 16 + byte - zero;
      else if (letter >= 0x61 && letter <= 0x66) code = code * 16 + letter - 0x57;
      else return -1;
    }
    return code;
  }

  function readNumber(): boolean {
    const start = at;
    const isNegative = from[at] === minus;
    if (isNegative) at++;
    const digitsAt = at;
    /** All digits, as long as they are few enough to be exact. */
    let digits = 0;
    let byte = from[at] as number;
    for (; byte >= zero && byte <= nine; byte = from[++at] as number) digits = digits * 10 + byte - zero;
    const whole = at - digitsAt;
    if (whole === 0 || (whole > 1 && from[digitsAt] === zero)) return false;
    let fraction = 0;
    if (byte === point) {
      byte = from[++at] as number;
      for (; byte >= zero && byte <= nine; byte = from[++at] as number) {
        digits = digits * 10 + byte - zero;
        fraction++;
      }
      if (fraction === 0) return false;
    }
    const hasExponent = (byte | 0x20) === ascii('e');
    if (hasExponent) {
      byte = from[++at] as number;
      if (byte === minus || byte === ascii('+')) byte = from[++at] as number;
      const exponentAt = at;
      while (byte >= zero && byte <= nine) byte = from[++at] as number;
      if (at === exponentAt) return false;
    }
    if (fraction === 0 && !hasExponent && whole < 10 && !(isNegative && digits === 0)) {
      const value = isNegative ? -digits : digits;
      body.reserve(1);
      body.bytes[body.end++] = tag.int32;
      body.putLeb(((value << 1) ^ (value >> 31)) >>> 0);
      return true;
    }
    // Both sides of the division are exact, so its result is the nearest double (W. D. Clinger, How to Read Floating Point Numbers Accurately).
    const value = !hasExponent && whole + fraction <= 15 ? digits / (powersOfTen[fraction] as number) : Number(asciiText(isNegative ? digitsAt : start, at));
    body.reserve(9);
    body.bytes[body.end++] = tag.float64;
    body.putFloat64(isNegative ? -value : value);
    return true;
  }

  function asciiText(start: number, end: number): string {
    let text = '';
    for (let i = start; i < end; i++) text += String.fromCharCode(from[i] as number);
    return text;
  }

  return {
    read(json) {
      from = json;
      at = json[0] === 0xef && json[1] === 0xbb && json[2] === 0xbf ? 3 : 0;
      depth = 0;
      body.empty();
      names.empty();
      if (nameCount > 0) numberAt.fill(0);
      nameCount = 0;
      skipSpace();
      const isRead = at < from.length && readValue();
      skipSpace();
      const isWhole = isRead && at === from.length;
      from = nothing;
      return isWhole ? 1 + lebSize(nameCount) + names.end + body.end : -1;
    },

    copyTo(memory, start) {
      memory[start] = version;
      let next = start + 1;
      let rest = nameCount;
      for (; rest >= 0x80; rest >>>= 7) memory[next++] = (rest & 0x7f) | 0x80;
      memory[next++] = rest;
      memory.set(names.bytes.subarray(0, names.end), next);
      memory.set(body.bytes.subarray(0, body.end), next + names.end);
    },
  };
}

function lebSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) size++;
  return size;
}

const nothing = new Uint8Array(0);
const [trueWord, falseWord, nullWord] = ['true', 'false', 'null'].map((word) => new TextEncoder().encode(word)) as [Uint8Array, Uint8Array, Uint8Array];
const escapes = new Map(
  [
    ['"', '"'],
    ['\\', '\\'],
    ['/', '/'],
    ['b', '\b'],
    ['f', '\f'],
    ['n', '\n'],
    ['r', '\r'],
    ['t', '\t'],
  ].map(([letter, meaning]) => [ascii(letter as string), ascii(meaning as string)]),
);
const powersOfTen = Array.from({ length: 16 }, (_, i) => 10 ** i);
