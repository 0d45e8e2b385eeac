import { giveContentType, giveReason, giveRoute, logLine, stop } from './host';
import { Bytes, JsonNode } from './json/write';
import { Message, Metadata } from './message';
import { TextWriter } from './text-writer';
import { encode, encodedSizeMax } from './utf8';
import * as vrsky from './vrsky';

/**
 * What a step makes of a message. Get one from `json`, `text`, `bytes`, `pass` or `ctx.filter`; a filter may return true and false as well.
 */
export type Result = i32;

/** The codes of the ABI, away from numbers that a step returns by mistake. */
const KEEP: Result = 0x5c00;
const CONVERTED: Result = 0x5c01;
const FILTERED: Result = 0x5c02;

/** Makes a new message of each message, or filters it. */
export type ConvertStep = (msg: Message, ctx: Context) => Result;
/** Returns true to let the message pass, false or `ctx.filter(reason)` to drop it. */
export type FilterStep = (msg: Message, ctx: Context) => Result;

let convert: ConvertStep | null = null;
let filter: FilterStep | null = null;

/** Says what a convert step does. Call it once, at the top level of the step. */
export function defineConvert(step: ConvertStep): void {
  convert = step;
}

/** Says what a filter step does. Call it once, at the top level of the step. */
export function defineFilter(step: FilterStep): void {
  filter = step;
}

/** Sends JSON: an object or array that was written, a value that was read, or text, numbers, booleans and arrays of them. */
export function json<T>(value: T): Result {
  const bytes = new Bytes();
  if (value instanceof JsonNode) return send(changetype<JsonNode>(value).finish(), 'application/json');
  bytes.value<T>(value);
  return send(bytes, 'application/json');
}

/** Sends text, a string or a TextWriter, as UTF-8. It has the content type of the message if none is given. */
export function text<T>(body: T, contentType: string = ''): Result {
  if (body instanceof TextWriter) return send(changetype<TextWriter>(body).finish(), contentType);
  const bytes = new Bytes();
  if (isString<T>()) bytes.at = encode(changetype<string>(body), bytes.reserve(encodedSizeMax(changetype<string>(body))));
  else ERROR('text(…) takes a string or a TextWriter');
  return send(bytes, contentType);
}

/** Sends bytes as they are. They have the content type of the message if none is given. */
export function bytes(body: Uint8Array, contentType: string = ''): Result {
  vrsky.output(body.dataStart, body.length);
  if (contentType != '') giveContentType(contentType);
  return CONVERTED;
}

/** Lets the message pass as it is. */
export function pass(): Result {
  return KEEP;
}

function send(bytes: Bytes, contentType: string): Result {
  vrsky.output(bytes.start, <i32>(bytes.at - bytes.start));
  if (contentType != '') giveContentType(contentType);
  return CONVERTED;
}

/** Beside the reason of a filter. */
export class FilterOptions {
  /** The route that the message takes, if the pipeline has it. */
  route: string = '';
}

/** What a step has beside the message. */
export class Context {
  readonly metadata: Metadata = new Metadata();

  /** Writes a line to the message's log: up to four values, with a space between them. */
  log<A, B = Absent, C = Absent, D = Absent>(a: A, b: B = none<B>(), c: C = none<C>(), d: D = none<D>()): void {
    logLine(show<A>(a) + next<B>(b) + next<C>(c) + next<D>(d));
  }

  /** Drops the message and says why: `return ctx.filter('not paid yet')`, also with `{ route: 'unpaid' }` to send it another way. */
  filter(reason: string, options: FilterOptions | null = null): Result {
    giveReason(reason == '' ? 'The step filtered the message and gave no reason' : reason);
    if (options !== null && options.route != '') giveRoute(options.route);
    return FILTERED;
  }

  /** Fails the message. */
  fail(message: string): void {
    stop(message);
  }
}

/** The type of a value that was not given. */
@unmanaged
class Absent {}

function none<T>(): T {
  if (isReference<T>()) return changetype<T>(0);
  else return <T>0;
}

function next<T>(value: T): string {
  return value instanceof Absent ? '' : ` ${show<T>(value)}`;
}

function show<T>(value: T): string {
  if (isString<T>()) return isNullable<T>() && changetype<usize>(value) == 0 ? 'null' : changetype<string>(value);
  const bytes = new Bytes();
  bytes.value<T>(value);
  return String.UTF8.decodeUnsafe(bytes.start, bytes.at - bytes.start);
}

const message = new Message();
const context = new Context();

/** What the platform calls for every message. */
export function vrsky_run_v1(): i32 {
  const converting = convert;
  if (converting !== null) {
    const result = converting(message, context);
    if (result < KEEP || result > FILTERED) stop('A convert step returns json(…), text(…), bytes(…), pass() or ctx.filter(…)');
    return result - KEEP;
  }
  const filtering = filter;
  if (filtering === null) {
    stop('The step has no defineConvert(…) and no defineFilter(…)');
    return 3;
  }
  const result = filtering(message, context);
  if (result == 1 || result == KEEP) return 0;
  if (result == 0) giveReason('The filter returned false');
  else if (result != FILTERED) stop('A filter returns true, false or ctx.filter(…)');
  return 2;
}
