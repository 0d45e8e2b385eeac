import { trailStates } from '@vrsky/contracts/trail';
import { z } from 'zod';

export const PAGE_LIMIT_MAX = 200;

const idSchema = z.string().min(1).max(64);
/** Opaque to callers; what it means is checked where it is read. */
const cursorSchema = z.string().max(300);
const limitSchema = z.int().min(1).max(PAGE_LIMIT_MAX).default(50);

export const listMessagesInput = z.strictObject({
  pipelineId: idSchema.optional(),
  states: z.array(z.enum(trailStates)).max(trailStates.length).optional(),
  /** A message id, or the beginning of one. */
  search: z.string().trim().max(64).optional(),
  cursor: cursorSchema.nullish(),
  limit: limitSchema,
});
export const listWaitingInput = z.strictObject({ pipelineId: idSchema });
export const messageIdInput = z.strictObject({ id: idSchema });
export const listDeadLettersInput = z.strictObject({ pipelineId: idSchema.optional(), cursor: cursorSchema.nullish(), limit: limitSchema });
export const resendInput = z.strictObject({ messageId: idSchema, destinationId: z.string().min(1).max(40) });

export type ListMessagesArgs = z.infer<typeof listMessagesInput>;
export type ListDeadLettersArgs = z.infer<typeof listDeadLettersInput>;
