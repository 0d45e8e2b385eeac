import type { Delivery } from '@vrsky/sdk/connector';
import type { DestinationSettings } from '../settings.ts';

/** A destination, prepared once for all its messages. */
export interface Target {
  origin: string;
  /** Host as the customer wrote it, for sentences. */
  host: string;
  path: string;
  method: 'POST' | 'PUT' | 'PATCH';
  timeoutMs: number;
  /** Names and values in turn: what is the same for every message. */
  fixedHeaders: readonly string[];
  hasContentType: boolean;
}

/** What a source took in and a receiver may see: ids by which both ends recognise a message, nothing else. */
const passedOn: ReadonlySet<string> = new Set([
  'x-request-id',
  'x-correlation-id',
  'correlation-id',
  'ce-id',
  'ce-source',
  'ce-type',
  'ce-specversion',
  'ce-time',
  'ce-subject',
  'ce-dataschema',
  'webhook-id',
  'webhook-timestamp',
]);
/** What HTTP allows in a value; a line break in particular would begin a header of the sender's own. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const USER_AGENT = 'VRSky';

export function toTarget(settings: DestinationSettings): Target {
  const url = new URL(settings.url);
  const names = new Set(settings.headers.map(({ name }) => name.toLowerCase()));
  return {
    origin: url.origin,
    host: url.host,
    path: `${url.pathname}${url.search}`,
    method: settings.method,
    timeoutMs: settings.timeoutMs,
    fixedHeaders: [...(names.has('user-agent') ? [] : ['user-agent', USER_AGENT]), ...settings.headers.flatMap(({ name, value }) => [name, value])],
    hasContentType: names.has('content-type'),
  };
}

export function requestHeaders(target: Target, delivery: Delivery): string[] {
  // Of one message and one connection: two destinations that lead to the same receiver are two requests to it.
  const idempotencyKey = `${delivery.messageId}/${delivery.connectionId}`;
  const headers = ['customer-id', delivery.customerId, 'idempotency-key', idempotencyKey, ...target.fixedHeaders];
  if (delivery.contentType !== '' && !target.hasContentType && VALUE.test(delivery.contentType)) headers.push('content-type', delivery.contentType);
  if (delivery.traceparent !== '') headers.push('traceparent', delivery.traceparent);
  if (delivery.tracestate !== '' && VALUE.test(delivery.tracestate)) headers.push('tracestate', delivery.tracestate);
  for (const [name, value] of delivery.headers) if (passedOn.has(name) && VALUE.test(value)) headers.push(name, value);
  return headers;
}
