import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Delivery } from '@vrsky/sdk/connector';
import type { BodyFormat, Template } from './template.ts';
import { TemplateValues } from './template.ts';
import type { WebhookSigner } from './webhook-signature.ts';

/** One request, ready but for what its authentication adds. */
export interface OutgoingRequest {
  origin: string;
  method: string;
  /** With its query. */
  path: string;
  /** Names and values in turn. */
  headers: string[];
  body: Uint8Array | null;
  /** The access token that it carries. */
  token?: string;
}

/** What makes requests of messages, prepared once for all of them. */
export interface RequestPlan {
  origin: string;
  path: Template;
  method: Template | string;
  headers: readonly (readonly [name: string, value: Template])[];
  /** Names and values in turn: what is the same for every message. */
  fixedHeaders: readonly string[];
  hasContentType: boolean;
  /** In lower case, the names that the destination's own headers have: what the sender's are is then not passed on. */
  named: ReadonlySet<string>;
  body: { format: BodyFormat; template: Template } | null;
  signer: WebhookSigner | null;
  compress: boolean;
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
const contentTypes: Record<BodyFormat, string> = {
  json: 'application/json',
  form: 'application/x-www-form-urlencoded',
  xml: 'application/xml',
  text: 'text/plain; charset=utf-8',
};
const COMPRESS_BYTES_MIN = 1_024;
const compressed = promisify(gzip);

/** The request for one message, signed. Throws TemplateFailed when the message does not have what a template needs. */
export function makeRequest(plan: RequestPlan, delivery: Delivery): OutgoingRequest {
  const values = new TemplateValues(delivery);
  const method = typeof plan.method === 'string' ? plan.method : plan.method.render(values);
  const body = method === 'GET' ? null : bodyOf(plan, delivery, values);
  // Of one message and one connection: two destinations that lead to the same receiver are two requests to it.
  const idempotencyKey = `${delivery.messageId}/${delivery.connectionId}`;
  const headers = ['customer-id', delivery.customerId, 'idempotency-key', idempotencyKey, ...plan.fixedHeaders];
  for (const [name, value] of plan.headers) headers.push(name, value.render(values));
  const contentType = plan.body === null ? delivery.contentType : contentTypes[plan.body.format];
  if (contentType !== '' && method !== 'GET' && !plan.hasContentType && VALUE.test(contentType)) headers.push('content-type', contentType);
  if (delivery.traceparent !== '') headers.push('traceparent', delivery.traceparent);
  if (delivery.tracestate !== '' && VALUE.test(delivery.tracestate)) headers.push('tracestate', delivery.tracestate);
  const isSigned = plan.signer !== null;
  for (const [name, value] of delivery.headers) {
    if (passedOn.has(name) && !plan.named.has(name) && VALUE.test(value) && !(isSigned && name.startsWith('webhook-'))) headers.push(name, value);
  }
  if (isSigned) addSignature(headers, plan.signer as WebhookSigner, delivery.messageId, body);
  return { origin: plan.origin, method, path: plan.path.render(values), headers, body };
}

function bodyOf({ body }: RequestPlan, delivery: Delivery, values: TemplateValues): Uint8Array | null {
  const made = body === null ? delivery.payload : Buffer.from(body.template.render(values));
  return made.length === 0 ? null : made;
}

const EMPTY = new Uint8Array(0);

/** Over the message as it is before compression, which servers undo before a handler sees the body. */
function addSignature(headers: string[], signer: WebhookSigner, id: string, body: Uint8Array | null): void {
  const timestampS = Math.floor(Date.now() / 1_000);
  headers.push('webhook-id', id, 'webhook-timestamp', String(timestampS), 'webhook-signature', signer.sign(id, timestampS, body ?? EMPTY));
}

/** The same request with a smaller body, where that is worth it. */
export async function compressRequest(request: OutgoingRequest): Promise<OutgoingRequest> {
  if (request.body === null || request.body.length < COMPRESS_BYTES_MIN) return request;
  const body = await compressed(request.body);
  return { ...request, body, headers: [...request.headers, 'content-encoding', 'gzip'] };
}
