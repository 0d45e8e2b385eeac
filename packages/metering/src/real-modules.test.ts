import { describe, expect, it } from 'vitest';
import { instrumentBlocks } from '../test/block-schemes.ts';
import { loadWorkload } from '../test/real/load.ts';
import { type RealModule, realModules } from '../test/real/modules.ts';
import { instrument, reserved } from './instrument.ts';
import { createMeter } from './meter.ts';
import { wasm } from './webassembly.ts';

async function outputs(name: RealModule, bytes: Uint8Array): Promise<{ texts: string[]; counts: number[] }> {
  const running = await loadWorkload(name).start(new wasm.Module(bytes));
  const meter = reserved.fuel in running.instance.exports ? createMeter(running.instance) : undefined;
  const texts: string[] = [];
  const counts: number[] = [];
  for (let i = 0; i < 2; i++) {
    meter?.start(1e13);
    texts.push(await running.run());
    if (meter) counts.push(meter.used());
  }
  return { texts, counts };
}

describe('a real module', () => {
  // What runs in them is the same every time, so that block by block must be the same number.
  for (const name of ['assemblyscript', 'quickjs', 'resvg'] as const) {
    it(`of ${name} does what it did without counting, at the count of its basic blocks, also with shared tables`, async () => {
      const bytes = await realModules[name]();
      const plain = await outputs(name, bytes);
      const metered = await outputs(name, instrument(bytes).module);
      const shared = await outputs(name, instrument(bytes, { scheme: 'shared' }).module);
      const naive = await outputs(name, instrumentBlocks(bytes, 'naive'));
      expect(metered.texts).toEqual(plain.texts);
      expect([metered, shared, naive]).toEqual([metered, metered, metered]);
      expect(metered.counts[0]).toBeGreaterThan(1_000_000);
    });
  }

  // Their own glue gives them the time of day and random numbers.
  for (const [name, scheme] of [
    ['sqlite', 'shared'],
    ['go', 'register'],
  ] as const) {
    it(`of ${name} does what it did without counting`, async () => {
      const bytes = await realModules[name]();
      const { module, report } = instrument(bytes);
      expect(report.scheme).toBe(scheme);
      expect((await outputs(name, module)).texts).toEqual((await outputs(name, bytes)).texts);
    });
  }
});
