import { stop } from '../host';
import { encodePoint, SLACK } from '../utf8';
import { Json } from './json';
import { NUMBER_SIZE_MAX, writeDigits, writeInteger, writeNumber } from './number-write';

/** Characters that are written in one go; an escape takes six bytes. */
const CHUNK: i32 = 512;

/** Bytes that grow. Several objects and arrays that lie in each other share one. */
@unmanaged
export class Bytes {
  start: usize = 0;
  at: usize = 0;
  private limit: usize = 0;
  /** The innermost object or array that is not closed; everything it lies in is open, too. */
  open: usize = 0;

  /** Makes room for that many bytes, and for writing a little beyond them. */
  reserve(size: usize): usize {
    if (this.at + size + SLACK > this.limit) this.grow(size + SLACK);
    return this.at;
  }

  private grow(size: usize): void {
    const used = this.at - this.start;
    const capacity = max(256, max((this.limit - this.start) << 1, used + size));
    this.start = this.start == 0 ? heap.alloc(capacity) : heap.realloc(this.start, capacity);
    this.at = this.start + used;
    this.limit = this.start + capacity;
  }

  byte(value: u32): void {
    store<u8>(this.reserve(1), value);
    this.at += 1;
  }

  /** Copies bytes, which are followed by at least fifteen that can be read. */
  copy(from: usize, size: usize): void {
    const to = this.reserve(size);
    if (size <= 64) for (let i: usize = 0; i < size; i += 16) v128.store(to + i, v128.load(from + i));
    else memory.copy(to, from, size);
    this.at = to + size;
  }

  word(text: u32, size: usize): void {
    store<u32>(this.reserve(4), text);
    this.at += size;
  }

  /** Writes a string in quotes, with the escapes of JSON.stringify. */
  string(text: string): void {
    this.at = this.quoted(text, this.reserve(<usize>text.length + 2));
  }

  /** Writes a comma, if it is not the first one of its object, and a key. */
  key(key: string): void {
    let to = this.reserve(<usize>key.length + 4);
    if (load<u8>(to - 1) != 0x7b) store<u8>(to++, 0x2c);
    to = this.quoted(key, to);
    store<u8>(to, 0x3a);
    this.at = to + 1;
  }

  /** There is room for the text if no character of it needs more than a byte, and for two bytes after it. */
  private quoted(text: string, to: usize): usize {
    let from = changetype<usize>(text);
    const end = from + ((<usize>text.length) << 1);
    store<u8>(to++, 0x22);
    while (from < end) {
      // What lies beyond the text does not count.
      const left = (end - from) >> 1;
      const units = v128.load(from);
      if (i16x8.bitmask(special(units)) & (left < 8 ? (1 << left) - 1 : 255)) {
        this.at = to;
        to = this.specials(from, end);
        break;
      }
      v128.store64_lane(to, i8x16.narrow_i16x8_u(units, units), 0);
      from += 16;
      to += min(left, 8);
    }
    store<u8>(to, 0x22);
    return to + 1;
  }

  /** What is left of a string from its first special character on. */
  private specials(from: usize, end: usize): usize {
    let to = this.at;
    while (from < end) {
      this.at = to;
      const stop = min(end, from + (CHUNK << 1));
      to = this.reserve((stop - from) * 3 + 2 * SLACK);
      while (from < stop) {
        while (from + 16 <= stop) {
          const units = v128.load(from);
          if (v128.any_true(special(units))) break;
          v128.store64_lane(to, i8x16.narrow_i16x8_u(units, units), 0);
          from += 16;
          to += 8;
        }
        if (from >= stop) break;
        const unit = <u32>load<u16>(from);
        from += 2;
        if (unit < 0x80) {
          to = unit < 0x20 || unit == 0x22 || unit == 0x5c ? writeEscape(unit, to) : put(unit, to);
        } else if ((unit & 0xf800) != 0xd800) {
          to = encodePoint(unit, to);
        } else {
          const low = from < end ? <u32>load<u16>(from) : 0;
          if (unit < 0xdc00 && (low & 0xfc00) == 0xdc00) {
            to = encodePoint(0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff), to);
            from += 2;
          } else to = writeUnit(unit, to);
        }
      }
    }
    this.at = to;
    return this.reserve(2);
  }

  /** Infinity and NaN become null, as with JSON.stringify. */
  number(value: f64): void {
    if (value - value != 0) this.word(0x6c6c756e, 4);
    else this.at = writeNumber(value, this.reserve(NUMBER_SIZE_MAX));
  }

  integer(value: i64): void {
    this.at = writeInteger(value, this.reserve(NUMBER_SIZE_MAX));
  }

  boolean(value: bool): void {
    if (value) this.word(0x65757274, 4);
    else {
      this.word(0x736c6166, 4);
      this.byte(0x65);
    }
  }

  json(value: Json): void {
    if (value.exists) this.copy(value.textStart, value.textSize);
    else this.word(0x6c6c756e, 4);
  }

  /** Writes a value of any of the kinds that JSON has. */
  value<T>(value: T): void {
    if (isString<T>()) {
      if (isNullable<T>() && changetype<usize>(value) == 0) this.word(0x6c6c756e, 4);
      else this.string(changetype<string>(value));
    } else if (isBoolean<T>()) this.boolean(<bool>value);
    else if (isFloat<T>()) this.number(<f64>value);
    else if (isInteger<T>()) {
      if (isSigned<T>()) this.integer(<i64>value);
      else this.unsigned(<u64>value);
    } else if (isArray<T>()) {
      if (isNullable<T>() && changetype<usize>(value) == 0) this.word(0x6c6c756e, 4);
      // @ts-expect-error: it is an array here, which TypeScript does not see
      else this.list<valueof<T>>(changetype<valueof<T>[]>(value));
    } else if (value instanceof Json) this.json(changetype<Json>(value));
    else if (value instanceof JsonNode) this.node(changetype<JsonNode>(value));
    else ERROR('This type cannot be written as JSON: take a string, a number, a boolean, an array of them, Json, JsonObject or JsonArray');
  }

  private unsigned(value: u64): void {
    if (<i64>value >= 0) this.integer(value);
    else this.at = writeDigits(value, this.reserve(NUMBER_SIZE_MAX));
  }

  private list<E>(values: E[]): void {
    this.byte(0x5b);
    for (let i = 0, length = values.length; i < length; i++) {
      if (i > 0) this.byte(0x2c);
      this.value<E>(unchecked(values[i]));
    }
    this.byte(0x5d);
  }

  node(node: JsonNode): void {
    const other = node.finish();
    if (changetype<usize>(other) == changetype<usize>(this)) stop('An object or array cannot be put into one that shares its text: it is already there');
    this.copy(other.start, other.at - other.start);
  }
}

function put(unit: u32, to: usize): usize {
  store<u8>(to, unit);
  return to + 1;
}

/** Sets lanes of characters that need an escape or more than one byte. */
function special(units: v128): v128 {
  return v128.or(
    v128.or(i16x8.eq(units, i16x8(0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22)), i16x8.eq(units, i16x8(0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c))),
    v128.or(i16x8.lt_u(units, i16x8(0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20)), i16x8.gt_u(units, i16x8(0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f))),
  );
}

function writeEscape(unit: u32, to: usize): usize {
  const short: u32 = unit == 0x0a ? 0x6e : unit == 0x0d ? 0x72 : unit == 0x09 ? 0x74 : unit == 0x08 ? 0x62 : unit == 0x0c ? 0x66 : unit >= 0x20 ? unit : 0;
  if (short == 0) return writeUnit(unit, to);
  store<u16>(to, 0x5c | (short << 8));
  return to + 2;
}

function writeUnit(unit: u32, to: usize): usize {
  store<u16>(to, 0x755c);
  for (let i = 0; i < 4; i++) {
    const digit = (unit >> (12 - (i << 2))) & 15;
    store<u8>(to + i, digit < 10 ? 0x30 + digit : 0x57 + digit, 2);
  }
  return to + 6;
}

/** What an object and an array that are being written have in common. */
@unmanaged
export class JsonNode {
  protected bytes: Bytes;
  protected parent: usize;
  private closing: u32;

  constructor(bytes: Bytes, parent: usize, opening: u32) {
    this.bytes = bytes;
    this.parent = parent;
    this.closing = opening + 2;
    bytes.byte(opening);
    bytes.open = changetype<usize>(this);
  }

  /** Closes whatever was opened in this one. */
  protected resume(): Bytes {
    const bytes = this.bytes;
    while (bytes.open != changetype<usize>(this)) {
      const inner = changetype<JsonNode>(bytes.open);
      if (!bytes.open) stop('Something was added to an object or array after what it lies in went on');
      bytes.byte(inner.closing);
      bytes.open = inner.parent;
    }
    return bytes;
  }

  /** Makes ready for the next element or key. */
  protected proceed(): Bytes {
    const bytes = this.resume();
    const last = load<u8>(bytes.at - 1);
    if (last != 0x7b && last != 0x5b) bytes.byte(0x2c);
    return bytes;
  }

  /** Closes this one, which must lie in no other. Returns its text. */
  finish(): Bytes {
    const bytes = this.bytes;
    if (this.parent) stop('Only a whole object or array can be sent or put into another, not a part of one');
    if (bytes.open) {
      this.resume();
      bytes.byte(this.closing);
      bytes.open = 0;
    }
    return bytes;
  }

  /** The JSON text. Nothing can be added afterwards. */
  toString(): string {
    const bytes = this.finish();
    return String.UTF8.decodeUnsafe(bytes.start, bytes.at - bytes.start);
  }
}

/**
 * A JSON object that is written member by member, in the order in which you set them.
 *
 * ```ts
 * const out = new JsonObject();
 * out.set('id', order.get('id')); // copies the value as it was written
 * const lines = out.array('lines');
 * lines.object().set('sku', 'A-1').set('amount', 12.5);
 * out.set('total', 12.5); // ends the array
 * ```
 */
@unmanaged
export class JsonObject extends JsonNode {
  constructor(bytes: Bytes = new Bytes(), parent: usize = 0) {
    super(bytes, parent, 0x7b);
  }

  /** Adds a member. A key must not be set twice: both would be written. */
  set<T>(key: string, value: T): this {
    this.key(key).value<T>(value);
    return this;
  }

  /** Adds a member that is null. */
  setNull(key: string): this {
    this.key(key).word(0x6c6c756e, 4);
    return this;
  }

  /** Adds an object, to be filled before anything else is added to this one. */
  object(key: string): JsonObject {
    return new JsonObject(this.key(key), changetype<usize>(this));
  }

  /** Adds an array, to be filled before anything else is added to this object. */
  array(key: string): JsonArray {
    return new JsonArray(this.key(key), changetype<usize>(this));
  }

  private key(key: string): Bytes {
    const bytes = this.resume();
    bytes.key(key);
    return bytes;
  }
}

/** A JSON array that is written element by element. */
@unmanaged
export class JsonArray extends JsonNode {
  constructor(bytes: Bytes = new Bytes(), parent: usize = 0) {
    super(bytes, parent, 0x5b);
  }

  /** Adds an element. */
  push<T>(value: T): this {
    this.proceed().value<T>(value);
    return this;
  }

  /** Adds null. */
  pushNull(): this {
    this.proceed().word(0x6c6c756e, 4);
    return this;
  }

  /** Adds an object, to be filled before anything else is added to this array. */
  object(): JsonObject {
    return new JsonObject(this.proceed(), changetype<usize>(this));
  }

  /** Adds an array, to be filled before anything else is added to this one. */
  array(): JsonArray {
    return new JsonArray(this.proceed(), changetype<usize>(this));
  }
}
