import { fenceSchema } from '@vrsky/contracts/bundle';
import { pipelineDraftSchema } from '@vrsky/contracts/pipeline-spec';
import { trailStates } from '@vrsky/contracts/trail';
import { z } from 'zod';

/** What the REST API answers. A test compares them with the view types of the features. */

const timeSchema = z.iso.datetime().describe('UTC, ISO 8601');

export const problemSchema = z
  .object({
    type: z.string().describe('`urn:vrsky:problem:<code>`'),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('What happened and what to do, for a person'),
    code: z.string().describe('Stable and dotted, for a program: `PIPELINE.NOT_FOUND`'),
    requestId: z.string().describe('The same as in the header `x-request-id`; name it when you ask for help'),
    errors: z.array(z.object({ path: z.string().describe('JSON Pointer into the request'), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem' });

export const rolloutSchema = z
  .object({
    nodeId: z.string(),
    nodeName: z.string(),
    state: z.enum(['sent', 'received', 'applied', 'rejected', 'silent']),
    reason: z.string().nullable(),
    at: timeSchema.nullable(),
  })
  .meta({ id: 'Rollout' });

export const pipelineSummarySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    state: z.enum(['draft', 'rolling_out', 'running', 'degraded', 'failed']),
    publishedRevision: z.int().nullable(),
    hasUnpublishedChanges: z.boolean(),
    updatedAt: timeSchema,
    lastMessageAt: timeSchema.nullable(),
  })
  .meta({ id: 'PipelineSummary' });

export const pipelineSchema = pipelineSummarySchema
  .extend({
    draft: pipelineDraftSchema,
    draftVersion: z.int().describe('Also the ETag'),
    ingestUrl: z.string().describe('Where senders POST to'),
    receiverUrl: z.string().describe('Your test receiver, as a value for a destination'),
    rollout: z.array(rolloutSchema),
    revisions: z.array(z.object({ number: z.int(), hash: z.string(), createdAt: timeSchema, createdBy: z.string() })),
  })
  .meta({ id: 'Pipeline' });

export const draftProblemSchema = z
  .object({
    path: z.string().describe('JSON Pointer into the draft'),
    partId: z.string().nullable(),
    message: z.string(),
    warning: z.literal(true).optional().describe('Good to know, and no reason not to publish'),
    code: z
      .array(z.object({ line: z.int(), column: z.int(), endLine: z.int(), endColumn: z.int(), severity: z.enum(['error', 'warning']), message: z.string() }))
      .optional(),
  })
  .meta({ id: 'DraftProblem' });

export const savedSchema = z
  .object({ id: z.string(), draftVersion: z.int(), problems: z.array(draftProblemSchema).describe('What stands in the way of publishing') })
  .meta({ id: 'SavedPipeline' });

export const publishedSchema = fenceSchema
  .extend({ revision: z.int(), warnings: z.array(draftProblemSchema).describe('What could not be checked, or waits for a node') })
  .meta({ id: 'PublishedRevision' });

export const destinationHealthSchema = z
  .object({
    destinationId: z.string(),
    state: z.enum(['failing', 'recovering', 'recovered']),
    waiting: z.int().describe('Messages that wait for their next attempt'),
    moreWait: z.boolean().describe('There are more than were counted'),
    since: timeSchema.nullable().describe('The first failed attempt of those that wait'),
    failure: z
      .object({ at: timeSchema, code: z.string().nullable(), reason: z.string().nullable(), peerStatus: z.int().nullable() })
      .nullable()
      .describe('The last failed attempt of those that wait'),
    nextAt: timeSchema.nullable().describe('When the first of those that wait is tried again'),
    deliveredAt: timeSchema.nullable().describe('The last delivery within the last hour'),
    caughtUp: z.int().describe('Messages of the last ten minutes that were delivered by a later attempt than the first'),
    dead: z.object({ count: z.int(), at: timeSchema, reason: z.string() }).nullable().describe('Given up within the last 24 hours and not sent again since'),
  })
  .meta({ id: 'DestinationHealth' });

export const sourceRefusalSchema = z
  .object({
    sourceId: z.string(),
    reason: z.string().describe('The code of the problem that the sender was answered with'),
    count: z.int(),
    lastAt: timeSchema,
  })
  .meta({ id: 'SourceRefusal' });

export const messageSummarySchema = z
  .object({
    id: z.string(),
    pipelineId: z.string(),
    pipelineName: z.string(),
    receivedAt: timeSchema,
    state: z.enum(trailStates),
    reason: z.string().nullable(),
    bytes: z.int(),
    attempts: z.int(),
    durationMs: z.number().nullable(),
    isAnswer: z.boolean().describe('It is the answer of a destination to another message'),
  })
  .meta({ id: 'MessageSummary' });

const attemptSchema = z.object({
  attempt: z.int(),
  at: timeSchema.nullable(),
  durationUs: z.number().nullable(),
  state: z.enum(trailStates),
  peerStatus: z.int().nullable(),
  peerAnswer: z.string().nullable(),
  code: z.string().nullable(),
  reason: z.string().nullable(),
  nextAt: timeSchema.nullable(),
  behind: z.int().nullable().describe('In strict order: at least so many messages wait behind this one'),
  nodeId: z.string(),
});

export const messageSchema = messageSummarySchema
  .extend({
    customerId: z.string(),
    traceId: z.string(),
    revision: z.int(),
    storedAt: timeSchema,
    address: z.object({ seq: z.int(), index: z.int() }).describe('Where the stored input lies'),
    contentType: z.string(),
    replayOf: z.string().nullable(),
    answerOf: z
      .object({ messageId: z.string(), destinationId: z.string(), destinationName: z.string() })
      .nullable()
      .describe('The message to which it is the answer, and the destination that gave it'),
    steps: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        kind: z.enum(['convert', 'filter']),
        result: z.enum(['ok', 'filtered', 'failed']),
        instructions: z.int(),
        durationUs: z.number(),
      }),
    ),
    destinations: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        connector: z.string(),
        connectorTitle: z.string(),
        url: z.string().describe('Of an HTTP destination'),
        settings: z.array(z.object({ name: z.string(), value: z.string() })).describe('Of other connectors: what tells one connection from another'),
        state: z.enum(trailStates),
        attempts: z.array(attemptSchema),
        answerId: z.string().nullable().describe('The message that its answer became, where something in the pipeline takes the answer'),
      }),
    ),
  })
  .meta({ id: 'Message' });

const payloadSchema = z.object({
  text: z.string().nullable().describe('Null when it is not UTF-8'),
  base64: z.string(),
  bytes: z.int(),
  contentType: z.string(),
});

export const payloadsSchema = z
  .discriminatedUnion('ok', [
    z.object({
      ok: z.literal(true),
      input: payloadSchema,
      inputHeaders: z.record(z.string(), z.string()),
      steps: z.array(
        z.object({
          id: z.string(),
          result: z.enum(['ok', 'filtered', 'failed']),
          instructions: z.int(),
          split: z
            .object({ decode: z.int(), logic: z.int(), encode: z.int() })
            .nullable()
            .describe('Instructions by what they were for, where the language tells them apart'),
          durationUs: z.number(),
          output: payloadSchema.nullable(),
          logs: z.array(z.string()),
          reason: z.string().nullable(),
          route: z.string().nullable().describe('The way that a filtered message goes instead, when the step named one'),
          line: z.int().nullable(),
        }),
      ),
    }),
    z.object({ ok: z.literal(false), reason: z.string() }),
  ])
  .meta({ id: 'MessagePayloads' });

export const deadLetterSchema = z
  .object({
    messageId: z.string(),
    destinationId: z.string(),
    destinationName: z.string(),
    pipelineId: z.string(),
    pipelineName: z.string(),
    at: timeSchema,
    attempts: z.int(),
    code: z.string(),
    reason: z.string(),
    peerStatus: z.int().nullable(),
    resentAt: timeSchema.nullable(),
    resentAs: z.string().nullable(),
  })
  .meta({ id: 'DeadLetter' });

const livenessSchema = z.enum(['live', 'silent', 'gone']);
const roleSchema = z.enum(['source', 'destination']);

const connectorSummarySchema = z
  .object({
    name: z.string().describe('As a part of a pipeline names it'),
    title: z.string(),
    description: z.string(),
    roles: z.array(roleSchema),
    origin: z.enum(['built-in', 'directory']),
    network: z.enum(['none', 'direct']).describe('Whether it may open connections of its own'),
    live: z.boolean().describe('Whether a node that is live now offers it'),
    releases: z
      .array(
        z.object({
          version: z.string(),
          digest: z.string().describe('As `release` of a part: always exactly these bytes'),
          nodes: z.array(z.object({ id: z.string(), name: z.string(), liveness: livenessSchema })),
        }),
      )
      .describe('The newest first'),
    processes: z
      .array(
        z.object({
          nodeId: z.string(),
          nodeName: z.string(),
          nodeLiveness: livenessSchema,
          shared: z.boolean().describe('Other tenants use the same process'),
          name: z.string(),
          version: z.string(),
          digest: z.string().nullable(),
          state: z.enum(['starting', 'running', 'restarting', 'stopped']),
          reason: z.string().nullable(),
          sandbox: z.array(z.string()).describe('The layers of the sandbox that hold it'),
          pid: z.int().nullable(),
          restarts: z.int(),
          cpuSeconds: z.number(),
          rssBytes: z.number(),
        }),
      )
      .describe('Your own and shared ones'),
    pipelines: z.int().describe('How many of your pipelines use it'),
  })
  .meta({ id: 'ConnectorSummary' });

export const connectorsSchema = z
  .object({
    items: z.array(connectorSummarySchema),
    problems: z.array(z.object({ nodeId: z.string(), nodeName: z.string(), file: z.string(), reason: z.string() })),
    liveNodes: z.int(),
  })
  .meta({ id: 'Connectors' });

export const connectorSchema = connectorSummarySchema
  .extend({
    release: z.object({ version: z.string(), digest: z.string() }).describe('The release that `settingsSchemas` are of'),
    settingsSchemas: z.object({ source: z.string(), destination: z.string() }).describe('JSON Schema 2020-12 as text; empty for a role it does not play'),
    usedBy: z.array(
      z.object({
        pipelineId: z.string(),
        pipelineName: z.string(),
        published: z.boolean(),
        parts: z.array(z.object({ id: z.string(), name: z.string(), role: roleSchema, release: z.string().nullable() })),
      }),
    ),
  })
  .meta({ id: 'Connector' });

const settingsErrorSchema = z.object({ path: z.string().describe('JSON Pointer into the settings'), message: z.string() });

export const connectorTestSchema = z
  .discriminatedUnion('outcome', [
    z.object({
      outcome: z.literal('answered'),
      version: z.string(),
      digest: z.string(),
      nodeName: z.string(),
      errors: z.array(settingsErrorSchema),
      checks: z.array(z.object({ name: z.string(), passed: z.boolean(), detail: z.string(), durationUs: z.int() })),
    }),
    z.object({ outcome: z.literal('not_tried'), errors: z.array(settingsErrorSchema) }),
    z.object({ outcome: z.literal('no_answer'), code: z.string(), reason: z.string() }),
  ])
  .meta({ id: 'ConnectorTest' });

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable().describe('Send it as `cursor` for older items; null at the end') });
}

export function projectedPageOf<T extends z.ZodType>(item: T) {
  return pageOf(item).extend({ asOf: timeSchema.describe('How far the trail has been read') });
}

export const secretSchema = z
  .object({
    id: z.string(),
    name: z.string().describe('What settings refer to: `{"$secret": "<name>"}`'),
    hosts: z.array(z.string()).describe('Where connectors may send a value; empty: nowhere, it is only compared with'),
    overlapSeconds: z.int().describe('How long a replaced version stays valid, unless a replacement says otherwise'),
    revision: z.int().describe('Also the ETag'),
    createdAt: timeSchema,
    updatedAt: timeSchema,
    versions: z
      .array(
        z.object({
          number: z.int(),
          fingerprint: z.string().describe('Eight hex digits of a keyed hash: equal values of your organisation have equal ones'),
          createdAt: timeSchema,
          createdBy: z.string(),
          validUntil: timeSchema.nullable().describe('null: the current version'),
        }),
      )
      .describe('The valid ones, the current first'),
    usedBy: z.array(z.object({ pipelineId: z.string(), pipelineName: z.string(), published: z.boolean() })),
  })
  .meta({ id: 'Secret' });
