import { trailStates } from '@vrsky/contracts/trail';
import { z } from 'zod';

/** What the projector writes into the JSON columns of `message`, and the Messages page reads. */

export const storedStepSchema = z.object({
  id: z.string(),
  result: z.enum(['ok', 'filtered', 'failed']),
  instructions: z.number(),
  durationUs: z.number(),
});
export type StoredStep = z.infer<typeof storedStepSchema>;

const storedAttemptSchema = z.object({
  /** From 1; 0 when the message never got as far as a request. */
  attempt: z.number(),
  state: z.enum(trailStates),
  nodeId: z.string(),
  /** When the node wrote it down. */
  atMs: z.number(),
  startedAtMs: z.number().optional(),
  durationUs: z.number().optional(),
  peerStatus: z.number().optional(),
  peerAnswer: z.string().optional(),
  code: z.string().optional(),
  reason: z.string().optional(),
  nextAtMs: z.number().optional(),
});
export type StoredAttempt = z.infer<typeof storedAttemptSchema>;

export const storedDestinationSchema = z.object({
  id: z.string(),
  /** That of the last attempt. */
  state: z.enum(trailStates),
  /** In order; the same attempt twice when a node died between making it and writing it down. */
  attempts: z.array(storedAttemptSchema),
});
export type StoredDestination = z.infer<typeof storedDestinationSchema>;

/** Column `message.steps`. */
export const storedStepsSchema = z.array(storedStepSchema);
/** Column `message.destinations`. */
export const storedDestinationsSchema = z.array(storedDestinationSchema);
