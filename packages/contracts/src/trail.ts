import { z } from 'zod';

export const outcomes = ['delivered', 'filtered', 'dead_lettered', 'expired'] as const;
/** What became of a message at one destination; `retrying` until it is one of the outcomes. */
export const trailStates = [...outcomes, 'retrying'] as const;

const stepSchema = z.strictObject({
  id: z.string(),
  instructions: z.int(),
  durationUs: z.int(),
  result: z.enum(['ok', 'filtered', 'failed']),
});

const destinationSchema = z.strictObject({
  id: z.string(),
  state: z.enum(trailStates),
  /** From 1; 0 when the message never got as far as a request. */
  attempt: z.int(),
  startedAtMs: z.int().optional(),
  durationUs: z.int().optional(),
  peerStatus: z.int().optional(),
  peerAnswer: z.string().optional(),
  code: z.string().optional(),
  reason: z.string().optional(),
  nextAtMs: z.int().optional(),
  /** In strict order: at least so many messages wait behind this one. */
  behind: z.int().optional(),
  /** Sequence in the stream DLQ. */
  dlqSeq: z.int().optional(),
  /** The message that its answer became, where something in the pipeline takes the answer. */
  answerId: z.string().optional(),
});

const messageSchema = z.strictObject({
  id: z.string(),
  /** Address of the stored input: sequence in INGEST and index in the pack. */
  seq: z.int(),
  index: z.int(),
  receivedAtMs: z.int(),
  storedAtMs: z.int(),
  bytes: z.int(),
  contentType: z.string(),
  traceId: z.string(),
  /** Sequence of the dead letter this one was sent again from. */
  replayOf: z.int().optional(),
  /** The message and destination to which this one is the answer. */
  answerOf: z.strictObject({ messageId: z.string(), destinationId: z.string() }).optional(),
  steps: z.array(stepSchema),
  destinations: z.array(destinationSchema),
});

/** What became of the packs of one pipeline and revision that ended together, written by the node before it acknowledges them. Payloads are not in it. */
export const trailRecordSchema = z.strictObject({
  v: z.literal(1),
  nodeId: z.string(),
  tenantId: z.string(),
  pipelineId: z.string(),
  revision: z.int(),
  atMs: z.int(),
  messages: z.array(messageSchema),
});
export type TrailRecord = z.infer<typeof trailRecordSchema>;
export type TrailMessage = z.infer<typeof messageSchema>;
export type TrailStep = z.infer<typeof stepSchema>;
export type TrailDestination = z.infer<typeof destinationSchema>;
export type Outcome = (typeof outcomes)[number];
export type TrailState = (typeof trailStates)[number];
