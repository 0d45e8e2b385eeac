import { secret } from '@vrsky/sdk/connector';
import * as z from 'zod';
import { compileBody, compileHeader, compileMethod, compileUrl, TemplateInvalid } from './template.ts';

export const httpMethods = ['POST', 'PUT', 'PATCH', 'DELETE', 'GET'] as const;
export type HttpMethod = (typeof httpMethods)[number];

const URL_CHARS_MAX = 2_048;
const HEADERS_MAX = 32;
const TIMEOUT_MS_MAX = 60_000;
export const CONNECTIONS_MAX = 64;
const PEM_CHARS_MAX = 65_536;

/** Set by us or by the protocol; a customer's value would break the message or forge who sent it. */
const reservedHeaders = new Set([
  'customer-id',
  'idempotency-key',
  'traceparent',
  'tracestate',
  'host',
  'content-length',
  'content-encoding',
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

const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'A header name has only letters, digits and -')
  .refine((name) => !reservedHeaders.has(name.toLowerCase()), 'The platform sets this header itself');

/** Text that a template's reader takes. */
function template(read: (text: string) => unknown) {
  return (text: string, context: z.RefinementCtx): void => {
    try {
      read(text);
    } catch (error) {
      if (!(error instanceof TemplateInvalid)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  };
}

const text = (max: number) => z.string().max(max, `At most ${max.toLocaleString('en')} characters`);
const httpsUrl = text(URL_CHARS_MAX).refine((value) => {
  const url = URL.parse(value);
  return url !== null && (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' && url.password === '';
}, 'Enter a whole http or https URL without user name and password');

const authSchema = z
  .discriminatedUnion('scheme', [
    z
      .strictObject({ scheme: z.literal('bearer'), token: secret({ title: 'Token' }) })
      .meta({ title: 'Bearer token', description: 'Authorization: Bearer <token>' }),
    z
      .strictObject({
        scheme: z.literal('basic'),
        username: text(256)
          .regex(/^[^:\p{Cc}]*$/u, 'A user name has no colon')
          .meta({ title: 'User name' }),
        password: secret({ title: 'Password' }),
      })
      .meta({ title: 'Basic: user name and password' }),
    z
      .strictObject({
        scheme: z.literal('api_key'),
        in: z.enum(['header', 'query']).default('header').meta({ title: 'Sent in' }),
        name: headerName.meta({ title: 'Name', description: 'Of the header or the query parameter.', examples: ['x-api-key'] }),
        value: secret({ title: 'Key' }),
      })
      .meta({ title: 'API key' }),
    z
      .strictObject({
        scheme: z.literal('oauth2'),
        tokenUrl: httpsUrl.meta({ title: 'Token URL', format: 'uri', examples: ['https://login.example.com/oauth2/token'] }),
        clientId: text(512).min(1, 'This is required').meta({ title: 'Client ID' }),
        clientSecret: secret({ title: 'Client secret', description: 'Its hosts have to include the one of the token URL.' }),
        scope: text(1_024).optional().meta({ title: 'Scope', description: 'Names with spaces between them.' }),
        audience: text(1_024).optional().meta({ title: 'Audience' }),
        resource: text(1_024).optional().meta({ title: 'Resource', description: 'RFC 8707; for servers that ask for it.' }),
        credentialsIn: z
          .enum(['header', 'body'])
          .default('header')
          .meta({ title: 'Credentials in', description: 'The standard is the header; some servers take them only in the body.' }),
      })
      .meta({ title: 'OAuth 2 client credentials' }),
    z
      .strictObject({
        scheme: z.literal('aws_sigv4'),
        accessKeyId: text(128)
          .regex(/^\w{16,128}$/, 'An access key id has 16 to 128 letters and digits')
          .meta({ title: 'Access key ID' }),
        secretAccessKey: secret({ title: 'Secret access key' }),
        sessionToken: secret({ title: 'Session token', description: 'Only for temporary credentials.' }).optional(),
        region: text(64)
          .regex(/^[a-z0-9-]+$/, 'A region has lower-case letters, digits and -')
          .meta({ title: 'Region', examples: ['eu-central-1'] }),
        service: text(64)
          .regex(/^[a-z0-9-]+$/, 'A service has lower-case letters, digits and -')
          .meta({ title: 'Service', examples: ['execute-api', 'lambda'] }),
      })
      .meta({ title: 'AWS Signature Version 4' }),
  ])
  .meta({
    title: 'Authentication',
    description: 'How requests show who sends them. Secrets are referred to by name and go only to the hosts that they allow.',
  });

const signingSchema = z
  .strictObject({
    key: secret({
      title: 'Signing secret',
      description: 'whsec_ and 24 to 64 bytes in base64, or whsk_ and an Ed25519 key. While two versions are valid, each request has both signatures.',
    }),
  })
  .meta({
    title: 'Sign as Standard Webhooks',
    description: 'Adds webhook-id, webhook-timestamp and webhook-signature, so that the receiver can tell who sent it.',
  });

const tlsSchema = z
  .strictObject({
    minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').meta({ title: 'Lowest TLS version' }),
    ca: text(PEM_CHARS_MAX)
      .regex(/-----BEGIN CERTIFICATE-----/, 'Paste certificates as PEM text')
      .optional()
      .meta({ title: 'Further authorities', description: 'PEM certificates that are trusted beside the public ones.', 'x-vrsky': 'long-text' }),
    clientCertificate: secret({ title: 'Client certificate', description: 'PEM, with its chain.' }).optional(),
    clientKey: secret({ title: 'Client key', description: 'PEM, not encrypted.' }).optional(),
  })
  .refine((tls) => (tls.clientCertificate === undefined) === (tls.clientKey === undefined), {
    path: ['clientKey'],
    message: 'A client certificate and its key come together',
  })
  .meta({ title: 'TLS', description: 'Certificates are always checked.' });

const bodySchema = z
  .strictObject({
    format: z.enum(['json', 'form', 'xml', 'text']).default('json').meta({ title: 'Format' }),
    template: text(65_536).meta({
      title: 'Template',
      description:
        'Takes values out of the message: {{ message.order.id }}, {{ header.x-request-id }}, {{ messageId }}, with {{ message.note ?? "none" }} for when there is none.',
      'x-vrsky': 'long-text',
    }),
  })
  .superRefine((body, context) => {
    try {
      compileBody(body.format, body.template);
    } catch (error) {
      if (!(error instanceof TemplateInvalid)) throw error;
      context.addIssue({ code: 'custom', path: ['template'], message: error.message });
    }
  })
  .meta({ title: 'Body', description: 'Without it the message is sent as it is.' });

const milliseconds = (max: number) =>
  z
    .int()
    .min(100, 'At least 100 ms')
    .max(max, `At most ${max.toLocaleString('en')} ms`);

export const destinationSettingsSchema = z
  .strictObject({
    url: text(URL_CHARS_MAX)
      .superRefine(template(compileUrl))
      .meta({
        title: 'URL',
        description: 'Where each message is sent. After the host it may have templates: /orders/{{ message.id }}',
        examples: ['https://api.example.com/orders'],
      }),
    method: z.enum(httpMethods).default('POST').meta({ title: 'Method' }),
    headers: z
      .array(
        z.strictObject({
          name: headerName.meta({ title: 'Name' }),
          value: text(4_096)
            .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'A header value has no line breaks')
            .superRefine(template(compileHeader))
            .meta({ title: 'Value', description: 'May have templates.' }),
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
    auth: authSchema.optional(),
    signing: signingSchema.optional(),
    tls: tlsSchema.optional(),
    body: bodySchema.optional(),
    methodFrom: text(512)
      .superRefine(template((value) => compileMethod(value, httpMethods)))
      .optional()
      .meta({ title: 'Method by template', description: 'Takes the place of the method, such as {{ message.deleted_method ?? "PUT" }}.' }),
    redirects: z
      .strictObject({
        max: z.int().min(0).max(3, 'At most 3').default(0).meta({ title: 'Follow at most', description: 'Only 307 and 308, which keep method and body.' }),
        origins: z
          .array(
            httpsUrl
              .refine((value) => URL.parse(value)?.pathname === '/' && URL.parse(value)?.search === '', 'Only scheme, host and port: https://eu.example.com')
              .meta({ title: 'Origin' }),
          )
          .max(8, 'At most 8 origins')
          .default([])
          .meta({
            title: 'Other origins',
            description: 'Where a redirect may lead beside the URL’s own origin. Credentials and headers of the destination do not go there.',
          }),
      })
      .optional()
      .meta({ title: 'Redirects' }),
    answers: z
      .strictObject({
        retryOn: z
          .array(z.string().regex(/^(?:[345]\d\d|[45]xx)$/, 'Write a status such as 409, or 5xx'))
          .max(32, 'At most 32')
          .default(['408', '425', '429', '5xx'])
          .meta({ title: 'Try again after', description: 'Statuses after which the message is sent again; all other failures are final.' }),
        retryAfterMaxMs: milliseconds(3_600_000)
          .default(3_600_000)
          .meta({ title: 'Longest Retry-After', description: 'A receiver that asks for more is asked again after this.' }),
      })
      .optional()
      .meta({ title: 'Answers' }),
    pace: z
      .strictObject({
        concurrency: z.int().min(1).max(CONNECTIONS_MAX, `At most ${CONNECTIONS_MAX}`).default(CONNECTIONS_MAX).meta({ title: 'Requests at the same time' }),
        ratePerSecond: z
          .number()
          .min(0.25, 'At least 0.25')
          .max(10_000, 'At most 10,000')
          .optional()
          .meta({ title: 'Requests per second', description: 'From each node. No limit unless set.' }),
        inOrder: z.boolean().default(false).meta({
          title: 'One after the other',
          description: 'As one request at the same time, from each node. “Strict order” keeps the order over retries and all nodes: use that instead.',
          deprecated: true,
        }),
      })
      .optional()
      .meta({ title: 'Pace' }),
    timeouts: z
      .strictObject({
        connectMs: milliseconds(TIMEOUT_MS_MAX).default(10_000).meta({ title: 'To connect' }),
        headersMs: milliseconds(TIMEOUT_MS_MAX).optional().meta({ title: 'To the answer’s headers' }),
        bodyMs: milliseconds(TIMEOUT_MS_MAX).optional().meta({ title: 'Between parts of the answer’s body' }),
      })
      .optional()
      .meta({ title: 'Time limits', description: 'Within the time limit of the whole request.' }),
    http2: z.boolean().default(false).meta({ title: 'HTTP/2', description: 'Where the receiver offers it over TLS.' }),
    compress: z.boolean().default(false).meta({ title: 'Compress bodies', description: 'With gzip, from 1 KiB on. The receiver has to take it.' }),
  })
  .superRefine((settings, context) => {
    const own = ownHeaders(settings);
    settings.headers.forEach(({ name }, i) => {
      if (own.has(name.toLowerCase()))
        context.addIssue({ code: 'custom', path: ['headers', i, 'name'], message: 'The destination’s authentication sets this header' });
    });
  });

export type DestinationSettings = z.infer<typeof destinationSettingsSchema>;
export type AuthSettings = NonNullable<DestinationSettings['auth']>;

/** In lower case, the headers that the settings themselves make. */
function ownHeaders({ auth, signing }: { auth?: z.infer<typeof authSchema> | undefined; signing?: unknown }): Set<string> {
  const names: string[] = [];
  if (auth?.scheme === 'api_key' && auth.in === 'header') names.push(auth.name.toLowerCase());
  else if (auth !== undefined && auth.scheme !== 'api_key') names.push('authorization');
  if (auth?.scheme === 'aws_sigv4') names.push('x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256');
  if (signing !== undefined) names.push('webhook-id', 'webhook-timestamp', 'webhook-signature');
  return new Set(names);
}
