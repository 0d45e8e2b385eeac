import { reserved } from '../../src/instrument.ts';
import { createMeter } from '../../src/meter.ts';
import type { WasmInstance } from '../../src/webassembly.ts';

/** Gives a metered instance a budget and runs its start function; a plain one has none and has run its own. */
export function begin(instance: WasmInstance): void {
  if (!(reserved.fuel in instance.exports)) return;
  createMeter(instance).start(1e13);
  (instance.exports[reserved.start] as (() => void) | undefined)?.();
}
