import { createMeter, type Meter } from '@vrsky/metering/meter';
import { type WasmGlobal, type WasmInstance, type WasmMemory, wasm } from '@vrsky/metering/webassembly';
import { type MemoryImage, putImage, takeImage } from './memory-image.ts';
import { type SandboxInput, type SandboxLimits, SandboxLoadError, type SandboxResult } from './sandbox.ts';
import { abi, runCode } from './wasm-abi.ts';
import { createWasmHost } from './wasm-host.ts';
import type { PreparedModule } from './wasm-module.ts';

/** A module of the logic ABI, ready for messages: one tenant's, and one step's. */
export interface WasmSandbox {
  /** One message. Nothing of an earlier one can be seen. */
  run(kind: 'convert' | 'filter', input: SandboxInput, limits: SandboxLimits): SandboxResult;
}

/** For `_initialize`, which runs once; a module that starts anew for each message may not take long for it. */
const loadInstructions = 200_000_000;
const loadInstructionsEachTime = 2_000_000;
/** A larger memory is cheaper made anew, for the system clears only what is touched, than put back. */
const restoredBytesMax = 1_048_576;

interface Instance {
  memory: WasmMemory;
  meter: Meter;
  globals: WasmGlobal[];
  run: () => unknown;
  initialize: (() => unknown) | undefined;
  /** Whether a message ran in it since it was as the image says. */
  used: boolean;
}

/** What an instance is put back to. */
interface Start {
  image: MemoryImage;
  /** Where the module's own data segments write when an instance is made. */
  written: { at: number; length: number }[];
  globals: (number | bigint)[];
}

/** Throws SandboxLoadError when the module does not load. */
export function createWasmSandbox({ module, globals: globalNames, keepsState }: PreparedModule): WasmSandbox {
  const host = createWasmHost();
  let instance: Instance | undefined;

  const instantiate = (): Instance => {
    let made: WasmInstance;
    try {
      made = new wasm.Instance(module, host.imports);
    } catch (error) {
      if (!(error instanceof wasm.RuntimeError)) throw error;
      throw new SandboxLoadError('The module has data or functions for places that its memory or tables do not have', '');
    }
    const memory = made.exports[abi.memory] as WasmMemory;
    const meter = createMeter(made);
    host.attach(memory, meter);
    return {
      memory,
      meter,
      globals: globalNames.map((name) => made.exports[name] as WasmGlobal),
      run: made.exports[abi.run] as () => unknown,
      initialize: made.exports[abi.initialize] as (() => unknown) | undefined,
      used: false,
    };
  };

  const initialize = ({ meter, initialize: start }: Instance): void => {
    if (!start) return;
    const instructions = keepsState ? loadInstructionsEachTime : loadInstructions;
    host.begin(null, { logLines: 0, logBytes: 0, outputBytes: 0 });
    meter.start(instructions);
    try {
      start();
    } catch (error) {
      const { ending } = host;
      if (meter.exhausted() === 'instructions')
        throw new SandboxLoadError(`${abi.initialize} used more than ${instructions.toLocaleString('en')} instructions`, '');
      throw new SandboxLoadError(ending && 'reason' in ending ? ending.reason : `${abi.initialize} failed: ${trapReason(error)}`, '');
    }
    // The module may have caught what was to end it.
    if (host.ending) throw new SandboxLoadError('reason' in host.ending ? host.ending.reason : `${abi.initialize} failed`, '');
  };

  const load = (): Start => {
    instance = instantiate();
    const written = takeImage(new Uint8Array(instance.memory.buffer)).runs.map(({ at, bytes }) => ({ at, length: bytes.length }));
    initialize(instance);
    const image = takeImage(new Uint8Array(instance.memory.buffer));
    return { image, written, globals: keepsState ? [] : instance.globals.map((global) => global.value) };
  };
  const start = load();

  /** An instance as it was when it was loaded. */
  const ready = (): Instance => {
    if (!instance) {
      instance = instantiate();
      if (keepsState) initialize(instance);
      else putInNew(instance, start);
    } else if (instance.used) putImage(start.image, new Uint8Array(instance.memory.buffer));
    instance.used = true;
    for (const [i, value] of start.globals.entries()) (instance.globals[i] as WasmGlobal).value = value;
    return instance;
  };

  return {
    run(kind, input, limits) {
      let readied: Instance;
      try {
        readied = ready();
      } catch (error) {
        // It loaded before, so that the machine is to blame, as when it has no memory to give.
        instance = undefined;
        return { instructions: 0, logs: [], outcome: 'engine_failed', reason: error instanceof Error ? error.message : String(error) };
      }
      const { meter, memory, run } = readied;
      host.begin(input, limits);
      meter.start(limits.instructions, limits.depth);
      let trap: unknown;
      let code: unknown;
      try {
        code = run();
      } catch (error) {
        trap = error ?? new Error('nothing was thrown');
      }
      const common = { instructions: meter.used(), logs: host.logs };
      const exhausted = meter.exhausted();
      if (keepsState || memory.buffer.byteLength !== start.image.length || start.image.length > restoredBytesMax) instance = undefined;
      if (exhausted === 'instructions') return { ...common, outcome: 'instructions_exhausted' };
      if (exhausted === 'depth' || trap instanceof RangeError) return { ...common, outcome: 'stack_exhausted' };
      if (host.ending?.outcome === 'threw') return { ...common, ...host.ending, outcome: 'threw', stack: '' };
      if (host.ending) return { ...common, ...host.ending } as SandboxResult;
      if (trap !== undefined) return { ...common, outcome: 'trapped', reason: trapReason(trap) + needsMemory(trap, memory, limits) };
      return { ...common, ...outcomeOf(kind, code) };
    },
  };

  function outcomeOf(kind: 'convert' | 'filter', code: unknown) {
    const { output, reason, route, contentType } = host;
    const bad = (what: string) => ({ outcome: 'bad_output', reason: what }) as const;
    switch (code) {
      case runCode.pass:
        if (output) return bad('The module gave an output and returned 0, which leaves the message as it is: return 1 with an output');
        return { outcome: 'kept' } as const;
      case runCode.converted:
        if (kind === 'filter') return bad('A filter cannot change the message: it returned 1, which stands for a new one');
        if (!output) return bad('The module returned 1, which stands for a new message, and gave none with output()');
        return { outcome: 'made', payload: output, contentType } as const;
      case runCode.filtered:
        if (output) return bad('The module gave an output and returned 2, which drops the message');
        if (!reason) return bad('The module returned 2, which drops the message, and gave no reason with reason()');
        return { outcome: 'dropped', reason, ...(route && { route }) } as const;
      case runCode.failed:
        if (!reason) return bad('The module returned 3, which fails the message, and gave no reason with reason()');
        return { outcome: 'threw', reason, stack: '' } as const;
      default:
        return bad(`${abi.run} returned ${code}; it returns 0 (pass), 1 (converted), 2 (filtered) or 3 (failed)`);
    }
  }
}

/** What a new instance lacks of its start. */
function putInNew({ memory }: Instance, { image, written }: Start): void {
  const missing = image.length - memory.buffer.byteLength;
  if (missing > 0) memory.grow(missing / 65_536);
  const bytes = new Uint8Array(memory.buffer);
  for (const { at, length } of written) bytes.fill(0, at, at + length);
  for (const { at, bytes: run } of image.runs) bytes.set(run, at);
}

const trapReasons: [pattern: RegExp, reason: string][] = [
  [/unreachable/, 'The module stopped itself (unreachable)'],
  [/memory access out of bounds|out of bounds memory access/, 'The module read or wrote outside of its memory'],
  [/divide by zero|remainder by zero|division by zero/, 'The module divided by zero'],
  [/divide result unrepresentable|integer overflow/, 'A division of the module has no result that fits'],
  [/float unrepresentable|invalid conversion to integer/, 'The module made an integer of a number that no integer of its size can hold'],
  [/signature mismatch|null function|indirect call/, 'The module called a function by a pointer that leads to none, or to one of another type'],
  [/table/, 'The module used a place outside of a table'],
  [/segment/, 'The module copied from outside of a data segment'],
];

/** Languages stop a module that gets no more memory; that they were refused it, only they know. */
function needsMemory(error: unknown, { buffer }: WasmMemory, { memoryBytes }: SandboxLimits): string {
  if (!(error instanceof Error) || !/unreachable/.test(error.message) || buffer.byteLength * 2 <= memoryBytes) return '';
  return `. It had ${mebibytes(buffer.byteLength)} of the ${mebibytes(memoryBytes)} MiB that it may have: modules do so when they get no more memory`;
}

function mebibytes(bytes: number): string {
  return String(Math.round(bytes / 104_857.6) / 10);
}

/** What went wrong in a module, in words for its author. */
function trapReason(error: unknown): string {
  if (!(error instanceof Error)) return 'The module threw an exception and did not catch it';
  return trapReasons.find(([pattern]) => pattern.test(error.message))?.[1] ?? `The module trapped: ${error.message}`;
}
