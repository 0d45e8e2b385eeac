/** Reads a module's bytes. The bytes are of a valid module, so a read past the end is a bug of ours. */
export class Reader {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  u8(): number {
    return this.bytes[this.at++] as number;
  }

  u32(): number {
    let byte = this.u8();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let shift = 7; ; shift += 7) {
      byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  s32(): number {
    let value = 0;
    for (let shift = 0; ; ) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      shift += 7;
      if (byte < 0x80) return shift < 32 && (byte & 0x40) !== 0 ? value | (-1 << shift) : value;
    }
  }

  skipLeb(): void {
    while (this.u8() >= 0x80);
  }

  name(): string {
    const length = this.u32();
    this.at += length;
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }
}

/** Writes a module's bytes into a buffer that grows. */
export class Writer {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** A view, valid until the next write. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  raw(source: Uint8Array, start = 0, end = source.length): void {
    const size = end - start;
    if (size <= 0) return;
    this.#reserve(size);
    // A loop beats the view that `set` would need for the few bytes between two insertions.
    if (size < 32) for (let i = start; i < end; i++) this.#bytes[this.#length++] = source[i] as number;
    else {
      this.#bytes.set(source.subarray(start, end), this.#length);
      this.#length += size;
    }
  }

  /** Replaces a byte that was written. */
  patch(at: number, value: number): void {
    this.#bytes[at] = value;
  }

  /** Takes back what was written from a place on. */
  truncate(length: number): void {
    this.#length = length;
  }

  u32(value: number): void {
    this.#reserve(5);
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  /** A signed number of at most 53 bits. */
  s64(value: number): void {
    this.#reserve(10);
    if (value === (value | 0)) {
      // Nearly all are small, and whole numbers of 32 bits are faster.
      let small = value | 0;
      while (small > 63 || small < -64) {
        this.#bytes[this.#length++] = (small & 0x7f) | 0x80;
        small >>= 7;
      }
      this.#bytes[this.#length++] = small & 0x7f;
      return;
    }
    let rest = value;
    for (;;) {
      const byte = ((rest % 128) + 128) % 128;
      rest = Math.floor(rest / 128);
      if ((rest === 0 && byte < 0x40) || (rest === -1 && byte >= 0x40)) {
        this.#bytes[this.#length++] = byte;
        return;
      }
      this.#bytes[this.#length++] = byte | 0x80;
    }
  }

  name(text: string): void {
    const encoded = new TextEncoder().encode(text);
    this.u32(encoded.length);
    this.raw(encoded);
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + size));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
