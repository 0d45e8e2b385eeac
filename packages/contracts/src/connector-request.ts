import { z } from 'zod';
import { limits } from './limits.ts';
import { connectorNameSchema, releaseDigestSchema } from './pipeline-spec.ts';
import { sealedSecretSchema } from './sealed-secrets.ts';

/**
 * Asks a node to have a connector look at a connection's settings. It travels as a signed envelope (purpose `connector`), since a node
 * runs only what it verified; the connector runs as the tenant's own process, as it would for a published pipeline.
 */
export const connectorRequestSchema = z.strictObject({
  v: z.literal(1),
  tenantId: z.string(),
  pool: z.string(),
  /** Requests older than a minute are refused, so that one cannot be kept and used later. */
  issuedAtMs: z.int(),
  connector: connectorNameSchema,
  release: releaseDigestSchema.optional(),
  role: z.enum(['source', 'destination']),
  settings: z.record(z.string(), z.json()),
  /** Of a source: its senders wait so long for the pipeline's result. */
  replyWithinMs: z.int().min(0).max(limits.replyMsMax).default(0),
  /** What the tenant asks of the sandbox, as in its bundle. */
  sandboxMinimum: z.array(z.string().max(40)).max(16).default([]),
  /** The secrets that the settings refer to, sealed to each node that may answer, by its id. */
  secrets: z.record(z.string(), z.array(sealedSecretSchema)).default({}),
  /** Also reach out to the other side, without delivering anything. */
  probe: z.boolean(),
});
export type ConnectorRequest = z.infer<typeof connectorRequestSchema>;

export const connectorResponseSchema = z.discriminatedUnion('ok', [
  z.strictObject({
    ok: z.literal(true),
    /** The release that answered. */
    version: z.string(),
    digest: releaseDigestSchema,
    nodeName: z.string(),
    /** `path` is a JSON Pointer (RFC 6901) into the settings. */
    errors: z.array(z.strictObject({ path: z.string(), message: z.string() })).max(100),
    checks: z.array(z.strictObject({ name: z.string(), passed: z.boolean(), detail: z.string(), durationUs: z.int() })).max(50),
  }),
  z.strictObject({ ok: z.literal(false), code: z.string(), reason: z.string() }),
]);
export type ConnectorResponse = z.infer<typeof connectorResponseSchema>;
