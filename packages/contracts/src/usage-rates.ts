/**
 * List prices, for showing what a step will cost. A step is paid by the instructions it executes, which are the same on every machine; how
 * long it took, and on what, does not matter.
 */
export const usageRates = {
  usdPerBillionInstructions: 0.002,
} as const;

/** What a million messages cost that each take so many instructions, in US dollars. */
export function usdPerMillionMessages(instructions: number): number {
  return (instructions * 1_000_000 * usageRates.usdPerBillionInstructions) / 1_000_000_000;
}
