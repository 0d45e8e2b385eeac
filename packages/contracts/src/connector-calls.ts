import { z } from 'zod';
import { connectorNameSchema, releaseDigestSchema } from './pipeline-spec.ts';

/** What a method was asked and answered in one minute. Sizes and results; never what was in it. */
export const callTallySchema = z.strictObject({
  /** `/vrsky.connector.v1.Connector/Send`, or a service of go-plugin's own. */
  method: z.string().max(200),
  /** Unary calls, or streams opened. */
  calls: z.int().min(0),
  /** Calls and streams that the node's allow-list refused: none of them reached the connector. */
  refused: z.int().min(0),
  /** By gRPC status: `OK`, `UNAVAILABLE`, …. */
  results: z.record(z.string().max(40), z.int().min(0)),
  requestBytes: z.int().min(0),
  responseBytes: z.int().min(0),
  /** On streams: messages towards the connector and from it. */
  sent: z.int().min(0),
  received: z.int().min(0),
  totalUs: z.int().min(0),
  maxUs: z.int().min(0),
});

/** A turn in the life of a connector process, in plain words. */
export const connectorEventSchema = z.strictObject({
  atMs: z.int(),
  kind: z.enum(['started', 'ended', 'upgraded', 'paused', 'refused']),
  version: z.string().max(64),
  /** For the customer: what happened, why, and what is done about it. */
  reason: z.string().max(1_000),
});

/** How many requests a source refused in a minute so far, for one reason. */
export const sourceRefusalSchema = z.strictObject({
  pipelineId: z.string().max(64),
  sourceId: z.string().max(64),
  /** The code that the senders were answered with. */
  reason: z.string().regex(/^[a-z][a-z0-9_]{0,39}$/),
  count: z.int().min(1).max(2_000_000_000),
  /** When the last of them was told. */
  atMs: z.int(),
});

/**
 * What one connector process did for one tenant in one minute, as far as it is known. Sent again while the minute goes on: a later
 * one with the same (node, process, minute) replaces it.
 */
export const connectorCallsSchema = z.strictObject({
  v: z.literal(1),
  nodeId: z.string(),
  tenantId: z.string(),
  connector: connectorNameSchema,
  version: z.string().max(64),
  digest: releaseDigestSchema,
  /** Unique for each start of a process. */
  processId: z.string().max(64),
  /** A process that other tenants share: only what concerns this tenant is counted. */
  shared: z.boolean(),
  /** Start of the minute, since the Unix epoch. */
  minuteMs: z.int(),
  /** Counts up with each sending. */
  revision: z.int().min(1),
  methods: z.array(callTallySchema).max(32),
  events: z.array(connectorEventSchema).max(64),
  /** Left out when nothing was refused. */
  refusals: z.array(sourceRefusalSchema).max(256).optional(),
});
export type CallTally = z.infer<typeof callTallySchema>;
export type ConnectorEvent = z.infer<typeof connectorEventSchema>;
export type SourceRefusal = z.infer<typeof sourceRefusalSchema>;
export type ConnectorCalls = z.infer<typeof connectorCallsSchema>;
