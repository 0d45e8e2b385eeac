import { z } from 'zod';
import { fenceSchema } from './bundle.ts';

export const connectorStateSchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  state: z.enum(['starting', 'running', 'restarting', 'stopped']),
  pid: z.int().nullable(),
  restarts: z.int(),
  cpuSeconds: z.number(),
  rssBytes: z.number(),
  /** Why it does not run, for the customer, and the same for rules and metrics: `PLUGIN.ENDED`. */
  reason: z.string().optional(),
  reasonCode: z.string().optional(),
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
  connectors: z.array(connectorStateSchema),
});
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
