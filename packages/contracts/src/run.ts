import { z } from 'zod';
import { bundlePipelineSchema } from './bundle.ts';

/**
 * Asks a node to run a pipeline's steps on one message and to show what each made of it: the trail's recomputed payloads and
 * the editor's sample use the same request. It travels as a signed envelope (purpose `run`), since a node runs only what it verified.
 */
export const runRequestSchema = z.strictObject({
  v: z.literal(1),
  tenantId: z.string(),
  pool: z.string(),
  /** Requests older than a minute are refused, so that one cannot be kept and used later. */
  issuedAtMs: z.int(),
  pipeline: bundlePipelineSchema.omit({ spec: true, hash: true }).extend({
    steps: z.array(z.strictObject({ id: z.string(), name: z.string(), kind: z.enum(['convert', 'filter']) })),
  }),
  input: z.union([
    z.strictObject({ seq: z.int(), index: z.int() }),
    z.strictObject({ payloadBase64: z.string(), contentType: z.string(), headers: z.record(z.string(), z.string()) }),
  ]),
});
export type RunRequest = z.infer<typeof runRequestSchema>;

const payloadSchema = z.strictObject({ base64: z.string(), bytes: z.int(), contentType: z.string() });

export const runResponseSchema = z.union([
  z.strictObject({
    ok: z.literal(true),
    input: payloadSchema.extend({ headers: z.record(z.string(), z.string()), messageId: z.string() }),
    steps: z.array(
      z.strictObject({
        id: z.string(),
        result: z.enum(['ok', 'filtered', 'failed']),
        instructions: z.int(),
        /** Instructions of reading the payload, of the step's own code and of writing the result, where the language tells them apart. */
        split: z.strictObject({ decode: z.int(), logic: z.int(), encode: z.int() }).optional(),
        durationUs: z.int(),
        output: payloadSchema.nullable(),
        logs: z.array(z.string()),
        code: z.string().optional(),
        reason: z.string().optional(),
        /** The way that a filtered message goes instead, when the step named one. */
        route: z.string().optional(),
        /** Where in the step's source it failed, from 1. */
        line: z.int().optional(),
        column: z.int().optional(),
      }),
    ),
  }),
  z.strictObject({ ok: z.literal(false), code: z.string(), reason: z.string() }),
]);
export type RunResponse = z.infer<typeof runResponseSchema>;
