/** UTF-8 to the language's strings, which are UTF-16, and back. */

import { __new, __renew } from './memory';

/** Room that must follow whatever is read or written sixteen bytes at a time. */
export const SLACK: usize = 16;

/** Bytes that `encode` may need. */
export function encodedSizeMax(text: string): usize {
  return <usize>text.length * 3 + SLACK;
}

/** Writes `text` to `to`, which has room for `encodedSizeMax(text)`. Half of a surrogate pair becomes U+FFFD. Returns where it ends. */
export function encode(text: string, to: usize): usize {
  let from = changetype<usize>(text);
  const end = from + ((<usize>text.length) << 1);
  while (from < end) {
    while (from + 16 <= end) {
      const units = v128.load(from);
      if (v128.any_true(v128.and(units, i16x8.splat(-128)))) break;
      v128.store64_lane(to, i8x16.narrow_i16x8_u(units, units), 0);
      from += 16;
      to += 8;
    }
    if (from >= end) break;
    const unit = <u32>load<u16>(from);
    from += 2;
    if (unit < 0x80) {
      store<u8>(to++, unit);
      continue;
    }
    let point = unit;
    if ((unit & 0xf800) == 0xd800) {
      const low = from < end ? <u32>load<u16>(from) : 0;
      if (unit < 0xdc00 && (low & 0xfc00) == 0xdc00) {
        point = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
        from += 2;
      } else {
        point = 0xfffd;
      }
    }
    to = encodePoint(point, to);
  }
  return to;
}

/** Writes one character of 0x80 or above. */
export function encodePoint(point: u32, to: usize): usize {
  if (point < 0x800) {
    store<u8>(to, 0xc0 | (point >> 6));
    store<u8>(to, 0x80 | (point & 63), 1);
    return to + 2;
  }
  if (point < 0x10000) {
    store<u8>(to, 0xe0 | (point >> 12));
    store<u8>(to, 0x80 | ((point >> 6) & 63), 1);
    store<u8>(to, 0x80 | (point & 63), 2);
    return to + 3;
  }
  store<u8>(to, 0xf0 | (point >> 18));
  store<u8>(to, 0x80 | ((point >> 12) & 63), 1);
  store<u8>(to, 0x80 | ((point >> 6) & 63), 2);
  store<u8>(to, 0x80 | (point & 63), 3);
  return to + 4;
}

/** Passes over characters of 0x80 and above. Returns where they end, or 0 when one of them is malformed. */
export function skipWide(from: usize): usize {
  let lead = <u32>load<u8>(from);
  while (lead >= 0x80) {
    const second = <u32>load<u8>(from, 1);
    if (lead < 0xe0) {
      if (lead < 0xc2 || (second & 0xc0) != 0x80) return 0;
      from += 2;
    } else if (lead < 0xf0) {
      const low: u32 = lead == 0xe0 ? 0xa0 : 0x80;
      const high: u32 = lead == 0xed ? 0x9f : 0xbf;
      if (second < low || second > high || (load<u8>(from, 2) & 0xc0) != 0x80) return 0;
      from += 3;
    } else {
      const low: u32 = lead == 0xf0 ? 0x90 : 0x80;
      const high: u32 = lead == 0xf4 ? 0x8f : 0xbf;
      if (lead > 0xf4 || second < low || second > high || (load<u8>(from, 2) & 0xc0) != 0x80 || (load<u8>(from, 3) & 0xc0) != 0x80) return 0;
      from += 4;
    }
    lead = load<u8>(from);
  }
  return from;
}

/** Whether the bytes are UTF-8. A zero byte must follow them. */
export function isUtf8(from: usize, size: usize): bool {
  const end = from + size;
  while (from < end) {
    const high = i8x16.bitmask(v128.load(from));
    if (high == 0) {
      from += 16;
      continue;
    }
    from += ctz(high);
    if (from >= end) break;
    from = skipWide(from);
    if (from == 0) return false;
  }
  return true;
}

/** The string of bytes that are known to be UTF-8. */
export function decode(from: usize, size: usize): string {
  const text = __new(size << 1, idof<string>());
  const end = decodeTo(from, from + size, text);
  return changetype<string>(end == text + (size << 1) ? text : __renew(text, end - text));
}

/** Writes the characters of UTF-8 as UTF-16, at most two bytes for each of theirs. Returns where they end. */
export function decodeTo(from: usize, end: usize, to: usize): usize {
  while (from < end) {
    while (from + 16 <= end) {
      const bytes = v128.load(from);
      if (i8x16.bitmask(bytes)) break;
      v128.store(to, i16x8.extend_low_i8x16_u(bytes));
      v128.store(to, i16x8.extend_high_i8x16_u(bytes), 16);
      from += 16;
      to += 32;
    }
    if (from >= end) break;
    const lead = <u32>load<u8>(from);
    if (lead < 0x80) {
      store<u16>(to, lead);
      from += 1;
      to += 2;
    } else if (lead < 0xe0) {
      store<u16>(to, ((lead & 31) << 6) | (<u32>load<u8>(from, 1) & 63));
      from += 2;
      to += 2;
    } else if (lead < 0xf0) {
      store<u16>(to, ((lead & 15) << 12) | ((<u32>load<u8>(from, 1) & 63) << 6) | (<u32>load<u8>(from, 2) & 63));
      from += 3;
      to += 2;
    } else {
      const point =
        (((lead & 7) << 18) | ((<u32>load<u8>(from, 1) & 63) << 12) | ((<u32>load<u8>(from, 2) & 63) << 6) | (<u32>load<u8>(from, 3) & 63)) - 0x10000;
      store<u16>(to, 0xd800 | (point >> 10));
      store<u16>(to, 0xdc00 | (point & 0x3ff), 2);
      from += 4;
      to += 4;
    }
  }
  return to;
}
