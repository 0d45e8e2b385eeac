/**
 * Runs in the engine before a customer's code and is part of every image. It gives the customer's function its message, and the host
 * what came of it. It keeps what it needs of the language to itself, so that a step that changes `JSON` or `Object.prototype` harms
 * only its own message.
 *
 * `host` is: field(index) → string, text() → string | undefined | null, bytes() → ArrayBuffer, emit(outcome, value, detail),
 * log(line), random() → number.
 */
export const outcomeCode = { text: 0, json: 1, bytes: 2, keep: 3, drop: 4, threw: 5, badOutput: 6, pending: 7, typed: 8 } as const;
export const fieldCode = { id: 0, customerId: 1, traceId: 2, contentType: 3, receivedAt: 4, headers: 5 } as const;

export const preludeSource = `(function (field, hostText, hostBytes, emit, log, random) {
'use strict';
const { parse, stringify } = JSON;
const { isView } = ArrayBuffer;
const { freeze, defineProperty, getPrototypeOf, create } = Object;
const { apply } = Reflect;
const StringOf = String, ErrorOf = Error, SyntaxErrorOf = SyntaxError, PromiseOf = Promise, Bytes = Uint8Array, Buffer = ArrayBuffer, DateOf = Date;
const then = Promise.prototype.then;
const slice = ArrayBuffer.prototype.slice;
const indexOf = String.prototype.indexOf, isWellFormed = String.prototype.isWellFormed, toLowerCase = String.prototype.toLowerCase, charCodeAt = String.prototype.charCodeAt;
const fromCodePoint = String.fromCodePoint;
const outputBrand = Symbol.for('vrsky.output');

// Text with a NUL cannot pass the host's C strings, so it is decoded here. The host has checked that it is UTF-8.
function decode(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const b = bytes[i++];
    if (b < 0x80) text += fromCodePoint(b);
    else if (b < 0xe0) text += fromCodePoint(((b & 31) << 6) | (bytes[i++] & 63));
    else if (b < 0xf0) text += fromCodePoint(((b & 15) << 12) | ((bytes[i++] & 63) << 6) | (bytes[i++] & 63));
    else text += fromCodePoint(((b & 7) << 18) | ((bytes[i++] & 63) << 12) | ((bytes[i++] & 63) << 6) | (bytes[i++] & 63));
  }
  return text;
}

function encode(text) {
  const bytes = [];
  for (let i = 0; i < text.length; i++) {
    const c = text.codePointAt(i);
    if (c > 0xffff) i++;
    if (c < 0x80) bytes.push(c);
    else if (c < 0x800) bytes.push(0xc0 | (c >> 6), 0x80 | (c & 63));
    else if (c < 0x10000) bytes.push(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
    else bytes.push(0xf0 | (c >> 18), 0x80 | ((c >> 12) & 63), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
  }
  return new Bytes(bytes).buffer;
}

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

class Message {
  #headers;
  get id() { return field(0); }
  get customerId() { return field(1); }
  get traceId() { return field(2); }
  get contentType() { return field(3); }
  get receivedAt() { return new DateOf(+field(4)); }
  get headers() { return (this.#headers ??= new Headers(parse(field(5)))); }
  text() {
    const text = hostText();
    if (text !== undefined) return text;
    const bytes = hostBytes();
    if (bytes === undefined) throw new ErrorOf('The payload is not UTF-8 text: read it with message.bytes()');
    return decode(new Bytes(bytes));
  }
  bytes() { return new Bytes(hostBytes()); }
  json() {
    const text = this.text();
    try {
      return parse(text);
    } catch (cause) {
      throw new SyntaxErrorOf(text === '' ? 'The payload is empty, so it is not JSON' : 'The payload is not JSON: ' + cause.message);
    }
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

let step, isFilter, settled, result;

function finish(value) {
  if (isFilter) {
    if (value === true) return emit(3);
    if (value === false) return emit(4, 'The filter returned false');
    if (typeof value === 'string') return emit(4, value === '' ? 'The filter returned an empty reason' : value);
    return emit(6, 'A filter returns true to keep the message, or false or a reason to drop it; this one returned ' + typeName(value));
  }
  if (typeof value === 'object' && value !== null && value[outputBrand] === true) {
    emit(8, StringOf(value.contentType));
    value = value.body;
  }
  if (typeof value === 'string') {
    if (!apply(isWellFormed, value, [])) return emit(6, 'The text has half of a surrogate pair, which UTF-8 cannot carry');
    return apply(indexOf, value, ['\\0']) < 0 ? emit(0, value) : emit(2, encode(value));
  }
  if (isView(value)) return emit(2, apply(slice, value.buffer, [value.byteOffset, value.byteOffset + value.byteLength]));
  if (value instanceof Buffer) return emit(2, value);
  let json;
  try {
    json = stringify(value);
  } catch (error) {
    return emit(6, 'The result cannot be written as JSON: ' + describe(error));
  }
  if (json === undefined) return emit(6, 'A convert step returns the new message; this one returned ' + typeName(value));
  emit(1, json);
}

function run() {
  try {
    const value = step(new Message());
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

/** Takes the function out of what the bundle evaluates to. Returns what is wrong with it, or '' when nothing is. */
function bind(kind, exported) {
  step = exported && exported.default;
  isFilter = kind === 'filter';
  return typeof step === 'function' ? '' : 'The code has no default export that is a function: write "export default function (message) { … }"';
}
return [run, settle, bind];
})`;
