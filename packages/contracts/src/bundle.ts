import { z } from 'zod';
import { pipelineSpecSchema } from './pipeline-spec.ts';

const idSchema = z.string().min(1).max(64);
const hashSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** The fence: a node accepts only a larger pair (epoch first). Both come from Postgres; NATS revisions start anew with a new bucket. */
export const fenceSchema = z.strictObject({ epoch: z.int().min(1), generation: z.int().min(1) });
export type Fence = z.infer<typeof fenceSchema>;

/** Less than 0 when `a` is older than `b`, 0 when they are equal. */
export function compareFences(a: Fence, b: Fence): number {
  return a.epoch - b.epoch || a.generation - b.generation;
}

export const moduleFormats = ['script', 'wasm'] as const;
export type ModuleFormat = (typeof moduleFormats)[number];

/** A step's compiled form, addressed by its content: a script for the engine, or a WebAssembly module of the logic ABI in base64, not yet metered. */
export const moduleSchema = z.strictObject({ stepId: idSchema, sha256: hashSchema, format: z.enum(moduleFormats).default('script'), code: z.string() });

export const bundlePipelineSchema = z.strictObject({
  pipelineId: idSchema,
  name: z.string(),
  revision: z.int().min(1),
  /** Over the canonical JSON of the spec. */
  hash: hashSchema,
  spec: pipelineSpecSchema,
  modules: z.array(moduleSchema),
});
export type BundlePipeline = z.infer<typeof bundlePipelineSchema>;
export type StepModule = z.infer<typeof moduleSchema>;

/** What a tenant asks of every node that works for it. */
export const tenantPolicySchema = z.strictObject({
  /** Layers of the sandbox without which no connector runs for the tenant. */
  sandboxMinimum: z.array(z.string().max(40)).max(16).default([]),
});

/** The signed desired state of one tenant for one pool. */
export const bundleSchema = z.strictObject({
  v: z.literal(1),
  tenantId: idSchema,
  pool: idSchema,
  epoch: z.int().min(1),
  generation: z.int().min(1),
  issuedAt: z.iso.datetime(),
  policy: tenantPolicySchema.optional(),
  /** Hash of the set of secrets that the pipelines refer to (`secretSetHash`); left out when they refer to none. */
  secrets: hashSchema.optional(),
  pipelines: z.array(bundlePipelineSchema),
});
export type Bundle = z.infer<typeof bundleSchema>;

/** What a pool should run, so that a node that missed a change sees it at its next poll. */
export const headSchema = z.strictObject({
  v: z.literal(1),
  pool: idSchema,
  epoch: z.int().min(1),
  generation: z.int().min(1),
  issuedAt: z.iso.datetime(),
  tenants: z.record(idSchema, z.strictObject({ epoch: z.int().min(1), generation: z.int().min(1), hash: hashSchema })),
});
export type Head = z.infer<typeof headSchema>;

/** A node's key to one tenant: its NATS user JWT in the tenant's account and the tenant's proof key, sealed to the node. */
export const grantSchema = z.strictObject({
  v: z.literal(1),
  nodeId: idSchema,
  tenantId: idSchema,
  epoch: z.int().min(1),
  generation: z.int().min(1),
  natsJwt: z.string(),
  sealedProofKey: z.strictObject({ enc: z.string(), ciphertext: z.string() }),
});
export type Grant = z.infer<typeof grantSchema>;

/** Context for sealing the proof key of a grant. */
export const grantSealContext = (nodeId: string, tenantId: string) => ({ info: 'vrsky/seal/1', aad: [nodeId, tenantId, 'proof-key'] });
