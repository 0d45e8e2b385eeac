import { beforeAll, describe, expect, it } from 'vitest';
import { findBrowser } from '../../../e2e/browser.ts';
import { bundleHarness, type Counts, countInChromium, countInNode, findNode, otherNodes } from '../../../packages/metering/test/platforms.ts';
import { realModules } from '../../../packages/metering/test/real/modules.ts';

// Other compilers, other tiers, other versions of V8: the number is a property of the module and its input.
describe('the count of a real module', () => {
  let script = '';
  let modules: Record<string, Uint8Array> = {};
  let here: Counts = {};

  beforeAll(async () => {
    script = await bundleHarness();
    modules = { assemblyscript: await realModules.assemblyscript(), quickjs: await realModules.quickjs(), resvg: await realModules.resvg() };
    here = await countInNode(process.execPath, script, modules);
  });

  it('is the one that was written down', () => {
    const counts = Object.fromEntries(Object.entries(here).map(([name, found]) => [name, [found.counts[0], found.counts.at(-1)]]));
    expect(counts).toEqual({ assemblyscript: [7_766_434, 7_741_864], quickjs: [4_942_314, 4_647_822], resvg: [311_897_825, 311_893_190] });
  });

  for (const version of Object.keys(otherNodes) as (keyof typeof otherNodes)[]) {
    it(`is the same on Node ${version}`, async (context) => {
      const node = await findNode(version);
      if ('missing' in node) return context.skip(node.missing);
      expect(await countInNode(node.path, script, modules)).toEqual(here);
    });
  }

  it('is the same in Chromium', async () => {
    expect(await countInChromium(findBrowser(), script, modules)).toEqual(here);
  });
});
