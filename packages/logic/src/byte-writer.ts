const quote = 0x22;
const backslash = 0x5c;
const minus = 0x2d;
const zero = 0x30;
const letterU = 0x75;
const hexDigits = '0123456789abcdef';
const keptBytes = 256 * 1024;
/** What follows a backslash, by what it stands for. */
const shortEscapes = new Map([
  [0x22, 0x22],
  [0x5c, 0x5c],
  [0x08, 0x62],
  [0x0c, 0x66],
  [0x0a, 0x6e],
  [0x0d, 0x72],
  [0x09, 0x74],
]);

/** Bytes that grow, with what JSON and the engine's form of values are made of. */
export class ByteWriter {
  bytes: Uint8Array = new Uint8Array(4096);
  end = 0;
  private view = new DataView(this.bytes.buffer);

  /** Makes room for so many bytes more. */
  reserve(count: number): void {
    if (this.end + count > this.bytes.length) this.grow(count);
  }

  private grow(count: number): void {
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.end + count));
    larger.set(this.bytes.subarray(0, this.end));
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }

  put(byte: number): void {
    this.reserve(1);
    this.bytes[this.end++] = byte;
  }

  /** A number from 0 in LEB128. */
  putLeb(value: number): void {
    this.reserve(5);
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) this.bytes[this.end++] = (rest & 0x7f) | 0x80;
    this.bytes[this.end++] = rest;
  }

  putFloat64(value: number): void {
    this.reserve(8);
    this.view.setFloat64(this.end, value, true);
    this.end += 8;
  }

  /** An integer in decimal digits. */
  putInt(value: number): void {
    this.reserve(11);
    let rest = value;
    if (rest < 0) {
      this.bytes[this.end++] = minus;
      rest = -rest;
    }
    let digits = 1;
    for (let bound = 10; rest >= bound; bound *= 10) digits++;
    for (let i = this.end + digits - 1; i >= this.end; i--) {
      const next = Math.floor(rest / 10);
      this.bytes[i] = zero + rest - next * 10;
      rest = next;
    }
    this.end += digits;
  }

  putAscii(text: string): void {
    this.reserve(text.length);
    for (let i = 0; i < text.length; i++) this.bytes[this.end++] = text.charCodeAt(i);
  }

  /** A string in the engine's form, of ASCII. */
  putString(from: Uint8Array, start: number, end: number): void {
    this.putLeb((end - start) * 2);
    this.reserve(end - start);
    this.copy(from, start, end);
  }

  private copy(from: Uint8Array, start: number, end: number): void {
    const { bytes } = this;
    if (end - start > 64) bytes.set(from.subarray(start, end), this.end);
    else for (let i = start, to = this.end; i < end; i++) bytes[to++] = from[i] as number;
    this.end += end - start;
  }

  /** A string in the engine's form, of UTF-16 units; with `isWide` false, of those below 256. */
  putUnits(units: Uint16Array, count: number, isWide: boolean): void {
    this.putLeb(count * 2 + (isWide ? 1 : 0));
    this.reserve(count * 2);
    for (let i = 0; i < count; i++) {
      const unit = units[i] as number;
      this.bytes[this.end++] = unit & 0xff;
      if (isWide) this.bytes[this.end++] = unit >> 8;
    }
  }

  /** A string in JSON, of Latin-1. */
  putQuoted(from: Uint8Array, start: number, end: number): void {
    this.reserve(end - start + 2);
    this.bytes[this.end++] = quote;
    // Up to the first that does not stand for itself, and on from there.
    let usual = start;
    while (usual < end && !isUnusual(from[usual] as number) && from[usual] !== quote) usual++;
    this.copy(from, start, usual);
    for (let i = usual; i < end; i++) this.putQuotedUnit(from[i] as number);
    this.put(quote);
  }

  /** A string in JSON, of UTF-16 units, the lower byte first. Half of a pair is escaped, as in `JSON.stringify`. */
  putQuotedUnits(from: Uint8Array, start: number, end: number): void {
    this.put(quote);
    for (let i = start; i < end; i += 2) {
      const unit = unitAt(from, i);
      const next = unit >= 0xd800 && unit < 0xdc00 && i + 2 < end ? unitAt(from, i + 2) : 0;
      if (next < 0xdc00 || next >= 0xe000) {
        this.putQuotedUnit(unit);
        continue;
      }
      const code = 0x10000 + ((unit & 0x3ff) << 10) + (next & 0x3ff);
      this.reserve(4);
      this.bytes[this.end++] = 0xf0 | (code >> 18);
      this.bytes[this.end++] = 0x80 | ((code >> 12) & 63);
      this.bytes[this.end++] = 0x80 | ((code >> 6) & 63);
      this.bytes[this.end++] = 0x80 | (code & 63);
      i += 2;
    }
    this.put(quote);
  }

  private putQuotedUnit(unit: number): void {
    this.reserve(6);
    if (unit < 0x20 || unit === quote || unit === backslash || (unit >= 0xd800 && unit < 0xe000)) {
      const short = shortEscapes.get(unit);
      this.bytes[this.end++] = backslash;
      if (short !== undefined) this.bytes[this.end++] = short;
      else {
        this.bytes[this.end++] = letterU;
        for (let shift = 12; shift >= 0; shift -= 4) this.bytes[this.end++] = hexDigits.charCodeAt((unit >> shift) & 15);
      }
    } else if (unit < 0x80) this.bytes[this.end++] = unit;
    else if (unit < 0x800) {
      this.bytes[this.end++] = 0xc0 | (unit >> 6);
      this.bytes[this.end++] = 0x80 | (unit & 63);
    } else {
      this.bytes[this.end++] = 0xe0 | (unit >> 12);
      this.bytes[this.end++] = 0x80 | ((unit >> 6) & 63);
      this.bytes[this.end++] = 0x80 | (unit & 63);
    }
  }

  /** Forgets what was put, and the room when it is large. */
  empty(): void {
    this.end = 0;
    if (this.bytes.length <= keptBytes) return;
    this.bytes = new Uint8Array(4096);
    this.view = new DataView(this.bytes.buffer);
  }
}

/** Whether a byte within a string's quotes does not stand for one character that is its own: a control, an escape, not ASCII, or the end. */
export function isUnusual(byte: number): boolean {
  return !(byte >= 0x20 && byte < 0x80 && byte !== backslash);
}

function unitAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}
