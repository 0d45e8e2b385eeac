import type { FieldError } from '@vrsky/sdk/connector';
import * as z from 'zod';

export const sourceSettingsSchema = z.strictObject({
  path: z.string().regex(/^[A-Za-z0-9_-]{8,128}$/, 'A path has 8 to 128 letters, digits, - and _'),
});

const URL_CHARS_MAX = 2_048;
const HEADERS_MAX = 32;
const TIMEOUT_MS_MAX = 60_000;

/** Set by us or by the protocol; a customer's value would break the message or forge who sent it. */
const reservedHeaders = new Set([
  'customer-id',
  'idempotency-key',
  'traceparent',
  'tracestate',
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
]);

export const destinationSettingsSchema = z.strictObject({
  url: z
    .string()
    .max(URL_CHARS_MAX, `A URL has at most ${URL_CHARS_MAX} characters`)
    .refine((value) => findUrl(value) !== null, 'Enter a whole http or https URL without user name and password'),
  method: z.enum(['POST', 'PUT', 'PATCH']).default('POST'),
  headers: z
    .array(
      z.strictObject({
        name: z
          .string()
          .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'A header name has only letters, digits and -')
          .refine((name) => !reservedHeaders.has(name.toLowerCase()), 'The platform sets this header itself'),
        value: z
          .string()
          .max(4_096, 'A header value has at most 4,096 characters')
          .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'A header value has no line breaks'),
      }),
    )
    .max(HEADERS_MAX, `At most ${HEADERS_MAX} headers`)
    .default([]),
  timeoutMs: z.int().min(100, 'At least 100 ms').max(TIMEOUT_MS_MAX, `At most ${TIMEOUT_MS_MAX} ms`).default(10_000),
});

export type DestinationSettings = z.infer<typeof destinationSettingsSchema>;

export const settingsSchemas = {
  source: z.toJSONSchema(sourceSettingsSchema, { io: 'input' }),
  destination: z.toJSONSchema(destinationSettingsSchema, { io: 'input' }),
};

/** A schema's word on settings: the value, or what is wrong with which field. */
export function checkSettings<T>(schema: z.ZodType<T>, settings: unknown): { value: T } | { errors: FieldError[] } {
  const result = schema.safeParse(settings);
  if (result.success) return { value: result.data };
  return {
    errors: result.error.issues.map(({ path, message }) => ({
      path: path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
      message,
    })),
  };
}

function findUrl(text: string): URL | null {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.username !== '' || url.password !== '') return null;
  return url;
}
