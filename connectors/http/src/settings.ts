import * as z from 'zod';

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
    .refine((value) => findUrl(value) !== null, 'Enter a whole http or https URL without user name and password')
    .meta({ title: 'URL', description: 'Where each message is sent.', examples: ['https://api.example.com/orders'] }),
  method: z.enum(['POST', 'PUT', 'PATCH']).default('POST').meta({ title: 'Method' }),
  headers: z
    .array(
      z.strictObject({
        name: z
          .string()
          .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'A header name has only letters, digits and -')
          .refine((name) => !reservedHeaders.has(name.toLowerCase()), 'The platform sets this header itself')
          .meta({ title: 'Name' }),
        value: z
          .string()
          .max(4_096, 'A header value has at most 4,096 characters')
          .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'A header value has no line breaks')
          .meta({ title: 'Value' }),
      }),
    )
    .max(HEADERS_MAX, `At most ${HEADERS_MAX} headers`)
    .default([])
    .meta({ title: 'Headers', description: 'Sent with each request, beside those that the platform sets.' }),
  timeoutMs: z
    .int()
    .min(100, 'At least 100 ms')
    .max(TIMEOUT_MS_MAX, `At most ${TIMEOUT_MS_MAX} ms`)
    .default(10_000)
    .meta({ title: 'Time limit in ms', description: 'For the whole request, from connecting to the last byte of the answer.' }),
});

export type DestinationSettings = z.infer<typeof destinationSettingsSchema>;

function findUrl(text: string): URL | null {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.username !== '' || url.password !== '') return null;
  return url;
}
