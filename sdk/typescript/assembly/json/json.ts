import { stop } from '../host';
import { __new, __renew } from '../memory';
import { decode, decodeTo } from '../utf8';
import { isInteger, readInteger, readNumber } from './number-read';
import { CONTAINER, ESCAPED, hexDigit, KEY, PLACE, parse, problem, problemAt, SCALAR, WIDE } from './parse';

/** What a JSON value is. */
export enum JsonKind {
  /** There is no such value: what `get` and `at` return for a key or an index that is not there. */
  Missing,
  Null,
  Boolean,
  Number,
  String,
  Array,
  Object,
}

/** Where the last missing value would have been, for the reason of a failure. */
let missingIn: Json = changetype<Json>(0);
let missingKey: string | null = null;
let missingIndex: i32 = 0;
/** The values of the text that was read last. */
let root: usize = 0;
/**
 * A value of a JSON text. It was checked as a whole when the text was read; what is in it is looked up and converted when you ask for it.
 *
 * Missing values can be asked on (`order.get('customer').get('name')`) and are falsy, like `undefined`: `if (order.get('note')) …`.
 * Methods that give a value end the step when it is another kind of value; the message then fails and its reason names the place.
 */
@unmanaged
export class Json {
  /** An entry of the tape; see `parse`. The missing value is the null pointer, where memory is zero. */
  private start: u32 = 0;
  private end: u32 = 0;
  private size: u32 = 0;
  private close: u32 = 0;
  private lastIndex: i32 = 0;
  private lastEntry: u32 = 0;

  /** Reads a JSON text. It must be JSON, or the message fails. */
  static parse(text: string): Json {
    const bytes = heap.alloc(String.UTF8.byteLength(text) + 32);
    const size = String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, bytes);
    const value = Json.read(bytes, size);
    if (!value) stop(`The text is not JSON: ${problem} at byte ${problemAt - bytes}`);
    return value;
  }

  /** Reads JSON of bytes, behind which is room for sixteen zeros. Returns the missing value if it is none; `problem` then tells why. */
  static read(bytes: usize, size: usize): Json {
    v128.store(bytes + size, i64x2.splat(0));
    const entry = parse(bytes, size);
    if (entry) root = entry;
    return changetype<Json>(entry);
  }

  get kind(): JsonKind {
    const first = load<u8>(this.start);
    if (first == 0) return JsonKind.Missing;
    if (first == 0x22) return JsonKind.String;
    if (first == 0x7b) return JsonKind.Object;
    if (first == 0x5b) return JsonKind.Array;
    if (first == 0x6e) return JsonKind.Null;
    return first == 0x74 || first == 0x66 ? JsonKind.Boolean : JsonKind.Number;
  }

  /** Whether there is such a value; null is one. */
  get exists(): bool {
    return this.start != 0;
  }

  /** Whether the value is null or missing. */
  get isNull(): bool {
    return this.start == 0 || load<u8>(this.start) == 0x6e;
  }

  get isBoolean(): bool {
    return this.kind == JsonKind.Boolean;
  }

  get isNumber(): bool {
    return this.kind == JsonKind.Number;
  }

  get isString(): bool {
    return this.start != 0 && load<u8>(this.start) == 0x22;
  }

  get isArray(): bool {
    return this.start != 0 && load<u8>(this.start) == 0x5b;
  }

  get isObject(): bool {
    return this.start != 0 && load<u8>(this.start) == 0x7b;
  }

  /** How many elements an array has, or members an object; of any other value 0. */
  get length(): i32 {
    return isContainer(this) ? this.size : 0;
  }

  /** The member with this key, of several the last. Missing when there is none, also when this is no object. */
  get(key: string): Json {
    if (this.isObject) {
      const found = find(this, key);
      if (found) return found;
    }
    if (this.exists) {
      missingIn = this;
      missingKey = key;
    }
    return changetype<Json>(0);
  }

  /** Whether this is an object with such a key; its value may be null. */
  has(key: string): bool {
    return this.isObject && find(this, key).exists;
  }

  /** The element with this index, from 0; of an object, the value of its member at this place. Missing when there is none. */
  at(index: i32): Json {
    if (<u32>index < <u32>this.length) {
      const entry = this.seek(index);
      return changetype<Json>(load<u8>(this.start) == 0x7b ? entry + KEY : entry);
    }
    if (this.exists) {
      missingIn = this;
      missingKey = null;
      missingIndex = index;
    }
    return changetype<Json>(0);
  }

  /** The key of an object's member at this place, from 0. */
  keyAt(index: i32): string {
    if (!this.isObject) wrongKind(this, null, 'an object');
    if (<u32>index >= this.size) stop(`${path(this)} has ${this.size} members, none at ${index}`);
    const entry = this.seek(index);
    return readString(load<u32>(entry), load<u32>(entry, 4));
  }

  /** The keys of an object. */
  keys(): string[] {
    if (!this.isObject) wrongKind(this, null, 'an object');
    const keys = new Array<string>(this.size);
    for (let i = 0, count = <i32>this.size; i < count; i++) keys[i] = this.keyAt(i);
    return keys;
  }

  /** The string, or the one of the member `key`. */
  str(key: string | null = null): string {
    const value = key === null ? this : this.get(key);
    if (!value.isString) wrongKind(this, key, 'a string');
    return readString(value.start + 1, value.end);
  }

  /** The number, or the one of the member `key`. */
  num(key: string | null = null): f64 {
    const value = key === null ? this : this.get(key);
    if (!value.isNumber) wrongKind(this, key, 'a number');
    return readNumber(value.start, value.end);
  }

  /** The number as an integer. The message fails when it has a fraction or does not fit in 64 bits. */
  int(key: string | null = null): i64 {
    const value = key === null ? this : this.get(key);
    if (!value.isNumber) wrongKind(this, key, 'an integer');
    const integer = readInteger(value.start, value.end);
    if (!isInteger) stop(`${path(value)} is ${value.toString()}, an integer was expected`);
    return integer;
  }

  /** The boolean, or the one of the member `key`. */
  bool(key: string | null = null): bool {
    const value = key === null ? this : this.get(key);
    if (!value.isBoolean) wrongKind(this, key, 'a boolean');
    return load<u8>(value.start) == 0x74;
  }

  /** Like `str`, but gives `otherwise` when there is no such member or it is null. */
  strOr(key: string, otherwise: string): string {
    return this.get(key).isNull ? otherwise : this.str(key);
  }

  /** Like `num`, but gives `otherwise` when there is no such member or it is null. */
  numOr(key: string, otherwise: f64): f64 {
    return this.get(key).isNull ? otherwise : this.num(key);
  }

  /** Like `int`, but gives `otherwise` when there is no such member or it is null. */
  intOr(key: string, otherwise: i64): i64 {
    return this.get(key).isNull ? otherwise : this.int(key);
  }

  /** Like `bool`, but gives `otherwise` when there is no such member or it is null. */
  boolOr(key: string, otherwise: bool): bool {
    return this.get(key).isNull ? otherwise : this.bool(key);
  }

  /** The value's JSON text, as it was written; of the missing value "undefined". */
  toString(): string {
    return this.start == 0 ? 'undefined' : decode(this.start, this.textSize);
  }

  /** The entry of an element, or of a member's key. There must be one. */
  private seek(index: i32): usize {
    const isObject = load<u8>(this.start) == 0x7b;
    const from = this.lastIndex <= index;
    let entry = from ? <usize>this.lastEntry : changetype<usize>(this) + CONTAINER;
    for (let i = from ? this.lastIndex : 0; i < index; i++) entry = isObject ? <usize>load<u32>(entry, 8) : changetype<Json>(entry).next;
    this.lastIndex = index;
    this.lastEntry = entry;
    return entry;
  }

  /** Where the value's JSON text is. */
  get textStart(): usize {
    return this.start;
  }

  get textSize(): usize {
    if (isContainer(this)) return this.close - this.start;
    return (this.end & PLACE) - this.start + u32(load<u8>(this.start) == 0x22);
  }

  /** The entry after this one. */
  get next(): usize {
    return isContainer(this) ? <usize>this.end : changetype<usize>(this) + SCALAR;
  }
}

function isContainer(value: Json): bool {
  return (load<u8>(value.textStart) | 0x20) == 0x7b;
}

/** The value of the last member with the key, or missing. */
function find(object: Json, key: string): Json {
  let entry = changetype<usize>(object) + CONTAINER;
  const end = object.next;
  const length = <u32>key.length;
  let found: usize = 0;
  while (entry < end) {
    const start = load<u32>(entry);
    const size = load<u32>(entry, 4) - start;
    if (size == length) {
      if (sameAscii(start, changetype<usize>(key), length)) found = entry + KEY;
    } else if (size > PLACE) {
      if (readString(start, load<u32>(entry, 4)) == key) found = entry + KEY;
    }
    entry = load<u32>(entry, 8);
  }
  return changetype<Json>(found);
}

/** Whether `size` bytes of ASCII are the same characters as those of a string. Eight are compared at once, the last of them maybe twice. */
function sameAscii(bytes: usize, units: usize, size: u32): bool {
  if (size <= 8) return (i16x8.bitmask(i16x8.ne(v128.load8x8_u(bytes), v128.load(units))) & ((1 << size) - 1)) == 0;
  const last = bytes + size - 8;
  const lastUnits = units + ((size - 8) << 1);
  while (bytes < last) {
    if (v128.any_true(v128.xor(v128.load8x8_u(bytes), v128.load(units)))) return false;
    bytes += 8;
    units += 16;
  }
  return !v128.any_true(v128.xor(v128.load8x8_u(last), v128.load(lastUnits)));
}

/** The string between two quotes, or a key; `close` is where it ends, with flags. */
function readString(start: usize, close: u32): string {
  const end = <usize>(close & PLACE);
  if ((close & ESCAPED) == 0) {
    if (close & WIDE) return decode(start, end - start);
    const text = __new((end - start) << 1, idof<string>());
    widen(start, end, text);
    return changetype<string>(text);
  }
  const text = __new((end - start) << 1, idof<string>());
  let to = text;
  let from = start;
  while (from < end) {
    if (load<u8>(from) != 0x5c) {
      let until = from + 1;
      while (until < end && load<u8>(until) != 0x5c) until++;
      to = decodeTo(from, until, to);
      from = until;
      continue;
    }
    const code = <u32>load<u8>(from, 1);
    if (code == 0x75) {
      store<u16>(
        to,
        (hexDigit(load<u8>(from, 2)) << 12) | (hexDigit(load<u8>(from, 3)) << 8) | (hexDigit(load<u8>(from, 4)) << 4) | hexDigit(load<u8>(from, 5)),
      );
      from += 6;
    } else {
      store<u16>(to, code == 0x6e ? 0x0a : code == 0x74 ? 0x09 : code == 0x72 ? 0x0d : code == 0x62 ? 0x08 : code == 0x66 ? 0x0c : code);
      from += 2;
    }
    to += 2;
  }
  return changetype<string>(__renew(text, to - text));
}

/** Writes ASCII as UTF-16. */
function widen(from: usize, end: usize, to: usize): void {
  while (from + 8 <= end) {
    v128.store(to, v128.load8x8_u(from));
    from += 8;
    to += 16;
  }
  while (from < end) {
    store<u16>(to, load<u8>(from));
    from++;
    to += 2;
  }
}

const KINDS: StaticArray<string> = ['missing', 'null', 'a boolean', 'a number', 'a string', 'an array', 'an object'];

function wrongKind(value: Json, key: string | null, expected: string): void {
  if (key !== null && value.exists && !value.isObject) stop(`${path(value)} is ${KINDS[value.kind]}, an object was expected`);
  const wrong = key === null ? value : value.get(key);
  if (wrong.exists) stop(`${path(wrong)} is ${KINDS[wrong.kind]}, ${expected} was expected`);
  if (key !== null && value.exists) stop(`${missingPath()} is missing, ${expected} was expected`);
  // Who keeps a missing value and looks for others finds the wrong name here, so do not claim more than is known.
  stop(`A value is missing, ${expected} was expected; the last one that was not found is ${missingPath()}`);
}

function missingPath(): string {
  const parent = missingIn.exists && changetype<usize>(missingIn) != root ? path(missingIn) : '';
  const key = missingKey;
  if (key === null) return `${parent}[${missingIndex}]`;
  return parent == '' ? key : `${parent}.${key}`;
}

/** Where the value is in its text, such as `lines[2].price`. */
function path(value: Json): string {
  const wanted = changetype<usize>(value);
  let at = changetype<Json>(root);
  let text = '';
  if (root == 0 || wanted < root || wanted >= at.next) return 'The value';
  while (changetype<usize>(at) != wanted) {
    const isObject = at.isObject;
    let child = changetype<usize>(at) + CONTAINER;
    let index = 0;
    while (true) {
      const item = changetype<Json>(isObject ? child + KEY : child);
      if (wanted < item.next) {
        if (isObject) text += `${text == '' ? '' : '.'}${readString(load<u32>(child), load<u32>(child, 4))}`;
        else text += `[${index}]`;
        at = item;
        break;
      }
      child = item.next;
      index++;
    }
  }
  return text == '' ? 'The value' : text;
}
