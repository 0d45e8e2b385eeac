/**
 * What a logic step is written with. A step is the default export of its code:
 *
 * ```ts
 * import { defineConvert } from '@vrsky/sdk';
 *
 * export default defineConvert((msg, ctx) => {
 *   const order = msg.json();
 *   if (order.status !== 'paid') return ctx.filter('not paid yet');
 *   return { id: order.id, total: order.items.length };
 * });
 * ```
 *
 * A step has no network, no files and no timers, and the time does not pass while it runs. Given the same message it always makes
 * the same result, with the same number of instructions: the platform counts them, and runs steps again to show you what they did.
 */

/** The message a step works on. Reading from it never changes it: what a convert step returns is the new message. */
export interface Message {
  /** The platform's id of the message. It stays the same on every retry. */
  readonly id: string;
  /** Your organisation's Customer-ID, set by the platform. */
  readonly customerId: string;
  /** The W3C trace id that connects the message with the sender's trace. */
  readonly traceId: string;
  /** Type of the payload, such as `application/json`, as the sender or the step before gave it. */
  readonly contentType: string;
  /** The sender's request headers that pass through the platform. Names are compared without case. */
  readonly headers: MessageHeaders;
  /** The pipeline that the message is in. */
  readonly pipelineId: string;
  /** When the platform accepted the message. `Date.now()` in a step is this time too. */
  readonly receivedAt: Date;
  /** The payload, parsed as JSON. Throws when it is not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: what a stranger sent has the shape that the step's author expects
  json<T = any>(): T;
  /** The payload as text. Throws when it is not UTF-8. A byte order mark at its start is left out. */
  text(): string;
  /** The payload as it came, in a copy of its own. */
  bytes(): Uint8Array;
}

export interface MessageHeaders extends Iterable<[name: string, value: string]> {
  /** The header's value, values of repeated headers joined by a comma, or null. */
  get(name: string): string | null;
  has(name: string): boolean;
  entries(): IterableIterator<[name: string, value: string]>;
}

/** What a step gets beside the message. Its functions can be taken out of it: `({ log, filter }) => …`. */
export interface Context {
  /** Writes a line to the step's log, which the message's trail shows. The same as `console.log`. */
  log(...values: unknown[]): void;
  readonly metadata: Metadata;
  /** `return ctx.filter('not paid yet')` drops the message and says why. With `route`, it names the way that the message goes instead. */
  filter(reason: string, options?: { route?: string }): Filtered;
  /** Ends the step: the message fails with this text as the reason. */
  fail(message: string): never;
}

/** What the platform knows of the message. */
export interface Metadata {
  readonly messageId: string;
  readonly customerId: string;
  readonly traceId: string;
  readonly pipelineId: string;
  readonly contentType: string;
  readonly receivedAt: Date;
}

declare const filtered: unique symbol;
/** What `ctx.filter` makes: return it. */
export interface Filtered {
  readonly [filtered]: true;
}

/**
 * What a convert step may return: text and bytes are sent as they are and keep the message's content type; anything else is sent as
 * JSON, with content type `application/json`. Use `output` for another content type, and `ctx.filter` to drop the message.
 */
export type Convertible = string | Uint8Array | ArrayBuffer | Output | Filtered | number | boolean | null | object;

/** Makes a new message of each message. */
export type ConvertStep = (msg: Message, ctx: Context) => Convertible | Promise<Convertible>;

/** Returns true to let the message pass. False drops it; a text or `ctx.filter` drops it and says why. */
export type FilterStep = (msg: Message, ctx: Context) => boolean | string | Filtered | Promise<boolean | string | Filtered>;

const brand = Symbol.for('vrsky.output');

/** A result with a content type of its own. */
export interface Output {
  readonly [brand]: true;
  readonly body: string | Uint8Array | ArrayBuffer | object;
  readonly contentType: string;
}

/** Returns `body` with another content type: `return output(lines.join('\n'), 'text/csv')`. */
export function output(body: string | Uint8Array | ArrayBuffer | object, contentType: string): Output {
  return { [brand]: true, body, contentType };
}

/** Gives a convert step its types, also without annotations: `export default defineConvert((msg, ctx) => …)`. */
export function defineConvert(step: ConvertStep): ConvertStep {
  return step;
}

/** Gives a filter its types, also without annotations: `export default defineFilter((msg, ctx) => …)`. */
export function defineFilter(step: FilterStep): FilterStep {
  return step;
}
