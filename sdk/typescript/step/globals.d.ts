// What a step finds without importing it, besides the language itself.

/** The message a step works on. */
type Message = import('@vrsky/sdk').Message;

/** What a step gets beside the message. */
type Context = import('@vrsky/sdk').Context;

interface Console {
  /** Writes a line to the step's log, which the message's trail shows. At most 50 lines and 8 KiB of one message are kept. */
  log(...values: unknown[]): void;
  info(...values: unknown[]): void;
  debug(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
}
declare const console: Console;

/** Base64 of a text whose characters are all below 256. */
declare function btoa(text: string): string;
/** The text that `btoa` made base64 of. */
declare function atob(base64: string): string;

/** UTF-8 bytes of a text. */
declare class TextEncoder {
  readonly encoding: 'utf-8';
  encode(text?: string): Uint8Array;
}
/** Text of UTF-8 bytes; malformed bytes become U+FFFD, or an error with `fatal`. */
declare class TextDecoder {
  constructor(encoding?: 'utf-8' | 'utf8', options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: 'utf-8';
  decode(bytes?: Uint8Array | ArrayBuffer): string;
}
