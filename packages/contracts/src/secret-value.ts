import { inspect } from 'node:util';

const SHOWN = '[secret]';

/** A secret's value while it is in hand: in a log, an error or JSON it shows nothing. Its bytes are ours alone and are wiped by disposing. */
export class SecretValue implements Disposable {
  readonly #bytes: Buffer;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** From what a person or program sent; the text itself cannot be wiped. */
  static fromText(text: string): SecretValue {
    return new SecretValue(SecretValue.#own(Buffer.byteLength(text), (bytes) => bytes.write(text, 'utf8')));
  }

  /** Copies, and wipes what it was given. */
  static take(given: Uint8Array): SecretValue {
    const bytes = SecretValue.#own(given.length, (own) => own.set(given));
    given.fill(0);
    return new SecretValue(bytes);
  }

  /** Not from Node's pool, where small buffers lie beside strangers'. */
  static #own(length: number, fill: (bytes: Buffer) => void): Buffer {
    const bytes = Buffer.alloc(length);
    fill(bytes);
    return bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** The bytes, to be neither kept nor turned into text. */
  use<T>(work: (bytes: Buffer) => T): T {
    return work(this.#bytes);
  }

  [Symbol.dispose](): void {
    this.#bytes.fill(0);
  }

  toString(): string {
    return SHOWN;
  }
  toJSON(): string {
    return SHOWN;
  }
  [inspect.custom](): string {
    return SHOWN;
  }
}
