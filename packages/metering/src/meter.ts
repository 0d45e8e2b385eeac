import { depthUnitBytes } from './bounds.ts';
import { depthBits, depthSign, depthUnitsMax } from './fuel-word.ts';
import { reserved } from './instrument.ts';
import type { WasmGlobal, WasmInstance } from './webassembly.ts';

/** What a host knows of the instructions of an instrumented instance, and the only place that knows how the module keeps them. */
export interface Meter {
  /**
   * Before a call: how many instructions it may execute, and how many bytes of stack nested calls may take, by the estimate of
   * `docs/instructions.md`. After a trap the meter must be started again.
   */
  start(instructions: number, depth?: number): void;
  /** Instructions since `start`; the whole budget, no more, once it is exhausted. Also from inside of a host call. */
  used(): number;
  /** From inside of a host call: it cost so many instructions more. */
  charge(instructions: number): void;
  /** Which limit was reached; null when none was, so that a trap is one of the module's own. */
  exhausted(): 'instructions' | 'depth' | null;
}

/** A budget beyond this is cut down to it: a day of work. */
export const maxInstructions = 2 ** 46;
/** Stack that nested calls may take when a host says nothing: that much is there in every thread of Node and of browsers. */
export const defaultDepth = 512 * 1024;
/** The most that a host can allow, in a thread whose stack it has made large enough. */
export const maxDepth = depthUnitsMax * depthUnitBytes;

/** The meter of an instance of an instrumented module. */
export function createMeter(instance: WasmInstance): Meter {
  const fuel = instance.exports[reserved.fuel] as WasmGlobal<bigint> | undefined;
  if (!fuel) throw new Error('the module of this instance is not instrumented');
  let budget = 0;
  const depthLeft = (): bigint => BigInt.asIntN(depthBits, fuel.value);
  // The stack left is signed: half of its range is added so that the shift leaves it out.
  const instructionsLeft = (): number => Number((fuel.value + depthHalf) >> bits);
  return {
    start(instructions, depth = defaultDepth) {
      budget = Math.min(Math.floor(instructions), maxInstructions);
      const units = Math.min(Math.floor(depth / depthUnitBytes), depthUnitsMax);
      fuel.value = (BigInt(budget) << bits) + BigInt(units);
    },
    used: () => Math.min(budget, budget - instructionsLeft()),
    charge(instructions) {
      const left = fuel.value - (BigInt(Math.min(Math.ceil(instructions), maxInstructions)) << bits);
      // Far below zero it stays where it is, and does not come back from above.
      if (left > lowest) fuel.value = left;
    },
    exhausted: () => (instructionsLeft() < 0 ? 'instructions' : depthLeft() < 0n ? 'depth' : null),
  };
}

const bits = BigInt(depthBits);
const depthHalf = BigInt(depthSign);
const lowest = -(1n << 62n);
