import { connectorNameSchema } from '@vrsky/contracts/pipeline-spec';
import { z } from 'zod';

export const CALL_MINUTES_MAX = 60;

export const listCallsInput = z.strictObject({
  connector: connectorNameSchema,
  minutes: z.int().min(1).max(CALL_MINUTES_MAX).default(CALL_MINUTES_MAX),
  /** The end of the stretch; now when left out. */
  until: z.iso.datetime().optional(),
});
export const listRefusalsInput = z.strictObject({ pipelineId: z.string().min(1).max(64) });
export type ListRefusalsArgs = z.output<typeof listRefusalsInput>;
export type ListCallsArgs = z.output<typeof listCallsInput>;
