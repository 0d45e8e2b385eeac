import { reserved } from './instrument.ts';
import type { WasmGlobal, WasmInstance } from './webassembly.ts';

/** What a host knows of the instructions of an instrumented instance, and the only place that knows how the module keeps them. */
export interface Meter {
  /**
   * Before a call: how many instructions it may execute. `depth` is how many bytes of stack nested calls may take, in the units of
   * `docs/instructions.md`.
   */
  start(instructions: number, depth?: number): void;
  /** Instructions since `start`; the whole budget, no more, once it is exhausted. Also from inside of a host call. */
  used(): number;
  /** From inside of a host call: it cost so many instructions more. */
  charge(instructions: number): void;
  /** Which limit was reached; null when none was, so that a trap is one of the module's own. */
  exhausted(): 'instructions' | 'depth' | null;
}

/** A budget beyond this is cut down to it: a year of work. */
export const maxInstructions = 2 ** 46;

/** The meter of an instance of an instrumented module. */
export function createMeter(instance: WasmInstance): Meter {
  const fuel = instance.exports[reserved.fuel] as WasmGlobal<bigint> | undefined;
  if (!fuel) throw new Error('the module of this instance is not instrumented');
  let budget = 0;
  return {
    start(instructions) {
      budget = Math.min(instructions, maxInstructions);
      fuel.value = BigInt(budget);
    },
    used: () => Math.min(budget, budget - Number(fuel.value)),
    charge(instructions) {
      fuel.value -= BigInt(instructions);
    },
    exhausted: () => (fuel.value < 0n ? 'instructions' : null),
  };
}
