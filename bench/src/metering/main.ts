/**
 * What counting costs: real modules metered beside the same modules as they are, and beside the placements that others use, in the same
 * rounds: `npm run bench:metering [-- --rounds 60 --modules quickjs,resvg]`. CPU time of the process in short slices of random order, so
 * that whatever else the machine does hits all alike.
 */
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { instrument } from '@vrsky/metering/instrument';
import { createMeter, type Meter } from '@vrsky/metering/meter';
import { wasm } from '@vrsky/metering/webassembly';
import { instrumentBlocks } from '../../../packages/metering/test/block-schemes.ts';
import { loadWorkload } from '../../../packages/metering/test/real/load.ts';
import { type RealModule, realModules } from '../../../packages/metering/test/real/modules.ts';
import type { Running } from '../../../packages/metering/test/real/workload.ts';
import { type Figure, printFigures, printTable } from '../report.ts';

// Optimised code from the start: when the engine would optimise which function differs between two runs by more than what is measured.
setFlagsFromString('--no-liftoff');

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '60' }, modules: { type: 'string', default: Object.keys(realModules).join() } } });
const sliceUs = 4_000;
/** The goals for size and for time a megabyte are about modules of so many bytes; most of the time of smaller ones is what every module takes. */
const sizedFrom = 100_000;

const schemes = {
  plain: (bytes: Uint8Array) => bytes,
  metered: (bytes: Uint8Array) => instrument(bytes).module,
  trusted: (bytes: Uint8Array) => instrument(bytes, { trusted: true }).module,
  local: (bytes: Uint8Array) => instrumentBlocks(bytes, 'local'),
  naive: (bytes: Uint8Array) => instrumentBlocks(bytes, 'naive'),
};
type Scheme = keyof typeof schemes;
const names = Object.keys(schemes) as Scheme[];

interface Variant {
  running: Running;
  meter: Meter | undefined;
  times: number[];
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function once({ running, meter }: Variant): Promise<string> {
  meter?.start(1e13);
  return running.run();
}

/** Of the times of a variant: what else the machine does can only add to them. */
function lowerQuintile(times: number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 5)] ?? Number.NaN;
}

async function measure(name: RealModule, bytes: Uint8Array, rounds: number): Promise<Record<Scheme, number> & { instructions: number }> {
  const variants = {} as Record<Scheme, Variant>;
  for (const scheme of names) {
    const running = await loadWorkload(name).start(new wasm.Module(schemes[scheme](bytes)));
    variants[scheme] = { running, meter: scheme === 'plain' ? undefined : createMeter(running.instance), times: [] };
  }
  // Until the optimising compiler is done with all of them.
  const repeats = {} as Record<Scheme, number>;
  for (const scheme of names) {
    const warmUntil = cpuUs() + 1_500_000;
    let runs = 0;
    for (; cpuUs() < warmUntil || runs < 4; runs++) await once(variants[scheme]);
    const before = cpuUs();
    await once(variants[scheme]);
    repeats[scheme] = Math.max(1, Math.round(sliceUs / (cpuUs() - before)));
  }
  for (let round = 0; round < rounds; round++) {
    for (const scheme of names.toSorted(() => Math.random() - 0.5)) {
      const before = cpuUs();
      for (let i = 0; i < repeats[scheme]; i++) await once(variants[scheme]);
      variants[scheme].times.push((cpuUs() - before) / repeats[scheme]);
    }
  }
  const { meter } = variants.metered;
  await once(variants.metered);
  const times = Object.fromEntries(names.map((scheme) => [scheme, lowerQuintile(variants[scheme].times)])) as Record<Scheme, number>;
  return { ...times, instructions: meter?.used() ?? 0 };
}

/** Milliseconds of CPU, when the code of this process is warm. */
function instrumentMs(bytes: Uint8Array): number {
  const times = Array.from({ length: bytes.length > 5e6 ? 5 : 15 }, () => {
    const before = cpuUs();
    instrument(bytes);
    return (cpuUs() - before) / 1000;
  });
  return lowerQuintile(times);
}

const geometricMean = (ratios: number[]): number => Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
const ratios: Record<Scheme, number[]> = { plain: [], metered: [], trusted: [], local: [], naive: [] };
const shown = ['metered', 'trusted', 'local', 'naive'] as const;
const rows: string[][] = [];
const sizes: string[][] = [];
const figures: Record<string, Figure> = {};
let perMegabyte = 0;
let largestGrowth = 0;
for (const name of values.modules.split(',') as RealModule[]) {
  const bytes = await realModules[name]();
  const times = await measure(name, bytes, name === 'go' ? Math.ceil(Number(values.rounds) / 3) : Number(values.rounds));
  for (const scheme of names) ratios[scheme].push(times[scheme] / times.plain);
  rows.push([
    name,
    times.instructions.toLocaleString('en'),
    Math.round(times.plain).toLocaleString('en'),
    ...shown.map((scheme) => (times[scheme] / times.plain).toFixed(2)),
  ]);
  figures[`${name}Ratio`] = { value: Number((times.metered / times.plain).toFixed(3)), unit: 'metered / plain', goal: '<= 1.25' };

  const { report } = instrument(bytes);
  const ms = instrumentMs(bytes);
  const growth = report.bytesOut / report.bytesIn;
  if (bytes.length >= sizedFrom) {
    largestGrowth = Math.max(largestGrowth, growth);
    perMegabyte = Math.max(perMegabyte, ms / (bytes.length / 1e6));
  }
  sizes.push([name, bytes.length.toLocaleString('en'), growth.toFixed(2), report.scheme, ms.toFixed(0), (ms / (bytes.length / 1e6)).toFixed(0)]);
}
printTable(
  ['CPU time against the module as it is', 'instructions', 'µs plain', 'metered', 'local', 'naive'],
  [...rows, ['geometric mean', '', '', ...shown.map((scheme) => geometricMean(ratios[scheme]).toFixed(3))]],
);
printTable(['instrumenting', 'bytes', 'size', 'scheme', 'ms', 'ms / MB'], sizes);
printFigures('metering', {
  ...figures,
  geometricMean: { value: Number(geometricMean(ratios.metered).toFixed(3)), unit: 'metered / plain', goal: '<= 1.10' },
  worst: { value: Number(Math.max(...ratios.metered).toFixed(3)), unit: 'metered / plain', goal: '<= 1.25' },
  trustedGeometricMean: { value: Number(geometricMean(ratios.trusted).toFixed(3)), unit: 'trusted / plain' },
  localGeometricMean: { value: Number(geometricMean(ratios.local).toFixed(3)), unit: 'local / plain' },
  naiveGeometricMean: { value: Number(geometricMean(ratios.naive).toFixed(3)), unit: 'naive / plain' },
  ...(largestGrowth > 0 && {
    instrumentMegabyte: { value: Math.round(perMegabyte), unit: 'ms CPU / MB, from 100 KB', goal: '<= 150' },
    size: { value: Number(largestGrowth.toFixed(3)), unit: 'bytes out / in, from 100 KB', goal: '<= 1.35' },
  }),
});
process.exit(0);
