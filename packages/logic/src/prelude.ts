/**
 * Runs in the engine before a customer's code and is part of every image. It gives the customer's function its message, and the host
 * what came of it. It keeps what it needs of the language to itself, so that a step that changes `JSON` or `Object.prototype` harms
 * only its own message.
 *
 * The host gives: field(index) → string, text(goesOn) → string | undefined, bytes() → ArrayBuffer, emit(outcome, value, detail),
 * log(line), random() → number, mark(phase), json() → value | undefined. It tells reading the payload from the step's own work and from
 * writing the result by these calls.
 */
export const outcomeCode = { text: 0, json: 1, bytes: 2, keep: 3, drop: 4, threw: 5, badOutput: 6, pending: 7, typed: 8, tooLarge: 9, value: 10 } as const;
export const fieldCode = { id: 0, customerId: 1, traceId: 2, contentType: 3, receivedAt: 4, headers: 5, outputMax: 6, pipelineId: 7 } as const;
/** What the instructions up to the next mark are for. */
export const phaseCode = { logic: 0, decode: 1, encode: 2 } as const;

export const preludeSource = `(function (field, hostText, hostBytes, emit, log, random, mark, hostJson) {
'use strict';
const { parse, stringify } = JSON;
const { isView } = ArrayBuffer;
const { defineProperty, freeze } = Object;
const objectPrototype = Object.prototype, arrayPrototype = Array.prototype;
const { apply } = Reflect;
const StringOf = String, ErrorOf = Error, SyntaxErrorOf = SyntaxError, TypeErrorOf = TypeError, RangeErrorOf = RangeError, PromiseOf = Promise, Bytes = Uint8Array, Buffer = ArrayBuffer, DateOf = Date;
const then = Promise.prototype.then;
const slice = ArrayBuffer.prototype.slice;
const { indexOf, toLowerCase, charCodeAt, codePointAt, replace, slice: sliceText } = String.prototype;
const { fromCodePoint, fromCharCode } = String;
const outputBrand = Symbol.for('vrsky.output');

/** Text of UTF-8 bytes, as the WHATWG encoding standard has it: each malformed part becomes one U+FFFD, or throws. */
function decode(bytes, fatal) {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const b = bytes[i++];
    if (b < 0x80) {
      text += fromCodePoint(b);
      continue;
    }
    let more = b >= 0xc2 && b < 0xe0 ? 1 : b >= 0xe0 && b < 0xf0 ? 2 : b >= 0xf0 && b < 0xf5 ? 3 : 0;
    let c = more === 1 ? b & 31 : more === 2 ? b & 15 : b & 7;
    let low = b === 0xe0 ? 0xa0 : b === 0xf0 ? 0x90 : 0x80, high = b === 0xed ? 0x9f : b === 0xf4 ? 0x8f : 0xbf;
    let bad = more === 0;
    for (; more > 0; more--) {
      const next = bytes[i];
      if (next === undefined || next < low || next > high) {
        bad = true;
        break;
      }
      low = 0x80;
      high = 0xbf;
      c = (c << 6) | (next & 63);
      i++;
    }
    if (bad && fatal) throw new TypeErrorOf('The bytes are not UTF-8');
    text += bad ? '\uFFFD' : fromCodePoint(c);
  }
  return text;
}

/** UTF-8 bytes of a text; half of a surrogate pair becomes U+FFFD. */
function encode(text) {
  const bytes = [];
  const add = (byte) => { bytes[bytes.length] = byte; };
  for (let i = 0; i < text.length; i++) {
    let c = apply(codePointAt, text, [i]);
    if (c > 0xffff) i++;
    else if (c >= 0xd800 && c < 0xe000) c = 0xfffd;
    if (c < 0x80) add(c);
    else if (c < 0x800) add(0xc0 | (c >> 6)), add(0x80 | (c & 63));
    else if (c < 0x10000) add(0xe0 | (c >> 12)), add(0x80 | ((c >> 6) & 63)), add(0x80 | (c & 63));
    else add(0xf0 | (c >> 18)), add(0x80 | ((c >> 12) & 63)), add(0x80 | ((c >> 6) & 63)), add(0x80 | (c & 63));
  }
  return new Bytes(bytes);
}

globalThis.TextEncoder = class TextEncoder {
  get encoding() { return 'utf-8'; }
  encode(text = '') { return encode(StringOf(text)); }
};
globalThis.TextDecoder = class TextDecoder {
  #fatal;
  #keepMark;
  constructor(encoding = 'utf-8', options = {}) {
    const name = apply(toLowerCase, StringOf(encoding), []);
    if (name !== 'utf-8' && name !== 'utf8') throw new RangeErrorOf('Only UTF-8 can be decoded');
    this.#fatal = options.fatal === true;
    this.#keepMark = options.ignoreBOM === true;
  }
  get encoding() { return 'utf-8'; }
  decode(input) {
    if (input === undefined) return '';
    const bytes = input instanceof Buffer ? new Bytes(input) : isView(input) ? new Bytes(input.buffer, input.byteOffset, input.byteLength) : undefined;
    if (bytes === undefined) throw new TypeErrorOf('Bytes are wanted');
    const text = decode(bytes, this.#fatal);
    return !this.#keepMark && apply(charCodeAt, text, [0]) === 0xfeff ? apply(sliceText, text, [1]) : text;
  }
};

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
globalThis.btoa = function btoa(text) {
  const from = StringOf(text);
  let out = '';
  for (let i = 0; i < from.length; i += 3) {
    const a = apply(charCodeAt, from, [i]), b = apply(charCodeAt, from, [i + 1]), c = apply(charCodeAt, from, [i + 2]);
    if (a > 255 || b > 255 || c > 255) throw new RangeErrorOf('btoa takes characters below 256 only');
    out += alphabet[a >> 2] + alphabet[((a & 3) << 4) | (b >> 4)] + (b === b ? alphabet[((b & 15) << 2) | (c >> 6)] : '=') + (c === c ? alphabet[c & 63] : '=');
  }
  return out;
};
globalThis.atob = function atob(base64) {
  const from = apply(replace, StringOf(base64), [/[\\t\\n\\f\\r ]+|={1,2}$/g, '']);
  let out = '', value = 0, bits = 0;
  if (from.length % 4 === 1) throw new RangeErrorOf('This is not base64');
  for (let i = 0; i < from.length; i++) {
    const digit = apply(indexOf, alphabet, [from[i]]);
    if (digit < 0) throw new RangeErrorOf('This is not base64');
    value = (value << 6) | digit;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += fromCharCode((value >> bits) & 255);
      value &= (1 << bits) - 1;
    }
  }
  return out;
};

class Headers {
  #entries;
  constructor(entries) { this.#entries = entries; }
  get(name) {
    const wanted = apply(toLowerCase, StringOf(name), []);
    let found = null;
    for (const entry of this.#entries) if (apply(toLowerCase, entry[0], []) === wanted) found = found === null ? entry[1] : found + ', ' + entry[1];
    return found;
  }
  has(name) { return this.get(name) !== null; }
  *entries() { for (const entry of this.#entries) yield [entry[0], entry[1]]; }
  [Symbol.iterator]() { return this.entries(); }
}

/** What is held to the end is not given back object by object, for nothing: all of the memory is put back. */
let heldPayload, heldResult;

class Message {
  #headers;
  get id() { return field(0); }
  get customerId() { return field(1); }
  get traceId() { return field(2); }
  get contentType() { return field(3); }
  get receivedAt() { return new DateOf(+field(4)); }
  get pipelineId() { return field(7); }
  get headers() { return (this.#headers ??= new Headers(parse(field(5)))); }
  text() { return readText(false); }
  bytes() { return new Bytes(hostBytes()); }
  json() {
    const read = hostJson();
    if (read !== undefined) return (heldPayload = read);
    // It is not JSON, which the engine says in its own words, or nested so deep that it counts.
    const text = readText(true);
    let value;
    try {
      value = parse(text);
    } catch (cause) {
      throw new SyntaxErrorOf(text === '' ? 'The payload is empty, so it is not JSON' : 'The payload is not JSON: ' + cause.message);
    } finally {
      mark(0);
    }
    return value;
  }
}

/** 'goesOn': what follows is reading it, too. */
function readText(goesOn) {
  const text = hostText(goesOn ? 1 : 0);
  if (text !== undefined) return text;
  // It has a NUL, which cannot pass the host's C strings, or it is no text.
  mark(1);
  try {
    return decode(new Bytes(hostBytes()), true);
  } catch (error) {
    if (!(error instanceof TypeErrorOf)) throw error;
    throw new TypeErrorOf('The payload is not UTF-8 text: read it with msg.bytes()');
  } finally {
    if (!goesOn) mark(0);
  }
}

function show(value) {
  if (typeof value === 'string') return value;
  if (value instanceof ErrorOf) return describe(value);
  if (typeof value === 'object' && value !== null) {
    try {
      const json = stringify(value);
      if (json !== undefined) return json;
    } catch {}
  }
  return typeof value === 'bigint' ? StringOf(value) + 'n' : StringOf(value);
}
function print(...values) {
  let line = '';
  for (let i = 0; i < values.length; i++) line += (i === 0 ? '' : ' ') + show(values[i]);
  log(line);
}
globalThis.console = { log: print, info: print, debug: print, warn: print, error: print };
defineProperty(Math, 'random', { value: () => random(), writable: true, configurable: true });

function describe(error) {
  try {
    if (typeof error === 'object' && error !== null && 'message' in error) {
      const name = StringOf(error.name);
      const message = StringOf(error.message);
      return name === 'Error' ? message || 'Error' : message === '' ? name : name + ': ' + message;
    }
    return 'A value that is no Error was thrown: ' + show(error);
  } catch {
    return 'A value that cannot be shown was thrown';
  }
}
function fail(error) {
  let stack = '';
  try {
    if (error instanceof ErrorOf) stack = StringOf(error.stack);
  } catch {}
  emit(5, describe(error), stack);
}

function typeName(value) {
  return value === null ? 'null' : typeof value === 'function' ? 'a function' : typeof value === 'object' ? 'an object' : typeof value === 'undefined' ? 'undefined' : 'a ' + typeof value;
}

class Filtered {
  #reason;
  #route;
  constructor(reason, route) {
    this.#reason = reason;
    this.#route = route;
  }
  static emit(value) {
    if (typeof value !== 'object' || value === null || !(#reason in value)) return false;
    emit(4, value.#reason === '' ? 'The step filtered the message and gave no reason' : value.#reason, value.#route);
    return true;
  }
}

const emitFiltered = Filtered.emit;
const message = new Message();
const context = {
  log: print,
  metadata: {
    get messageId() { return field(0); },
    get customerId() { return field(1); },
    get traceId() { return field(2); },
    get pipelineId() { return field(7); },
    get contentType() { return field(3); },
    get receivedAt() { return new DateOf(+field(4)); },
  },
  filter(reason, options) { return new Filtered(StringOf(reason ?? ''), options?.route === undefined ? '' : StringOf(options.route)); },
  fail(text) { throw new ErrorOf(StringOf(text)); },
};

/** The module '@vrsky/sdk'. */
const sdk = {
  defineConvert: (step) => step,
  defineFilter: (step) => step,
  output: (body, contentType) => ({ [outputBrand]: true, body, contentType }),
};
freeze(defineProperty(sdk, '__esModule', { value: true }));
function require(name) {
  if (name === '@vrsky/sdk') return sdk;
  throw new ErrorOf('A step can import only "@vrsky/sdk", not ' + stringify(name));
}

let step, isFilter, settled, result;

function finish(value) {
  heldResult = value;
  if (emitFiltered(value)) return;
  if (isFilter) {
    if (value === true) return emit(3);
    if (value === false) return emit(4, 'The filter returned false', '');
    if (typeof value === 'string') return emit(4, value === '' ? 'The filter returned an empty reason' : value, '');
    return emit(6, 'A filter returns true to keep the message, or false or a reason to drop it; this one returned ' + typeName(value));
  }
  if (typeof value === 'object' && value !== null && value[outputBrand] === true) {
    emit(8, StringOf(value.contentType));
    value = value.body;
  }
  if (typeof value === 'string') {
    // Before its characters are looked at, which costs instructions.
    if (value.length > 65536 && value.length > +field(6)) return emit(9, StringOf(value.length));
    // The host says when it did not get it whole: a C string ends at a NUL.
    if (emit(0, value, value.length) === undefined) return;
    mark(2);
    return emit(2, encode(value).buffer);
  }
  if (isView(value)) return emit(2, apply(slice, value.buffer, [value.byteOffset, value.byteOffset + value.byteLength]));
  if (value instanceof Buffer) return emit(2, value);
  let json;
  mark(2);
  try {
    // What a 'toJSON' that all objects have makes of them, the host does not know.
    if (objectPrototype.toJSON === undefined && arrayPrototype.toJSON === undefined && emit(10, value) === undefined) return;
    json = stringify(value);
  } catch (error) {
    return emit(6, 'The result cannot be written as JSON: ' + describe(error));
  }
  if (json === undefined) return emit(6, 'A convert step returns the new message; this one returned ' + typeName(value));
  emit(1, json);
}

function run() {
  try {
    const value = step(message, context);
    if (value instanceof PromiseOf) {
      settled = 0;
      apply(then, value, [(v) => { settled = 1; result = v; }, (e) => { settled = 2; result = e; }]);
      return emit(7);
    }
    finish(value);
  } catch (error) {
    fail(error);
  }
}

/** After the engine's queue of jobs is empty. */
function settle() {
  try {
    if (settled === 0) return emit(6, 'The step returned a promise that nothing settles: a step cannot wait for anything outside of it');
    if (settled === 2) return fail(result);
    finish(result);
  } catch (error) {
    fail(error);
  }
}

/** Takes the function out of what the script evaluates to: a function of 'require' that gives the exports, or the exports. Returns what is wrong, or ''. */
function bind(kind, script) {
  const exported = typeof script === 'function' ? script(require) : script;
  step = exported && exported.default;
  isFilter = kind === 'filter';
  return typeof step === 'function' ? '' : 'The code has no default export that is a function: write "export default defineConvert((msg, ctx) => …)"';
}
return [run, settle, bind, objectPrototype, arrayPrototype];
})`;
