import { z } from 'zod';
import { fenceSchema } from './bundle.ts';
import { limits } from './limits.ts';
import { connectorNameSchema, releaseDigestSchema } from './pipeline-spec.ts';

/** One connector process of a node. */
export const connectorStateSchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  /** Null until it is known. */
  digest: releaseDigestSchema.nullable().default(null),
  /** Whose process it is; null for one that all tenants share. */
  tenantId: z.string().nullable().default(null),
  state: z.enum(['starting', 'running', 'restarting', 'stopped']),
  /** The layers of the sandbox that hold it. */
  sandbox: z.array(z.string()).default([]),
  pid: z.int().nullable(),
  restarts: z.int(),
  cpuSeconds: z.number(),
  rssBytes: z.number(),
  /** Why it does not run, for the customer, and the same for rules and metrics: `PLUGIN.ENDED`. */
  reason: z.string().optional(),
  reasonCode: z.string().optional(),
});

/** Which layers of the sandbox a node can put around a connector, and why not the others. */
export const sandboxReportSchema = z.strictObject({
  layers: z.record(z.string(), z.strictObject({ available: z.boolean(), detail: z.string() })),
});

/** Written every `leaseEveryMs`; its age tells live, silent and gone apart. */
export const leaseSchema = z.strictObject({
  v: z.literal(1),
  nodeId: z.string(),
  name: z.string(),
  pool: z.string(),
  version: z.string(),
  startedAt: z.iso.datetime(),
  at: z.iso.datetime(),
  ingestUrl: z.string(),
  stopping: z.boolean(),
  connectors: z.array(connectorStateSchema).max(limits.connectorRowsMax),
  sandbox: sandboxReportSchema.default({ layers: {} }),
});

/** A connector that a node can run, in its own words. */
export const connectorOfferSchema = z.strictObject({
  name: connectorNameSchema,
  version: z.string().max(64),
  digest: releaseDigestSchema,
  title: z.string().max(80),
  description: z.string().max(2_000),
  roles: z.array(z.enum(['source', 'destination'])).min(1),
  /** JSON Schema 2020-12 as text, by role; empty for a role it does not play. */
  settingsSchemas: z.strictObject({ source: z.string().max(limits.settingsSchemaCharsMax), destination: z.string().max(limits.settingsSchemaCharsMax) }),
  /** As a source it can hand a pipeline's result back to its senders. */
  replies: z.boolean().default(false),
  origin: z.enum(['built-in', 'directory']),
  network: z.enum(['none', 'direct']),
});

/** What a node offers; written when it changes. */
export const offersSchema = z.strictObject({
  v: z.literal(1),
  nodeId: z.string(),
  at: z.iso.datetime(),
  connectors: z.array(connectorOfferSchema).max(limits.connectorsPerNodeMax),
  /** Files in the node's directory that are no connector, and why. */
  problems: z.array(z.strictObject({ file: z.string().max(255), reason: z.string().max(1_000) })).max(limits.connectorsPerNodeMax),
});
export type ConnectorOffer = z.infer<typeof connectorOfferSchema>;
export type Offers = z.infer<typeof offersSchema>;
export type SandboxReport = z.infer<typeof sandboxReportSchema>;
export type Lease = z.infer<typeof leaseSchema>;
export type ConnectorState = z.infer<typeof connectorStateSchema>;

export const pipelineStateSchema = z.strictObject({
  pipelineId: z.string(),
  revision: z.int(),
  state: z.enum(['running', 'failed']),
  reason: z.string().optional(),
});

/** What a node made of one tenant's bundle. */
export const reportSchema = z.strictObject({
  v: z.literal(1),
  nodeId: z.string(),
  tenantId: z.string(),
  at: z.iso.datetime(),
  received: fenceSchema.nullable(),
  applied: fenceSchema.nullable(),
  rejected: fenceSchema.partial().extend({ code: z.string(), reason: z.string(), at: z.iso.datetime() }).nullable(),
  pipelines: z.array(pipelineStateSchema),
});
export type Report = z.infer<typeof reportSchema>;

export type NodeLiveness = 'live' | 'silent' | 'gone';
