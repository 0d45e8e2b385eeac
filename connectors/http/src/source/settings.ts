import { secret } from '@vrsky/sdk/connector';
import * as z from 'zod';

/** What every node holds in memory of one request at most. */
export const PAYLOAD_BYTES_MAX = 1_048_576;
export const HEADERS_MAX = 100;
export const HEADER_BYTES_MAX = 16_384;
/** The node's own bound on one request, from its first byte to its last. */
export const REQUEST_MS_MAX = 30_000;
export const SPLIT_MAX = 1_000;
export const METHODS = ['POST', 'PUT', 'PATCH', 'DELETE', 'GET'] as const;

/** One of several values, each with what people call it. */
function choice<const Value extends string>(titles: Record<Value, string>) {
  const literals = Object.entries<string>(titles).map(([value, title]) => z.literal(value as Value).meta({ title }));
  return z.union(literals, 'Choose one of the possible values');
}

const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'A header name has only letters, digits and -');
const tolerance = z.int().min(10, 'At least 10 s').max(86_400, 'At most a day').default(300).meta({
  title: 'Tolerance',
  description: 'A request whose timestamp is further away than this from the node’s clock, in either direction, is refused: it may be a replay.',
  'x-vrsky-unit': 's',
});
const signingSecret = (title: string, description: string) =>
  secret({ title, description: `${description} During a rotation every version that is still valid is accepted.` });

const noAuth = z.strictObject({ scheme: z.literal('none') }).meta({
  title: 'None',
  description: 'Whoever knows the URL can send. Treat it like a password.',
});

const token = z
  .strictObject({
    scheme: z.literal('token'),
    header: headerName.default('X-Api-Key').meta({ title: 'Header', description: 'It is not passed on to the pipeline.' }),
    prefix: z
      .string()
      .max(40, 'At most 40 characters')
      .regex(/^[\x21-\x7e]?([\x20-\x7e]*)$/, 'A prefix has no line breaks')
      .default('')
      .meta({ title: 'Before the token', description: 'What stands before it in the header.', examples: ['Bearer '] }),
    token: signingSecret('Token', 'What the sender puts into the header.'),
  })
  .meta({ title: 'Token in a header', description: 'Each request carries a token that only you and the sender know.' });

const basic = z
  .strictObject({
    scheme: z.literal('basic'),
    user: z
      .string()
      .min(1, 'Enter the user name')
      .max(256, 'At most 256 characters')
      .regex(/^[^:\p{Cc}]*$/u, 'A user name has no colon')
      .meta({ title: 'User name' }),
    password: signingSecret('Password', 'Goes with the user name.'),
  })
  .meta({ title: 'User name and password', description: 'HTTP Basic (RFC 7617).' });

const standardWebhooks = z
  .strictObject({
    scheme: z.literal('standard-webhooks'),
    secret: signingSecret('Secret or public key', 'As the sender shows it: whsec_… for v1 (HMAC), whpk_… for v1a (ed25519).'),
    toleranceSeconds: tolerance,
  })
  .meta({ title: 'Standard Webhooks', description: 'Headers webhook-id, webhook-timestamp and webhook-signature, as Svix and many others send them.' });

const github = z
  .strictObject({
    scheme: z.literal('github'),
    secret: signingSecret('Secret', 'As entered at the webhook on GitHub, where the content type has to be application/json.'),
  })
  .meta({ title: 'GitHub', description: 'Header X-Hub-Signature-256. GitHub signs no time: a replay is recognised by X-GitHub-Delivery.' });

const stripe = z
  .strictObject({
    scheme: z.literal('stripe'),
    secret: signingSecret('Signing secret', 'Of the endpoint in Stripe’s dashboard, whsec_….'),
    toleranceSeconds: tolerance,
  })
  .meta({ title: 'Stripe', description: 'Header Stripe-Signature.' });

const slack = z
  .strictObject({
    scheme: z.literal('slack'),
    secret: signingSecret('Signing secret', 'Of the app, under Basic Information.'),
    toleranceSeconds: tolerance,
  })
  .meta({ title: 'Slack', description: 'Headers X-Slack-Signature and X-Slack-Request-Timestamp. The url_verification challenge is answered.' });

export const SIGNED_TEMPLATE = /^(?:[^{}]|\{body\}|\{timestamp\}|\{header:[A-Za-z0-9-]{1,128}\})*$/;

const hmac = z
  .strictObject({
    scheme: z.literal('hmac'),
    secret: signingSecret('Secret', 'The key of the HMAC.'),
    secretEncoding: choice({ text: 'As it is', base64: 'In base64', hex: 'In hex' }).default('text').meta({ title: 'How the secret writes the key' }),
    header: headerName.meta({ title: 'Header with the signature', examples: ['X-Signature'] }),
    prefix: z
      .string()
      .max(40, 'At most 40 characters')
      .default('')
      .meta({ title: 'Before the signature', description: 'What stands before it in the header.', examples: ['sha256='] }),
    algorithm: z.enum(['sha256', 'sha512', 'sha384', 'sha1']).default('sha256').meta({ title: 'Algorithm' }),
    encoding: z.enum(['hex', 'base64', 'base64url']).default('hex').meta({ title: 'How the signature is written' }),
    signed: z
      .string()
      .max(500, 'At most 500 characters')
      .regex(SIGNED_TEMPLATE, 'Use {body}, {timestamp} and {header:name}; other braces have no meaning')
      .refine((template) => template.split('{body}').length === 2, 'It has {body} exactly once, so that the body is signed')
      .default('{body}')
      .meta({
        title: 'What is signed',
        description: '{body} stands for the bytes of the body, {timestamp} for the header below, {header:name} for any other header.',
        examples: ['{timestamp}.{body}'],
      }),
    timestampHeader: headerName
      .optional()
      .meta({ title: 'Header with the timestamp', description: 'Seconds or milliseconds since 1970. It has to be part of what is signed.' }),
    toleranceSeconds: tolerance,
  })
  .refine(({ signed, timestampHeader }) => signed.includes('{timestamp}') === (timestampHeader !== undefined), {
    path: ['timestampHeader'],
    message: 'A timestamp needs both: its header, and {timestamp} in what is signed',
  })
  .meta({ title: 'HMAC, as you describe it', description: 'For senders with a scheme of their own.' });

const jwt = z
  .strictObject({
    scheme: z.literal('jwt'),
    jwksUrl: z
      .url('Enter a whole URL')
      .max(2_048, 'A URL has at most 2,048 characters')
      .refine((url) => isKeySetUrl(url), 'Enter a URL with https and without user name and password')
      .meta({ title: 'URL of the keys', description: 'The issuer’s JSON Web Key Set.', examples: ['https://issuer.example.com/.well-known/jwks.json'] }),
    issuer: z.string().min(1, 'Enter the issuer').max(500, 'At most 500 characters').meta({ title: 'Issuer', description: 'What iss has to be.' }),
    audience: z.string().min(1, 'Enter the audience').max(500, 'At most 500 characters').meta({ title: 'Audience', description: 'What aud has to have.' }),
    leewaySeconds: z.int().min(0).max(300, 'At most 300 s').default(30).meta({ title: 'Leeway for clocks', 'x-vrsky-unit': 's' }),
  })
  .meta({ title: 'JSON Web Token', description: 'Authorization: Bearer <token>, signed by a key of the issuer.' });

export const authSchema = z
  .discriminatedUnion('scheme', [noAuth, token, basic, standardWebhooks, github, stripe, slack, hmac, jwt])
  .default({ scheme: 'none' })
  .meta({ title: 'Authentication', description: 'Who may send. What does not pass is answered 401 with the reason, and shown on the pipeline’s page.' });

const deduplicate = z
  .strictObject({
    by: choice({ scheme: 'The id of the way of authentication', header: 'A header', nothing: 'Nothing: each is a message' }).default('scheme').meta({
      title: 'Recognised by',
      description: 'Standard Webhooks has webhook-id, GitHub X-GitHub-Delivery, Stripe and Slack the event’s id; the other ways have none.',
    }),
    header: headerName.optional().meta({ title: 'Header', examples: ['Idempotency-Key'] }),
    windowSeconds: z.int().min(1).max(604_800, 'At most a week').default(86_400).meta({
      title: 'Remembered for',
      description: 'The newest 10,000 ids of this source, on the node that took the message; a restart of the node forgets none.',
      'x-vrsky-unit': 's',
    }),
  })
  .refine(({ by, header }) => (by === 'header') === (header !== undefined), { path: ['header'], message: 'Name the header exactly when ids come in one' })
  .prefault({})
  .meta({ title: 'Repeated deliveries', description: 'A message that comes again is answered with the id of the first, duplicate: true, and stored once.' });

const limits = z
  .strictObject({
    bodyBytes: z.int().min(0).max(PAYLOAD_BYTES_MAX, `At most ${PAYLOAD_BYTES_MAX} bytes`).default(PAYLOAD_BYTES_MAX).meta({ title: 'Size of a body' }),
    headers: z.int().min(1).max(HEADERS_MAX, `At most ${HEADERS_MAX} headers`).default(HEADERS_MAX).meta({ title: 'Headers' }),
    headerBytes: z
      .int()
      .min(256, 'At least 256 bytes')
      .max(HEADER_BYTES_MAX, `At most ${HEADER_BYTES_MAX} bytes`)
      .default(HEADER_BYTES_MAX)
      .meta({ title: 'Size of the headers' }),
    bodyMs: z
      .int()
      .min(100, 'At least 100 ms')
      .max(REQUEST_MS_MAX, `At most ${REQUEST_MS_MAX} ms`)
      .default(REQUEST_MS_MAX)
      .meta({ title: 'Time for a body', description: 'A sender that takes longer is cut off with 408.' }),
    perSecond: z
      .number()
      .positive('More than 0')
      .max(100_000, 'At most 100,000')
      .optional()
      .meta({ title: 'Requests per second', description: 'On average; beyond it the answer is 429 with Retry-After. Empty: no limit.' }),
    burst: z
      .int()
      .min(1)
      .max(1_000_000, 'At most 1,000,000')
      .optional()
      .meta({ title: 'At once', description: 'How many may come together after a pause; empty: as many as in a second.' }),
  })
  .prefault({})
  .meta({ title: 'Limits', description: 'Of this source alone. The node has bounds of its own beyond them.' });

const answer = z
  .strictObject({
    status: z.literal([202, 200, 204]).default(202).meta({ title: 'Status' }),
    contentType: z
      .string()
      .max(200, 'At most 200 characters')
      .regex(/^[\x21-\x7e][\x20-\x7e]*$/, 'A content type is text without line breaks')
      .optional()
      .meta({ title: 'Content type', examples: ['text/plain'] }),
    body: z
      .string()
      .max(4_096, 'At most 4,096 characters')
      .optional()
      .meta({
        title: 'Body',
        description: '{{messageId}} stands for the id of the message. Empty: the usual JSON with the id.',
        examples: ['ok {{messageId}}'],
      }),
  })
  .refine(({ status, body }) => status !== 204 || body === undefined, { path: ['body'], message: 'An answer with status 204 has no body' })
  .refine(({ contentType, body }) => contentType === undefined || body !== undefined, {
    path: ['contentType'],
    message: 'A content type goes with a body of your own',
  })
  .prefault({})
  .meta({ title: 'Answer', description: 'What the sender gets once the message is stored.' });

export const sourceSettingsSchema = z.strictObject({
  path: z
    .string()
    .regex(/^[A-Za-z0-9_-]{8,128}$/, 'A path has 8 to 128 letters, digits, - and _')
    .meta({ title: 'Path', description: 'The end of the URL, /in/<path>. Who knows it can send: make it long and random.' }),
  auth: authSchema,
  deduplicate,
  methods: z
    .array(z.enum(METHODS))
    .min(1, 'Allow at least one method')
    .refine((methods) => new Set(methods).size === methods.length, 'Each method once')
    .default(['POST', 'PUT'])
    .meta({ title: 'Methods', description: 'Others are answered 405.', uniqueItems: true }),
  subpaths: z.boolean().default(false).meta({
    title: 'Take paths below the URL too',
    description: 'What follows it is the message’s header vrsky-http-path; a query is vrsky-http-query in any case.',
  }),
  contentTypes: z
    .array(
      z
        .string()
        .regex(/^(?:[a-z0-9!#$&^_.+-]+\/(?:\*|[a-z0-9!#$&^_.+-]+))$/, 'Like application/json or text/*, in lower case')
        .max(127, 'At most 127 characters'),
    )
    .max(20, 'At most 20')
    .default([])
    .meta({ title: 'Content types', description: 'Others are answered 415. Empty: all.' }),
  split: choice({ no: 'A body is one message', lines: 'Each line of NDJSON is one', array: 'Each entry of a JSON array is one' })
    .default('no')
    .meta({ title: 'Messages in a body', description: `At most ${SPLIT_MAX.toLocaleString('en')}; accepted once all are stored.` }),
  answer,
  limits,
});

export type SourceSettings = z.infer<typeof sourceSettingsSchema>;
export type AuthSettings = SourceSettings['auth'];

/** Whether plain http may be used the connector says, which knows the operator's allow-list. */
function isKeySetUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' && url.password === '';
}
