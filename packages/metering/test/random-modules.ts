import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Reader, Writer } from '../src/bytes.ts';
import { MeteringError } from '../src/errors.ts';
import { instrument, reserved } from '../src/instrument.ts';
import { createMeter } from '../src/meter.ts';
import { externalKind, type ModuleInfo, parseModule, sectionId } from '../src/module.ts';
import { type WasmGlobal, type WasmInstance, wasm } from '../src/webassembly.ts';
import { instrumentBlocks, publishedExport } from './block-schemes.ts';
import { countEach } from './count-each.ts';

const features = [
  'simd',
  'bulk-memory',
  'sign-ext',
  'nontrapping-float-to-int',
  'multivalue',
  'reference-types',
  'mutable-globals',
  'tail-call',
  'extended-const',
];

/** Makes random modules with binaryen's fuzzer; the same number makes the same module. */
export async function createModuleGenerator(): Promise<{ make(seed: number): Uint8Array; close(): void }> {
  // The npm package carries `wasm-opt` as a program. It is loaded once, into this process: starting it takes longer than its work.
  const file = join(dirname(createRequire(import.meta.url).resolve('binaryen')), 'bin/wasm-opt');
  const source = readFileSync(file, 'utf8').replace(/^#!.*\n/, '');
  const quiet = (): void => undefined;
  const ready = Promise.withResolvers<void>();
  const settings = { noInitialRun: true, onRuntimeInitialized: () => ready.resolve(), print: quiet, printErr: quiet };
  const ownProcess = new Proxy(process, { get: (target, key) => (key === 'argv' ? ['node', file] : Reflect.get(target, key)), set: () => true });
  const program = new Function('Module', 'require', 'module', 'exports', '__dirname', '__filename', 'process', 'console', `${source}\nreturn { callMain };`);
  const { callMain } = program(settings, createRequire(file), { exports: {} }, {}, dirname(file), file, ownProcess, {
    log: quiet,
    warn: quiet,
    error: quiet,
  }) as { callMain(args: string[]): number };
  await ready.promise;
  const folder = mkdtempSync(join(tmpdir(), 'vrsky-metering-'));
  return {
    make(seed) {
      const blocks = Array.from({ length: 6 + (seed % 54) }, (_, i) => createHash('sha512').update(`${seed} ${i}`).digest());
      writeFileSync(join(folder, 'seed'), Buffer.concat(blocks));
      const status = callMain([
        '-ttf',
        join(folder, 'seed'),
        '-o',
        join(folder, 'module'),
        '-q',
        '--mvp-features',
        // References leave the module in most that have them, and so do their tables.
        ...features.filter((feature) => seed % 4 === 0 || feature !== 'reference-types').map((feature) => `--enable-${feature}`),
        ...(seed % 6 === 0 ? ['-O1'] : []),
      ]);
      if (status !== 0) throw new Error(`wasm-opt ended with ${status}`);
      const module = new Uint8Array(readFileSync(join(folder, 'module')));
      // Writing over a file that was just written waits for the disk.
      for (const name of ['seed', 'module']) unlinkSync(join(folder, name));
      // The generator exports tables. Most modules keep theirs to themselves.
      return seed % 4 === 0 ? module : withoutTableExports(module);
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function withoutTableExports(module: Uint8Array): Uint8Array {
  let info: ModuleInfo;
  try {
    info = parseModule(module);
  } catch (error) {
    if (error instanceof MeteringError) return module; // it will be refused
    throw error;
  }
  const section = info.sections.get(sectionId.export);
  if (!section) return module;
  const kept = info.exports.filter((item) => item.kind !== externalKind.table);
  const content = new Writer();
  content.u32(kept.length);
  for (const { name, kind, index } of kept) {
    content.name(name);
    content.u8(kind);
    content.u32(index);
  }
  const out = new Writer(module.length);
  for (let at = section.start - 1; ; at--) {
    // The section starts with its number and its length, which has the bytes in between.
    if (module[at] !== sectionId.export || new Reader(module, at + 1).u32() !== section.end - section.start) continue;
    out.raw(module, 0, at + 1);
    break;
  }
  out.u32(content.length);
  out.raw(content.written);
  out.raw(module, section.end, module.length);
  return out.written.slice();
}

export interface Comparison {
  /** Calls that came back, with equal results and counts. */
  completed: number;
  /** Calls that trapped, in all alike, with equal counts. */
  trapped: number;
  /** Calls stopped because they would go on: more than the budget, or deeper than the stack. */
  stopped: number;
  instructions: number;
  /** The scheme that the module has by itself. */
  scheme: 'register' | 'shared' | 'refused';
  problem: string | null;
}

const budget = 20_000_000;

/**
 * Calls what a module exports: as it is, metered in both schemes, metered block by block, and counted instruction by instruction. Results,
 * traps, calls of the host and counts are to be equal, also the count after a trap; and one instruction less must be too little.
 */
export function compare(module: Uint8Array): Comparison {
  const outcome: Comparison = { completed: 0, trapped: 0, stopped: 0, instructions: 0, scheme: 'refused', problem: null };
  const metered: Uint8Array[] = [];
  try {
    instrument(module, { canonicalNan: true }); // what it makes is valid, also with the NaNs changed
    const first = instrument(module);
    outcome.scheme = first.report.scheme;
    metered.push(first.module);
    if (first.report.scheme === 'register') metered.push(instrument(module, { scheme: 'shared' }).module);
  } catch (error) {
    if (!(error instanceof MeteringError)) throw error;
    return outcome;
  }
  const runs = metered.map((bytes) => instance(bytes));
  const naive = instance(instrumentBlocks(module, 'naive', true));
  // The start function, which runs on instantiation in the last two.
  for (const { instance: started } of [...runs, naive]) createMeter(started).start(budget);
  if (reserved.start in naive.instance.exports && [...runs, naive].some((run) => call(run, reserved.start).startsWith('trap'))) return outcome;
  const oracle = instance(countEach(module));
  const plain = instance(module);
  const count = oracle.instance.exports.count as WasmGlobal<bigint>;
  const published = naive.instance.exports[publishedExport] as WasmGlobal<bigint>;
  for (const { name, kind } of wasm.Module.exports(new wasm.Module(module))) {
    if (kind !== 'function' || (plain.instance.exports[name] as () => void).length > 0) continue;
    const counts: number[] = [];
    const texts: string[] = [];
    for (const run of runs) {
      const meter = createMeter(run.instance);
      meter.start(budget);
      texts.push(call(run, name));
      counts.push(meter.used());
      if (meter.exhausted() !== null || texts[0]?.includes('call stack')) return { ...outcome, stopped: 1 };
    }
    const meter = createMeter(naive.instance);
    meter.start(budget);
    published.value = (naive.instance.exports[reserved.fuel] as WasmGlobal<bigint>).value;
    texts.push(call(naive, name));
    const trapped = texts[0]?.startsWith('trap') === true;
    if (trapped) (naive.instance.exports[reserved.fuel] as WasmGlobal<bigint>).value = published.value;
    counts.push(meter.used());
    count.value = 0n;
    texts.push(call(oracle, name), call(plain, name));
    if (texts.some((text) => text.includes('call stack'))) return { ...outcome, stopped: 1 };
    if (!trapped) counts.push(Number(count.value));
    if (new Set(texts).size > 1) return { ...outcome, problem: `${name}: ${texts.join(' | ')}` };
    if (new Set(counts).size > 1) return { ...outcome, problem: `${name}: the counts are ${counts.join()}${trapped ? ' after a trap' : ''}` };
    if (trapped) outcome.trapped++;
    else {
      outcome.completed++;
      outcome.instructions += counts[0] as number;
    }
  }
  return { ...outcome, problem: tooLittle(module, metered) };
}

/** One instruction less than a call needs is too little, in every scheme. */
function tooLittle(module: Uint8Array, metered: Uint8Array[]): string | null {
  for (const { name, kind } of wasm.Module.exports(new wasm.Module(module))) {
    for (const bytes of metered) {
      const make = (): Running | null => {
        const run = instance(bytes);
        createMeter(run.instance).start(budget);
        return reserved.start in run.instance.exports && call(run, reserved.start).startsWith('trap') ? null : run;
      };
      const run = make();
      if (!run || kind !== 'function' || (run.instance.exports[name] as () => void).length > 0) continue;
      const meter = createMeter(run.instance);
      meter.start(budget);
      if (call(run, name).startsWith('trap') || meter.used() === 0) continue;
      const less = make() as Running;
      const lessMeter = createMeter(less.instance);
      lessMeter.start(meter.used() - 1);
      const text = call(less, name);
      if (lessMeter.exhausted() !== 'instructions' || lessMeter.used() !== meter.used() - 1)
        return `${name}: needs ${meter.used()} instructions, and with one less it says ${text}, ${lessMeter.exhausted()}, ${lessMeter.used()}`;
    }
    if (kind === 'function') return null; // one is enough
  }
  return null;
}

interface Running {
  instance: WasmInstance;
  log: string[];
}

function call({ instance: running, log }: Running, name: string): string {
  log.length = 0;
  try {
    return `${show((running.exports[name] as () => unknown)())} ${log.join(' ')}`;
  } catch (error) {
    return `trap ${String(error)} ${log.join(' ')}`;
  }
}

function instance(bytes: Uint8Array): Running {
  const module = new wasm.Module(bytes);
  const log: string[] = [];
  const imports: Record<string, Record<string, unknown>> = {};
  for (const { module: from, name, kind } of wasm.Module.imports(module)) {
    imports[from] ??= {};
    if (kind === 'function') imports[from][name] = (...args: unknown[]) => void log.push(`${name}(${args.map(show).join()})`);
    else if (kind === 'tag') imports[from][name] = name === 'jstag' ? wasm.JSTag : new wasm.Tag({ parameters: ['i32'] });
  }
  return { instance: new wasm.Instance(module, imports), log };
}

function show(value: unknown): string {
  if (Array.isArray(value)) return value.map(show).join();
  if (typeof value === 'function') return 'function';
  if (typeof value === 'object' && value !== null) return 'object';
  return Object.is(value, -0) ? '-0' : String(value);
}
