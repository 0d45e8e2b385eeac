import { encode, encodedSizeMax } from './utf8';
import * as vrsky from './vrsky';

/** Hands the text to one of the platform's functions. */
export function logLine(text: string): void {
  const bytes = heap.alloc(encodedSizeMax(text));
  vrsky.log(bytes, <i32>(encode(text, bytes) - bytes));
}

export function giveReason(text: string): void {
  const bytes = heap.alloc(encodedSizeMax(text));
  vrsky.reason(bytes, <i32>(encode(text, bytes) - bytes));
}

export function giveRoute(text: string): void {
  const bytes = heap.alloc(encodedSizeMax(text));
  vrsky.route(bytes, <i32>(encode(text, bytes) - bytes));
}

export function giveContentType(text: string): void {
  const bytes = heap.alloc(encodedSizeMax(text));
  vrsky.content_type(bytes, <i32>(encode(text, bytes) - bytes));
}

/** Ends the step: the message fails with this text. */
export function stop(text: string): void {
  const bytes = heap.alloc(encodedSizeMax(text));
  vrsky.abort(bytes, <i32>(encode(text, bytes) - bytes));
  unreachable();
}

/** What `throw`, `assert` and the language's own checks end in; the compiler puts it in place of the language's `abort`. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const text = message === null ? 'The step gave up' : message;
  // A place in this library says nothing to the step's author.
  stop(file === null || file.startsWith('~lib/') ? text : `${text} (${file}:${line}:${column})`);
}

/** Seed of Math.random. */
export function seed(): f64 {
  return vrsky.random();
}
