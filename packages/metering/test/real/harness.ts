import * as resvgGlue from '@resvg/resvg-wasm';
import { instrument } from '../../src/instrument.ts';
import { createMeter } from '../../src/meter.ts';
import { wasm } from '../../src/webassembly.ts';
import { assemblyscript } from './assemblyscript.ts';
import { quickjs } from './quickjs.ts';
import { createResvg, type ResvgGlue } from './resvg.ts';
import { digest, type Workload } from './workload.ts';

/** What a platform says of a real module: the metered bytes, the results, and the instructions of the first runs. */
export interface PlatformCount {
  bytes: string;
  output: string;
  counts: number[];
}

const workloads: Record<string, Workload> = { assemblyscript, quickjs, resvg: createResvg(resvgGlue as unknown as ResvgGlue) };
const runs = 12;

/** Instruments, runs and counts on whatever platform this is: enough runs for the optimising compiler to have taken over. */
export async function countOnThisPlatform(modules: Record<string, Uint8Array>): Promise<Record<string, PlatformCount>> {
  const found: Record<string, PlatformCount> = {};
  for (const [name, bytes] of Object.entries(modules)) {
    const { module } = instrument(bytes);
    const running = await (workloads[name] as Workload).start(new wasm.Module(module));
    const meter = createMeter(running.instance);
    const outputs = new Set<string>();
    const counts: number[] = [];
    for (let i = 0; i < runs; i++) {
      meter.start(1e12);
      outputs.add(await running.run());
      counts.push(meter.used());
    }
    found[name] = { bytes: digest(module), output: [...outputs].join(), counts };
  }
  return found;
}
