import { ByteWriter } from './byte-writer.ts';
import type { EngineInstance } from './engine-instance.ts';

/**
 * JSON of a value in the engine's memory, read where it lies, so that the engine does not write JSON itself, which takes it thousands of
 * instructions a property. Where things lie is that of the one build there is (QuickJS 2025-09-13 for wasm32: `struct JSRuntime`, `JSObject`,
 * `JSShape`, `JSString`; values are 64 bits, a tag above 32 bits of payload, or a shifted double). Nothing in there is written.
 */
const at = {
  runtimeAtoms: 56,
  objectBits: 5,
  objectClass: 6,
  objectShape: 20,
  objectValues: 24,
  arrayItems: 36,
  arrayCount: 40,
  shapeCount: 32,
  shapePrototype: 44,
  shapeProperties: 48,
  stringLength: 4,
  stringKind: 8,
  stringUnits: 16,
} as const;
const tag = { string: -7, object: -1, int: 0, bool: 1, null: 2, undefined: 3, first: -9, float: 8 } as const;
const classes = { object: 1, array: 2 } as const;
const bits = { exotic: 4, fastArray: 8 } as const;
const flags = { enumerable: 4, kinds: 0x30 } as const;
const floatShift = 0x7ff80000 - tag.first + 1;
/** Of an object's property names, those that are strings; symbols and private names are of other kinds. */
const stringKind = 1;
/** A name that is an index of an array is in this bit. */
const indexName = 0x80000000 | 0;
const depthMax = 100;
const lookedMax = 16_384;
const toJson = [...'toJSON'].map((letter) => letter.charCodeAt(0));
const [openBracket, closeBracket, openBrace, closeBrace, comma, colon, zero, nine] = [0x5b, 0x5d, 0x7b, 0x7d, 0x2c, 0x3a, 0x30, 0x39];

export interface JsonWriter {
  /**
   * Writes the value at a JSValue* as `JSON.stringify` does. Returns the bytes, valid until the next call, or how many there are at least when they
   * are more than `bytesMax`; undefined when only the engine can say what its JSON is: for an object that is neither a plain one nor an array, a
   * getter, `toJSON`, names that are numbers, a missing item, a text that is still in parts, or more than 100 levels. `pay` gets to know of
   * bytes before more are made than `bytesMax`, and of properties, as if each were a byte, when there are many; it throws to stop it.
   */
  write(value: number, bytesMax: number, pay: (bytes: number) => void): Uint8Array | number | undefined;
}

/** Addresses in the engine that its JSON depends on. */
export interface JsonPlaces {
  runtime: number;
  objectPrototype: number;
  arrayPrototype: number;
}

export function createJsonWriter({ heap, words }: Pick<EngineInstance, 'heap' | 'words'>, places: () => JsonPlaces): JsonWriter {
  const out = new ByteWriter();
  const float = new DataView(new ArrayBuffer(8));
  let { runtime, objectPrototype, arrayPrototype } = { runtime: 0, objectPrototype: 0, arrayPrototype: 0 };
  let atoms = 0;
  let bytesMax = 0;
  let pay: (bytes: number) => void = () => undefined;
  let dropped = 0;
  /** Properties looked at since they were last paid for: of those that are left out, no byte shows. */
  let looked = 0;

  const word = (address: number): number => words[address >> 2] as number;

  /** Each of these returns whether it could be written. */
  function putValue(low: number, high: number, depth: number): boolean {
    switch (high) {
      case tag.string:
        putString(low);
        return true;
      case tag.object:
        return depth < depthMax && putObject(low, depth + 1);
      case tag.int:
        out.putInt(low);
        return true;
      case tag.bool:
        out.putAscii(low === 0 ? 'false' : 'true');
        return true;
      case tag.null:
        out.putAscii('null');
        return true;
      default:
        if ((high - tag.first) >>> 0 < tag.float - tag.first) return false;
        putFloat(low, high + floatShift);
        return true;
    }
  }

  function putFloat(low: number, high: number): void {
    float.setInt32(0, low, true);
    float.setInt32(4, high, true);
    const value = float.getFloat64(0, true);
    out.putAscii(Number.isFinite(value) ? String(value) : 'null');
  }

  function putString(string: number): void {
    const length = word(string + at.stringLength);
    const start = string + at.stringUnits;
    const units = length & 0x7fffffff;
    if (units > bytesMax) {
      drop();
      pay(units);
      dropped += units + 2;
    } else if (length < 0) out.putQuotedUnits(heap, start, start + 2 * units);
    else out.putQuoted(heap, start, start + units);
  }

  function putObject(object: number, depth: number): boolean {
    if (out.end > bytesMax) drop();
    const shape = word(object + at.objectShape);
    const count = word(shape + at.shapeCount);
    const prototype = word(shape + at.shapePrototype);
    const kind = heap[object + at.objectBits] as number;
    const classId = word(object + at.objectClass - 2) >>> 16;
    if (classId === classes.array) return prototype === arrayPrototype && count === 1 && (kind & bits.fastArray) !== 0 && putItems(object, depth);
    if (classId !== classes.object || (kind & bits.exotic) !== 0 || (prototype !== objectPrototype && prototype !== 0)) return false;
    looked += count;
    if (looked > lookedMax) {
      pay(looked);
      looked = 0;
    }
    out.put(openBrace);
    const values = word(object + at.objectValues);
    let isFirst = true;
    for (let i = 0; i < count; i++) {
      const property = shape + at.shapeProperties + 8 * i;
      const name = word(property + 4);
      // It was deleted.
      if (name === 0) continue;
      if ((name & indexName) !== 0) return false;
      const flag = word(property) >>> 26;
      const nameString = word(atoms + 4 * name);
      if (word(nameString + at.stringKind) >>> 30 !== stringKind) continue;
      const first = heap[nameString + at.stringUnits] as number;
      if ((first >= zero && first <= nine) || isToJson(nameString)) return false;
      if ((flag & flags.enumerable) === 0) continue;
      if ((flag & flags.kinds) !== 0) return false;
      const low = word(values + 8 * i);
      const high = word(values + 8 * i + 4);
      // Functions are objects that are not plain: whether it is left out is for the engine to say.
      if (high === tag.undefined) continue;
      if (!isFirst) out.put(comma);
      isFirst = false;
      putString(nameString);
      out.put(colon);
      if (!putValue(low, high, depth)) return false;
    }
    out.put(closeBrace);
    return true;
  }

  function putItems(array: number, depth: number): boolean {
    out.put(openBracket);
    const items = word(array + at.arrayItems);
    const count = word(array + at.arrayCount);
    if (word(word(array + at.objectValues)) !== count) return false;
    for (let i = 0; i < count; i++) {
      if (i > 0) out.put(comma);
      const high = word(items + 8 * i + 4);
      if (high === tag.undefined) out.putAscii('null');
      else if (!putValue(word(items + 8 * i), high, depth)) return false;
      if (out.end > bytesMax) drop();
    }
    out.put(closeBracket);
    return true;
  }

  function isToJson(string: number): boolean {
    if (word(string + at.stringLength) !== toJson.length) return false;
    return toJson.every((letter, i) => heap[string + at.stringUnits + i] === letter);
  }

  /** More than may be: only how much it is still counts. */
  function drop(): void {
    pay(out.end);
    dropped += out.end;
    out.empty();
  }

  return {
    write(value, max, payFor) {
      ({ runtime, objectPrototype, arrayPrototype } = places());
      atoms = word(runtime + at.runtimeAtoms);
      bytesMax = max;
      pay = payFor;
      dropped = 0;
      looked = 0;
      out.empty();
      if (!putValue(word(value), word(value + 4), 0)) return undefined;
      pay(out.end);
      if (dropped > 0 || out.end > max) return dropped + out.end;
      return out.bytes.subarray(0, out.end);
    },
  };
}
