import { Bytes } from './json/write';
import { encode, encodedSizeMax } from './utf8';

/** Text that is written part by part, such as a table: adding to a string instead makes a new string every time. */
export class TextWriter {
  private bytes: Bytes = new Bytes();

  /** Adds a string, or a number or boolean as text. */
  write<T>(part: T): this {
    if (isString<T>()) {
      const text = changetype<string>(part);
      this.bytes.at = encode(text, this.bytes.reserve(encodedSizeMax(text)));
    } else this.bytes.value<T>(part);
    return this;
  }

  /** Adds a string and ends the line. */
  line(part: string = ''): this {
    this.write(part);
    this.bytes.byte(0x0a);
    return this;
  }

  /** The bytes of the text, as UTF-8. */
  finish(): Bytes {
    return this.bytes;
  }
}
