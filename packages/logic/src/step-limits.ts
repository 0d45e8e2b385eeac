import { limits } from '@vrsky/contracts/limits';
import { defaultDepth } from '@vrsky/metering/meter';
import type { StepLimits } from './types.ts';

export const defaultStepLimits: StepLimits = {
  instructions: limits.stepInstructionsMax,
  instructionsPerKib: 2_000_000,
  memoryBytes: limits.stepMemoryBytesMax,
  outputBytes: limits.stepOutputBytesMax,
  logLines: 50,
  logBytes: 8_192,
  depth: defaultDepth,
  wallMs: limits.stepWallMsMax,
};

/** A longer message may cost more: reading it takes instructions. */
export function instructionLimit(limit: StepLimits, inputBytes: number): number {
  return limit.instructions + limit.instructionsPerKib * Math.floor(inputBytes / 1024);
}
