import { skipWide } from '../utf8';

/**
 * Reads a JSON text once, from its first byte to its last, and leaves a tape: an entry for every value and every key, in order.
 *
 * - a scalar: where it starts, where it ends
 * - an array or object: where it starts, the entry after it, how many elements or members it has, where it ends; and of which element or
 *   member the place was looked up last, so that a loop over them does not begin anew for every one: its index and its entry
 * - a key: where it starts, where it ends, the next key (or the entry after the object); the member's value follows at once
 *
 * All are u32. Ends of strings are those of their contents and carry two flags. What a value is, its first byte tells.
 */
export const SCALAR: usize = 8;
export const CONTAINER: usize = 24;
export const KEY: usize = 12;

/** The string has escapes. */
export const ESCAPED: u32 = 0x80000000;
/** The string has characters beyond ASCII. */
export const WIDE: u32 = 0x40000000;
export const PLACE: u32 = 0x3fffffff;

const DEPTH_MAX: i32 = 1000;
/** A key, and a value after it. */
const STEP: usize = 40;

/** What is wrong with the text that `parse` read last, and where. */
export let problem: string = '';
export let problemAt: usize = 0;

/** Returns the entry of the text's value, or 0. Sixteen zero bytes must follow the text. */
export function parse(text: usize, size: usize): usize {
  const end = text + size;
  let capacity = max<usize>(256, (size + 15) & ~15);
  const tape = heap.alloc(capacity);
  let limit = tape + capacity - STEP;
  let to = tape;
  let at = skipSpace(text);
  let container: usize = 0;
  let inObject = false;
  let key: usize = 0;
  let count: u32 = 0;
  let depth: i32 = 0;
  while (true) {
    // A value begins here.
    if (to > limit) {
      // It is the last block of the heap, which grows in place.
      const wanted = capacity << 1;
      if (heap.realloc(tape, wanted) != tape) return refuse('it is too large', at, end);
      capacity = wanted;
      limit = tape + capacity - STEP;
    }
    store<u32>(to, at);
    const first = <u32>load<u8>(at);
    if (first == 0x22) {
      const close = skipString(at + 1, end);
      if (close == 0) return 0;
      store<u32>(to, close, 4);
      to += SCALAR;
      at = (close & PLACE) + 1;
    } else if (first - 0x30 < 10 || first == 0x2d) {
      at = skipNumber(at, end);
      if (at == 0) return 0;
      store<u32>(to, at, 4);
      to += SCALAR;
    } else if (first == 0x7b || first == 0x5b) {
      if (++depth > DEPTH_MAX) return refuse('it is nested too deeply', at, end);
      store<u32>(to, container, 4);
      store<u32>(to, count, 8);
      store<u32>(to, 0, 16);
      store<u32>(to, to + CONTAINER, 20);
      container = to;
      inObject = first == 0x7b;
      count = 0;
      to += CONTAINER;
      at = skipSpace(at + 1);
      if (load<u8>(at) != first + 2) {
        if (inObject) {
          key = to;
          at = skipKey(at, end, to);
          if (at == 0) return 0;
          to += KEY;
        }
        continue;
      }
      // An empty one is closed below, where the count is one too large for it.
      count = -1;
      key = to - 8;
    } else {
      at = skipWord(at, end, first);
      if (at == 0) return 0;
      store<u32>(to, at, 4);
      to += SCALAR;
    }
    // A value has ended.
    while (true) {
      let next = <u32>load<u8>(at);
      if (next <= 0x20) {
        at = skipSpace(at);
        next = load<u8>(at);
      }
      if (container == 0) {
        if (at != end) return refuse('there is more after its end', at, end);
        heap.realloc(tape, to - tape);
        return tape;
      }
      if (next == 0x2c) {
        count++;
        if (load<u8>(++at) <= 0x20) at = skipSpace(at);
        if (inObject) {
          store<u32>(key, to, 8);
          key = to;
          at = skipKey(at, end, to);
          if (at == 0) return 0;
          to += KEY;
        }
        break;
      }
      if (next != (inObject ? 0x7d : 0x5d)) return refuse(inObject ? 'a comma or } was expected' : 'a comma or ] was expected', at, end);
      at++;
      if (inObject) store<u32>(key, to, 8);
      const parent = <usize>load<u32>(container, 4);
      const countOfParent = load<u32>(container, 8);
      store<u32>(container, to, 4);
      store<u32>(container, count + 1, 8);
      store<u32>(container, at, 12);
      // A member's value follows its key.
      key = container - KEY;
      container = parent;
      count = countOfParent;
      depth--;
      inObject = parent != 0 && load<u8>(load<u32>(parent)) == 0x7b;
    }
  }
}

function refuse(what: string, at: usize, end: usize): u32 {
  problem = at >= end ? 'it ends too early' : what;
  problemAt = min(at, end);
  return 0;
}

function skipSpace(at: usize): usize {
  while (true) {
    const byte = load<u8>(at);
    if (byte > 0x20 || (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09)) return at;
    at++;
  }
}

/** Writes the key's entry. Returns where the member's value begins, or 0. */
function skipKey(at: usize, end: usize, entry: usize): usize {
  if (load<u8>(at) != 0x22) return refuse('a key in double quotes was expected', at, end);
  const close = skipString(at + 1, end);
  if (close == 0) return 0;
  store<u32>(entry, at + 1);
  store<u32>(entry, close, 4);
  at = (close & PLACE) + 1;
  if (load<u8>(at) <= 0x20) at = skipSpace(at);
  if (load<u8>(at) != 0x3a) return refuse('a colon was expected', at, end);
  if (load<u8>(++at) <= 0x20) at = skipSpace(at);
  return at;
}

/** From after the opening quote. Returns where the closing quote is, with flags, or 0. */
function skipString(at: usize, end: usize): u32 {
  let flags: u32 = 0;
  while (true) {
    const bytes = v128.load(at);
    // Compared as signed numbers, bytes of 0x80 and above are below the space, like control characters.
    const stops = i8x16.bitmask(
      v128.or(
        v128.or(
          i8x16.eq(bytes, i8x16(0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22)),
          i8x16.eq(bytes, i8x16(0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c)),
        ),
        i8x16.lt_s(bytes, i8x16(0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20)),
      ),
    );
    if (stops == 0) {
      at += 16;
      continue;
    }
    at += ctz(stops);
    const byte = <u32>load<u8>(at);
    if (byte == 0x22) return <u32>at | flags;
    if (byte == 0x5c) {
      flags |= ESCAPED;
      const next = <u32>load<u8>(at, 1);
      if (next == 0x75) {
        for (let i = 2; i < 6; i++) if (hexDigit(load<u8>(at + i)) < 0) return refuse('\\u needs four hexadecimal digits', at, end);
        at += 6;
      } else {
        if (next != 0x22 && next != 0x5c && next != 0x2f && next != 0x62 && next != 0x66 && next != 0x6e && next != 0x72 && next != 0x74)
          return refuse('this escape does not exist', at + 1, end);
        at += 2;
      }
    } else if (byte >= 0x80) {
      flags |= WIDE;
      const after = skipWide(at);
      if (after == 0) return refuse('the text is not UTF-8', at, end);
      at = after;
    } else return refuse('a control character must be escaped', at, end);
  }
}

/** The value of a hexadecimal digit, or -1. */
export function hexDigit(byte: u32): i32 {
  if (byte - 0x30 < 10) return byte - 0x30;
  const letter = (byte | 0x20) - 0x61;
  return letter < 6 ? letter + 10 : -1;
}

function skipNumber(at: usize, end: usize): usize {
  if (load<u8>(at) == 0x2d) at++;
  let byte = <u32>load<u8>(at);
  if (byte == 0x30) byte = load<u8>(++at);
  else {
    if (byte - 0x30 >= 10) return refuse('a digit was expected', at, end);
    do byte = load<u8>(++at);
    while (byte - 0x30 < 10);
  }
  if (byte == 0x2e) {
    byte = load<u8>(++at);
    if (byte - 0x30 >= 10) return refuse('a digit was expected', at, end);
    do byte = load<u8>(++at);
    while (byte - 0x30 < 10);
  }
  if ((byte | 0x20) == 0x65) {
    byte = load<u8>(++at);
    if (byte == 0x2b || byte == 0x2d) byte = load<u8>(++at);
    if (byte - 0x30 >= 10) return refuse('a digit was expected', at, end);
    do byte = load<u8>(++at);
    while (byte - 0x30 < 10);
  }
  return at;
}

function skipWord(at: usize, end: usize, first: u32): usize {
  const word = load<u32>(at);
  if (word == 0x65757274 || word == 0x6c6c756e) return at + 4;
  if (word == 0x736c6166 && load<u8>(at, 4) == 0x65) return at + 5;
  return refuse(first == 0x5d || first == 0x7d || first == 0x2c ? 'a value was expected' : 'this is no value', at, end);
}
