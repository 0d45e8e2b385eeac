import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { MeteringError } from '../src/errors.ts';
import { instrument, reserved } from '../src/instrument.ts';
import { createMeter } from '../src/meter.ts';
import { type WasmGlobal, type WasmInstance, wasm } from '../src/webassembly.ts';
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
      const blocks = Array.from({ length: 8 + (seed % 90) }, (_, i) => createHash('sha512').update(`${seed} ${i}`).digest());
      writeFileSync(join(folder, 'seed'), Buffer.concat(blocks));
      const status = callMain([
        '-ttf',
        join(folder, 'seed'),
        '-o',
        join(folder, 'module'),
        '-q',
        '--mvp-features',
        ...features.map((feature) => `--enable-${feature}`),
        ...(seed % 3 === 0 ? ['-O1'] : []),
      ]);
      if (status !== 0) throw new Error(`wasm-opt ended with ${status}`);
      return new Uint8Array(readFileSync(join(folder, 'module')));
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface Comparison {
  /** Calls that came back, with equal results and counts. */
  completed: number;
  /** Calls that trapped in all three. */
  trapped: number;
  instructions: number;
  /** The module has what is not supported: the generator knows no switch for typed references. */
  refused: boolean;
  problem: string | null;
}

const budget = 20_000_000;

/** Calls what a module exports: as it is, metered, and counted one by one. */
export function compare(module: Uint8Array): Comparison {
  const outcome: Comparison = { completed: 0, trapped: 0, instructions: 0, refused: false, problem: null };
  let bytes: Uint8Array;
  try {
    bytes = instrument(module).module;
  } catch (error) {
    if (!(error instanceof MeteringError)) throw error;
    return { ...outcome, refused: true };
  }
  const metered = instance(bytes);
  const meter = createMeter(metered.instance);
  meter.start(budget);
  // The start function, which runs on instantiation in the other two.
  if (reserved.start in metered.instance.exports && call(metered, reserved.start).startsWith('trap')) return outcome;
  const oracle = instance(countEach(module));
  const plain = instance(module);
  const count = oracle.instance.exports.count as WasmGlobal<bigint>;
  for (const { name, kind } of wasm.Module.exports(new wasm.Module(module))) {
    const callee = plain.instance.exports[name];
    if (kind !== 'function' || (callee as () => void).length > 0) continue;
    meter.start(budget);
    const a = call(metered, name);
    if (meter.exhausted() !== null || a.includes('call stack')) return outcome; // it would run for ever, or as deep as the stack of the day
    count.value = 0n;
    const b = call(oracle, name);
    const c = call(plain, name);
    if (b.includes('call stack') || c.includes('call stack')) return outcome;
    if (a !== b || a !== c) return { ...outcome, problem: `${name}: metered ${a}, counted ${b}, plain ${c}` };
    if (a.startsWith('trap')) {
      outcome.trapped++;
      continue;
    }
    if (meter.used() !== Number(count.value)) return { ...outcome, problem: `${name}: metered counts ${meter.used()}, one by one it is ${count.value}` };
    outcome.completed++;
    outcome.instructions += Number(count.value);
  }
  return outcome;
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
    imports[from][name] = kind === 'function' ? (...args: unknown[]) => void log.push(`${name}(${args.map(show).join()})`) : {};
  }
  return { instance: new wasm.Instance(module, imports), log };
}

function show(value: unknown): string {
  if (Array.isArray(value)) return value.map(show).join();
  if (typeof value === 'function') return 'function';
  if (typeof value === 'object' && value !== null) return 'object';
  return Object.is(value, -0) ? '-0' : String(value);
}
