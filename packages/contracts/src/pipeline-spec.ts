import { z } from 'zod';
import { limits } from './limits.ts';
import { findStageProblems } from './stages.ts';

/** A name that a person gave; shown everywhere, unique nowhere. */
const nameSchema = z.string().trim().min(1, 'Give it a name').max(80, 'A name has at most 80 characters');
/** Unique within the pipeline; stable over revisions, so that metrics and trails of a step go on. */
const partIdSchema = z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/, 'An id is lower-case letters, digits, - and _, at most 40 characters');

/** The destination whose answer the part takes as its input; absent: the source's message. Parts with the same one are a stage (`stages.ts`). */
const afterSchema = partIdSchema.optional();

export const httpMethods = ['POST', 'PUT', 'PATCH', 'DELETE', 'GET'] as const;

/** Only the path is the platform's: who may send, what is taken and how it is answered the connector's own schema says, and checks. */
export const httpSourceSettingsSchema = z
  .object({
    /** The secret part of the URL: `<ingest>/in/<path>`. */
    path: z.string().regex(/^in_[0-9a-hjkmnp-tv-z]{24}$/, 'A source path is made by the console'),
  })
  .catchall(z.json());

const headerNameSchema = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'A header name has only letters, digits and -');
const headerValueSchema = z
  .string()
  .max(4_096, 'A header value has at most 4,096 characters')
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'A header value has no line breaks');
/** Set by the platform or by the protocol; a pipeline does not choose them. */
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
]);

const httpDestinationSettings = {
  url: z
    .string()
    .max(2_048, 'A URL has at most 2,048 characters')
    .superRefine((value, context) => {
      const problem = urlProblem(value);
      if (problem) context.addIssue({ code: 'custom', message: problem });
    }),
  method: z.enum(httpMethods).default('POST'),
  headers: z
    .array(
      z.strictObject({
        name: headerNameSchema.refine((name) => !reservedHeaders.has(name.toLowerCase()), 'The platform sets this header itself'),
        value: headerValueSchema,
      }),
    )
    .max(32, 'At most 32 headers')
    .default([]),
  timeoutMs: z
    .int()
    .min(100, 'At least 100 ms')
    .max(limits.requestTimeoutMsMax, `At most ${limits.requestTimeoutMsMax} ms`)
    .default(limits.requestTimeoutMsDefault),
};

/**
 * What every HTTP destination has. Authentication, templates and the rest the connector's own schema says, and checks: this package may not see a
 * connector, and two definitions would part.
 */
export const httpDestinationSettingsSchema = z.object(httpDestinationSettings).catchall(z.json());

/** Whether this package knows all that there is in an HTTP destination's settings; otherwise its connector has to be asked. */
export function isPlainHttp(settings: Record<string, unknown>): boolean {
  const isKnown = Object.keys(settings).every((key) => Object.hasOwn(httpDestinationSettings, key));
  return isKnown && !JSON.stringify([settings.url, settings.headers]).includes('{{');
}

function urlProblem(value: string): string | null {
  if (!URL.canParse(value)) return 'Enter a whole URL, such as https://api.example.com/orders';
  const url = new URL(value);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'A URL starts with http:// or https://';
  if (url.username !== '' || url.password !== '') return 'Do not put a user name or password into the URL: use a header';
  return null;
}

export const retryPolicySchema = z.strictObject({
  attempts: z.int().min(1, 'At least one attempt').max(limits.attemptsMax, `At most ${limits.attemptsMax} attempts`).default(limits.attemptsDefault),
  initialMs: z.int().min(50).max(limits.retryMaxMs).default(limits.retryInitialMs),
  maxMs: z.int().min(50).max(3_600_000).default(limits.retryMaxMs),
});

/** As a connector calls itself. `http` comes with every node; the others are installed on it. */
export const connectorNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'A connector’s name is lower-case words with - between them')
  .max(40, 'A connector’s name has at most 40 characters');
/** A release by its content: a node runs exactly these bytes or nothing. */
export const releaseDigestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'A release is named by sha256: and 64 hexadecimal digits');

/** Settings of a connector that this package does not know: JSON that the connector itself checks. */
const connectorSettingsSchema = z
  .record(z.string().max(200), z.json())
  .refine(
    (settings) => JSON.stringify(settings).length <= limits.settingsCharsMax,
    `Settings have at most ${limits.settingsCharsMax.toLocaleString('en')} characters`,
  );
type ConnectorSettings = z.infer<typeof connectorSettingsSchema>;

const connectionFields = {
  id: partIdSchema,
  name: nameSchema,
  connector: connectorNameSchema,
  /** Absent: the newest release that the node has. */
  release: releaseDigestSchema.optional(),
  settings: connectorSettingsSchema,
};

/** A part that talks to the outside, of whichever connector. */
interface ConnectionPart {
  connector: string;
  settings: Record<string, unknown>;
}
type Connected<Part extends ConnectionPart, HttpSettings> =
  | (Omit<Part, 'connector' | 'settings'> & { connector: 'http'; settings: HttpSettings })
  | (Omit<Part, 'connector' | 'settings'> & { connector: string; settings: ConnectorSettings });

/** Checks HTTP's settings by its schema and gives them their defaults; those of other connectors are left as they are. */
function checkHttpSettings(schema: z.ZodType<Record<string, unknown>>) {
  return (part: ConnectionPart, context: z.RefinementCtx): void => {
    if (part.connector !== 'http') return;
    const parsed = schema.safeParse(part.settings);
    if (parsed.success) part.settings = parsed.data;
    else for (const issue of parsed.error.issues) context.addIssue({ ...issue, path: ['settings', ...issue.path] });
  };
}

/** Whether a part is of the connector `http`, whose settings are known here. */
export function isHttp<Part extends { connector: string }>(part: Part): part is Extract<Part, { connector: 'http' }> {
  return part.connector === 'http';
}

const plainSourceSchema = z.strictObject(connectionFields);
export const sourceSchema = plainSourceSchema.superRefine(checkHttpSettings(httpSourceSettingsSchema)) as unknown as z.ZodType<SourceSpec>;
export const sourceNameSchema = plainSourceSchema.pick({ name: true });

export const stepLanguages = ['typescript', 'assemblyscript', 'wasm'] as const;

/** An input of a step and what it must make of it. Publishing runs them; a step that fails one is not published. */
export const fixtureSchema = z.strictObject({
  name: nameSchema,
  input: z.strictObject({
    payload: z.string().max(65_536, 'A payload has at most 65,536 characters'),
    /** How `payload` writes bytes. */
    encoding: z.enum(['utf8', 'base64']).default('utf8'),
    contentType: z.string().max(200).default('application/json'),
    headers: z.record(z.string(), z.string()).default({}),
  }),
  expect: z.discriminatedUnion('outcome', [
    /** JSON outputs are compared as values, others byte for byte. Without `output`, anything will do. */
    z.strictObject({
      outcome: z.literal('ok'),
      output: z.string().max(65_536, 'An output has at most 65,536 characters').optional(),
      encoding: z.enum(['utf8', 'base64']).default('utf8'),
    }),
    z.strictObject({ outcome: z.literal('filtered'), reason: z.string().max(2_000).optional() }),
    z.strictObject({ outcome: z.literal('failed'), reason: z.string().max(2_000).optional() }),
  ]),
});

export const stepSchema = z
  .strictObject({
    id: partIdSchema,
    name: nameSchema,
    kind: z.enum(['convert', 'filter']),
    after: afterSchema,
    language: z.enum(stepLanguages),
    /** The code; for `wasm` the module in base64. */
    source: z.string().max(limits.stepModuleBase64Max, `A step has at most ${limits.stepModuleBase64Max.toLocaleString('en')} characters`),
    /** What the editor shows beside the code; never used at run time. */
    sample: z.string().max(65_536, 'A sample has at most 65,536 characters').optional(),
    fixtures: z.array(fixtureSchema).max(limits.fixturesPerStepMax, `At most ${limits.fixturesPerStepMax} fixtures`).optional(),
  })
  .refine((step) => step.language === 'wasm' || step.source.length <= limits.stepSourceBytesMax, {
    path: ['source'],
    message: `A step has at most ${limits.stepSourceBytesMax.toLocaleString('en')} characters`,
  });

const plainDestinationSchema = z.strictObject({
  ...connectionFields,
  after: afterSchema,
  retry: retryPolicySchema.default({ attempts: limits.attemptsDefault, initialMs: limits.retryInitialMs, maxMs: limits.retryMaxMs }),
  /** `strict`: messages come in the order in which they were stored, also over retries: later ones wait behind one that is tried again. Absent: `any`. */
  order: z.enum(['any', 'strict']).optional(),
});
export const destinationSchema = plainDestinationSchema.superRefine(checkHttpSettings(httpDestinationSettingsSchema)) as unknown as z.ZodType<DestinationSpec>;
/** Its URL may be missing or half written. */
const draftDestinationSchema = plainDestinationSchema.superRefine(
  checkHttpSettings(httpDestinationSettingsSchema.extend({ url: z.string().max(2_048) })),
) as unknown as z.ZodType<DestinationSpec>;

/** In `reply.from`: the result of the steps. */
export const STEPS_REPLY = 'steps';
/** What a sender is answered with, in place of "stored", when it comes in time. */
export const replySchema = z.strictObject({
  /** `steps`: the message as the pipeline's steps made it. Otherwise the id of a destination: what that one answered. */
  from: partIdSchema,
  withinMs: z
    .int()
    .min(limits.replyMsMin, `At least ${limits.replyMsMin} ms`)
    .max(limits.replyMsMax, `At most ${limits.replyMsMax / 1_000} s`)
    .default(limits.replyMsDefault),
});

/** The graph of a pipeline as it is published: one source, steps in order, then every destination gets the result; answers of destinations may go on. */
export const pipelineSpecSchema = z
  .strictObject({
    v: z.literal(1),
    source: sourceSchema,
    steps: z.array(stepSchema).max(limits.stepsPerPipelineMax, `At most ${limits.stepsPerPipelineMax} steps`),
    destinations: z
      .array(destinationSchema)
      .min(1, 'Add a destination: where should messages go?')
      .max(limits.destinationsPerPipelineMax, `At most ${limits.destinationsPerPipelineMax} destinations`),
    reply: replySchema.optional(),
  })
  .superRefine((spec, context) => {
    const { reply } = spec;
    if (reply !== undefined && reply.from !== STEPS_REPLY && spec.destinations.every(({ id }) => id !== reply.from))
      context.addIssue({
        code: 'custom',
        path: ['reply', 'from'],
        message: `There is no destination ${reply.from} whose answer the sender could get. Choose one of the pipeline, or the result of its steps`,
      });
    const seen = new Set<string>();
    const parts = [
      { id: spec.source.id, path: ['source'] as (string | number)[] },
      ...spec.steps.map((step, i) => ({ id: step.id, path: ['steps', i] })),
      ...spec.destinations.map((destination, i) => ({ id: destination.id, path: ['destinations', i] })),
    ];
    for (const part of parts) {
      if (seen.has(part.id)) context.addIssue({ code: 'custom', path: [...part.path, 'id'], message: `Two parts have the id ${part.id}` });
      seen.add(part.id);
    }
    for (const { path, message } of findStageProblems(spec)) context.addIssue({ code: 'custom', path, message });
  });

/** A draft may be unfinished: a pipeline without a destination, a step whose code does not compile. */
export const pipelineDraftSchema = z.strictObject({
  v: z.literal(1),
  source: sourceSchema,
  steps: z.array(stepSchema).max(limits.stepsPerPipelineMax),
  destinations: z.array(draftDestinationSchema).max(limits.destinationsPerPipelineMax),
  reply: replySchema.optional(),
});

export type PipelineSpec = z.infer<typeof pipelineSpecSchema>;
export type PipelineDraft = z.infer<typeof pipelineDraftSchema>;
export type SourceSpec = Connected<z.infer<typeof plainSourceSchema>, HttpSourceSettings>;
export type StepSpec = z.infer<typeof stepSchema>;
export type StepLanguage = (typeof stepLanguages)[number];
export type Fixture = z.infer<typeof fixtureSchema>;
export type DestinationSpec = Connected<z.infer<typeof plainDestinationSchema>, HttpDestinationSettings>;
export type HttpSourceSpec = Extract<SourceSpec, { connector: 'http' }>;
export type HttpDestinationSpec = Extract<DestinationSpec, { connector: 'http' }>;
export type ReplySpec = z.infer<typeof replySchema>;
export type RetryPolicy = z.infer<typeof retryPolicySchema>;
export type HttpSourceSettings = z.infer<typeof httpSourceSettingsSchema>;
export type HttpDestinationSettings = z.infer<typeof httpDestinationSettingsSchema>;
