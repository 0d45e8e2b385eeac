import { reserved } from '@vrsky/metering/instrument';
import { type WasmGlobal, type WasmInstance, type WasmMemory, type WasmModule, wasm } from '@vrsky/metering/webassembly';
import { engineExports } from './engine-names.ts';
import { fieldCode, outcomeCode, preludeSource } from './prelude.ts';
import { createRandom } from './random.ts';

const pageBytes = 65_536;
/** The engine's static data and C stack end here; its heap begins. */
const heapPages = 82;
/** The engine's own bound on recursion, on its C stack: deep recursion ends as an error the step can read, not as a trap. */
const stackBytes = 256 * 1024;
const stackTop = 5_333_088;
const stackBottom = stackTop - 5 * 1024 * 1024;
/** Stack below the top that is cleared after every message; below it only as far as it was used. */
const stackClearBytes = 16_384;
const windowBytes = 4096;
/** Images keep runs of chunks that are not all zero. */
const chunkBytes = 4096;
const buildFuel = 2_000_000_000n;

/** A heap with a step loaded, ready for a message: copied into an instance before each one. */
export interface SandboxImage {
  /** What is in memory, in order; all else is zero. Where a step's image is as the base, it shares the base's bytes. */
  runs: { at: number; bytes: Uint8Array }[];
  /** End of the engine's heap. */
  pages: number;
  stackPointer: number;
  context: number;
  runtime: number;
  /** JSValue* of the prelude's functions. */
  run: number;
  settle: number;
  bind: number;
  /** Memory that the image takes for itself. */
  ownBytes: number;
}

export interface SandboxInput {
  id: string;
  customerId: string;
  traceId: string;
  contentType: string;
  receivedAtMs: number;
  /** JSON of the list of name and value. Read only by steps that look at headers. */
  headersJson: string;
  payload: Uint8Array;
}

export interface SandboxLimits {
  instructions: number;
  memoryBytes: number;
  outputBytes: number;
  logLines: number;
  logBytes: number;
}

export type SandboxResult = { instructions: number; logs: string[] } & (
  | { outcome: 'kept' }
  | { outcome: 'dropped'; reason: string }
  /** `payload` is a view into the engine's memory: copy it before the next run. `contentType` undefined: as the input's. */
  | { outcome: 'made'; payload: Uint8Array; contentType: string | undefined }
  | { outcome: 'threw'; reason: string; stack: string }
  | { outcome: 'bad_output'; reason: string }
  | { outcome: 'instructions_exhausted' }
  | { outcome: 'memory_exhausted' }
  | { outcome: 'stack_exhausted' }
  /** A fault of the engine. The instance is as good as new for the next run. */
  | { outcome: 'engine_failed'; reason: string }
  | { outcome: 'output_too_large'; bytes: number }
);

export interface Sandbox {
  /** The image without a step, that `load` starts from. It serves every instance of the same engine. */
  readonly base: SandboxImage;
  /** Memory that the last messages touched and that the system will not get back while the instance lives. */
  readonly touchedBytes: number;
  /** Loads a step. Throws SandboxLoadError when its code does not load. */
  load(kind: 'convert' | 'filter', code: string): SandboxImage;
  /** One message. Nothing of an earlier one, nor of an earlier image, can be seen. */
  run(image: SandboxImage, input: SandboxInput, limits: SandboxLimits): SandboxResult;
}

export class SandboxLoadError extends Error {
  readonly stackText: string;
  constructor(message: string, stackText: string) {
    super(message);
    this.name = 'SandboxLoadError';
    this.stackText = stackText;
  }
}

export interface SandboxOptions {
  module: WasmModule;
  /** Whether bytes are UTF-8. Differs between Node and browsers only in speed. */
  isUtf8: (bytes: Uint8Array) => boolean;
  /** The most memory that a step can be allowed in this instance. Taken from the system only when touched. */
  memoryBytesMax: number;
  /** Of another instance; made when left out. */
  base?: SandboxImage;
}

type Call = (...args: number[]) => number;

/** One instance of the engine. An instance serves one tenant only. */
export function createSandbox(options: SandboxOptions): Sandbox {
  const totalPages = heapPages + Math.ceil(options.memoryBytesMax / pageBytes);
  const memory: WasmMemory = new wasm.Memory({ initial: totalPages, maximum: 32_768 });
  const heap = new Uint8Array(memory.buffer);
  const words = new Int32Array(memory.buffer);
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();

  // What the running message is and what came of it; host functions reach them.
  let input: SandboxInput = emptyInput;
  let outcome = -1;
  let value: Uint8Array = empty;
  let detail = '';
  let contentType: string | undefined;
  let refusedMemory = false;
  let outOfMemory = false;
  let random: (() => number) | undefined;
  let logs: string[] = [];
  let logRoom = 0;
  let logLinesLeft = 0;
  let outputMax = 0;

  const readC = (pointer: number): Uint8Array => heap.subarray(pointer, heap.indexOf(0, pointer));
  const readString = (context: number, pointer: number): string | null => {
    const text = api.getString(context, pointer);
    return text === 0 ? null : decoder.decode(readC(text));
  };
  /** Zero-terminated, in the engine's heap; 0 when there is no room. */
  const writeC = (bytes: Uint8Array): number => {
    const pointer = api.malloc(bytes.length + 1);
    if (pointer === 0) return 0;
    heap.set(bytes, pointer);
    heap[pointer + bytes.length] = 0;
    return pointer;
  };
  const newString = (context: number, bytes: Uint8Array): number => {
    const pointer = writeC(bytes);
    return pointer === 0 ? 0 : api.newString(context, pointer);
  };

  const hostFunctions: ((context: number, args: number) => number)[] = [
    // field(index)
    (context, args) => {
      const index = words[args >> 2] as number;
      const text =
        index === fieldCode.id
          ? input.id
          : index === fieldCode.customerId
            ? input.customerId
            : index === fieldCode.traceId
              ? input.traceId
              : index === fieldCode.contentType
                ? input.contentType
                : index === fieldCode.headers
                  ? input.headersJson
                  : String(index === fieldCode.outputMax ? outputMax : input.receivedAtMs);
      return newString(context, encoder.encode(text));
    },
    // text(): undefined when it is not UTF-8 or has a NUL, which a C string cannot hold
    (context) => {
      const { payload } = input;
      if (payload.includes(0) || !options.isUtf8(payload)) return 0;
      const marked = payload[0] === 0xef && payload[1] === 0xbb && payload[2] === 0xbf;
      return newString(context, marked ? payload.subarray(3) : payload);
    },
    // bytes()
    (context) => {
      const { payload } = input;
      const pointer = api.malloc(Math.max(1, payload.length));
      if (pointer === 0) return 0;
      heap.set(payload, pointer);
      return api.newArrayBuffer(context, pointer, payload.length);
    },
    // emit(outcome, value, detail)
    (context, args) => {
      const code = words[args >> 2] as number;
      if (code === outcomeCode.typed) {
        contentType = readString(context, args + 8) ?? undefined;
        return 0;
      }
      outcome = code;
      if (code === outcomeCode.keep || code === outcomeCode.pending) return 0;
      if (code === outcomeCode.bytes) {
        const length = api.getArrayBufferLength(context, args + 8);
        const pointer = api.getArrayBuffer(context, args + 8);
        if (pointer === 0 && length > 0) outOfMemory = true;
        else value = heap.subarray(pointer, pointer + length);
        return 0;
      }
      const pointer = api.getString(context, args + 8);
      if (pointer === 0) outOfMemory = true;
      else value = readC(pointer);
      if (code === outcomeCode.threw) detail = readString(context, args + 16) ?? '';
      if (code === outcomeCode.text && pointer !== 0 && utf16Length(value) !== words[(args + 16) >> 2]) return api.newFloat64(context, 0);
      return 0;
    },
    // log(line)
    (context, args) => {
      if (logLinesLeft <= 0 || logRoom <= 0) return 0;
      const line = readString(context, args);
      if (line === null) return 0;
      logLinesLeft--;
      const kept = line.length > logRoom ? `${line.slice(0, logRoom)}…` : line;
      logRoom -= kept.length;
      logs.push(kept);
      if (logLinesLeft === 0 || logRoom <= 0) logs.push('… what follows is not kept');
      return 0;
    },
    // random()
    (context) => {
      random ??= createRandom(input.id);
      return api.newFloat64(context, random());
    },
  ];

  const instance = new wasm.Instance(options.module, {
    a: {
      a: memory,
      // assertion failed, abort
      b: () => fail('an assertion failed'),
      q: () => fail('aborted'),
      // exit
      r: () => fail('exited'),
      // runtime keepalive
      l: () => undefined,
      // localtime: every step lives in UTC
      m: (seconds: bigint, out: number) => {
        writeUtc(words, out >> 2, Number(seconds));
      },
      // timer
      j: () => 0,
      // tzset
      n: (timezone: number, daylight: number, standardName: number, summerName: number) => {
        words[timezone >> 2] = 0;
        words[daylight >> 2] = 0;
        heap.set(utcName, standardName);
        heap.set(utcName, summerName);
      },
      // now: time stands still while a step runs
      p: () => input.receivedAtMs,
      // more heap
      k: (bytes: number) => {
        const pages = Math.ceil((bytes >>> 0) / pageBytes);
        if (pages > maxPages.value) {
          refusedMemory = true;
          return 0;
        }
        pagesGlobal.value = pages;
        return 1;
      },
      // environment: none
      e: () => 0,
      f: (count: number, size: number) => {
        words[count >> 2] = 0;
        words[size >> 2] = 0;
        return 0;
      },
      // files: none; what the engine prints is dropped
      d: () => 52,
      o: () => 70,
      c: (_file: number, vectors: number, count: number, written: number) => {
        let total = 0;
        for (let i = 0; i < count; i++) total += words[(vectors >> 2) + 2 * i + 1] as number;
        words[written >> 2] = total;
        return 0;
      },
      // host function
      s: (context: number, _this: number, _count: number, args: number, id: number) =>
        (hostFunctions[id] as (context: number, args: number) => number)(context, args),
      // interrupt
      i: () => 0,
      // modules: none
      h: () => 0,
      g: () => 0,
      // a host function was collected
      t: () => undefined,
    },
  });
  const fuel = instance.exports[reserved.fuel] as WasmGlobal<bigint>;
  const pagesGlobal = instance.exports[reserved.pages] as WasmGlobal<number>;
  const maxPages = instance.exports[reserved.maxPages] as WasmGlobal<number>;
  const stackPointer = instance.exports[reserved.global(0)] as WasmGlobal<number>;
  const api = bind(instance);

  /** First byte above the heap that may be other than zero. */
  let dirtyTo = heapPages * pageBytes;
  let touchedTo = dirtyTo;

  function begin(nextInput: SandboxInput, limits: { instructions: bigint; pages: number }): void {
    input = nextInput;
    outcome = -1;
    value = empty;
    detail = '';
    contentType = undefined;
    outOfMemory = false;
    refusedMemory = false;
    random = undefined;
    logs = [];
    maxPages.value = limits.pages;
    fuel.value = limits.instructions;
  }

  function restore(image: SandboxImage): void {
    clearStack();
    const end = Math.max(dirtyTo, pagesGlobal.value * pageBytes);
    touchedTo = Math.max(touchedTo, end);
    let clean = stackTop;
    for (const { at, bytes } of image.runs) {
      if (at > clean) heap.fill(0, clean, at);
      heap.set(bytes, at);
      clean = Math.max(clean, at + bytes.length);
    }
    if (end > clean) heap.fill(0, clean, end);
    dirtyTo = image.pages * pageBytes;
    pagesGlobal.value = image.pages;
    stackPointer.value = image.stackPointer;
  }

  function clearStack(): void {
    let bottom = stackTop - stackClearBytes;
    heap.fill(0, bottom, stackTop);
    // Frames lie close together: a window without a trace of one is below the deepest.
    while (bottom > stackBottom && !isZero(bottom - windowBytes, bottom)) {
      heap.fill(0, bottom - windowBytes, bottom);
      bottom -= windowBytes;
    }
  }

  /** Word by word: `start` and `end` are multiples of 4. */
  function isZero(start: number, end: number): boolean {
    for (let i = start >> 2; i < end >> 2; i++) if (words[i] !== 0) return false;
    return true;
  }

  function snapshot(parts: Omit<SandboxImage, 'runs' | 'pages' | 'stackPointer' | 'ownBytes'>, from?: SandboxImage): SandboxImage {
    const runs: SandboxImage['runs'] = [];
    let ownBytes = 0;
    const collect = (start: number, end: number, keepZeros: boolean): void => {
      const stateOf = (at: number): 'zero' | 'shared' | 'own' => {
        const to = Math.min(end, at + chunkBytes);
        return !keepZeros && isZero(at, to) ? 'zero' : from && isAsIn(from, at, to) ? 'shared' : 'own';
      };
      for (let at = start; at < end; ) {
        const state = stateOf(at);
        let to = at + chunkBytes;
        while (to < end && stateOf(to) === state) to += chunkBytes;
        to = Math.min(to, end);
        if (state !== 'zero') runs.push({ at, bytes: state === 'shared' && from ? (bytesOf(from, at, to) as Uint8Array) : heap.slice(at, to) });
        if (state === 'own') ownBytes += to - at;
        at = to;
      }
    };
    // Static data and heap; the stack between them is empty between calls.
    collect(0, stackBottom, true);
    collect(stackTop, pagesGlobal.value * pageBytes, false);
    return { ...parts, runs, pages: pagesGlobal.value, stackPointer: stackPointer.value, ownBytes };
  }

  function isAsIn(image: SandboxImage, start: number, end: number): boolean {
    const bytes = bytesOf(image, start, end);
    if (!bytes) return false;
    for (let i = 0; i < bytes.length; i++) if (bytes[i] !== heap[start + i]) return false;
    return true;
  }

  function buildBase(): SandboxImage {
    begin(emptyInput, { instructions: buildFuel, pages: totalPages });
    pagesGlobal.value = heapPages;
    api.start();
    api.construct();
    const runtime = api.newRuntime();
    api.setMaxStackSize(runtime, stackBytes);
    const context = api.newContext(runtime, 0);
    const factory = evaluate(context, preludeSource, 'vrsky.js');
    const names = ['field', 'text', 'bytes', 'emit', 'log', 'random'];
    const parameters = names.map((name, id) => api.newFunction(context, writeC(encoder.encode(name)), 0, 0, id));
    const functions = call(context, factory, parameters);
    const item = (index: number): number => api.getPropNumber(context, functions, index);
    return snapshot({ context, runtime, run: item(0), settle: item(1), bind: item(2) });
  }

  function evaluate(context: number, code: string, file: string): number {
    const bytes = encoder.encode(code);
    const strict = 1 << 3;
    return checked(context, api.eval(context, writeC(bytes), bytes.length, writeC(encoder.encode(file)), 0, strict));
  }

  function call(context: number, callee: number, parameters: number[]): number {
    const list = api.malloc(4 * parameters.length + 4);
    for (const [i, parameter] of parameters.entries()) words[(list >> 2) + i] = parameter;
    return checked(context, api.call(context, callee, api.getUndefined(), parameters.length, list));
  }

  function checked(context: number, result: number): number {
    if (result === 0) throw new SandboxLoadError(loadMemory, '');
    const thrown = api.resolveException(context, result);
    if (thrown === 0) return result;
    const message = readString(context, thrown)?.replace(/^Error: /, '') ?? 'The code does not load';
    const stackKey = newString(context, encoder.encode('stack'));
    const stack = stackKey === 0 ? 0 : api.getProp(context, thrown, stackKey);
    throw new SandboxLoadError(message, stack === 0 ? '' : (readString(context, stack) ?? ''));
  }

  const base = options.base ?? buildBase();

  return {
    base,
    get touchedBytes() {
      return Math.max(touchedTo, pagesGlobal.value * pageBytes) - heapPages * pageBytes;
    },

    load(kind, code) {
      restore(base);
      begin(emptyInput, { instructions: buildFuel, pages: totalPages });
      try {
        const exported = evaluate(base.context, code, 'step.js');
        const problem = readString(base.context, call(base.context, base.bind, [newString(base.context, encoder.encode(kind)), exported]));
        if (problem !== '') throw new SandboxLoadError(problem ?? 'The code does not load', '');
      } catch (error) {
        if (error instanceof SandboxLoadError) throw error;
        if (fuel.value < 0n)
          throw new SandboxLoadError(`The code at the top level of the step used more than ${Number(buildFuel).toLocaleString('en')} instructions`, '');
        throw new SandboxLoadError(
          refusedMemory ? loadMemory : error instanceof RangeError ? 'The code is nested too deep' : `The engine failed: ${String(error)}`,
          '',
        );
      }
      return snapshot(base, base);
    },

    run(image, message, limits) {
      restore(image);
      const budget = BigInt(limits.instructions);
      begin(message, { instructions: budget, pages: Math.min(totalPages, heapPages + Math.floor(limits.memoryBytes / pageBytes)) });
      logLinesLeft = limits.logLines;
      logRoom = limits.logBytes;
      outputMax = limits.outputBytes;
      let trap: unknown;
      let returned = 0;
      try {
        returned = api.call(image.context, image.run, api.getUndefined(), 0, 0);
        if (outcome === outcomeCode.pending) {
          const jobContext = api.malloc(4);
          if (jobContext !== 0) {
            api.executePendingJob(image.runtime, -1, jobContext);
            returned = api.call(image.context, image.settle, api.getUndefined(), 0, 0);
          }
        }
      } catch (error) {
        trap = error;
      }
      const left = fuel.value;
      const common = { instructions: left < 0n ? limits.instructions : Number(budget - left), logs };
      if (left < 0n) return { ...common, outcome: 'instructions_exhausted' };
      if (trap instanceof RangeError) return { ...common, outcome: 'stack_exhausted' };
      if (trap !== undefined && !refusedMemory) return { ...common, outcome: 'engine_failed', reason: String(trap) };
      if (trap !== undefined || returned === 0 || outOfMemory || outcome < 0 || outcome === outcomeCode.pending)
        return { ...common, outcome: 'memory_exhausted' };
      switch (outcome) {
        case outcomeCode.keep:
          return { ...common, outcome: 'kept' };
        case outcomeCode.drop:
          return { ...common, outcome: 'dropped', reason: decoder.decode(value) };
        case outcomeCode.badOutput:
          return { ...common, outcome: 'bad_output', reason: decoder.decode(value) };
        case outcomeCode.threw: {
          const reason = decoder.decode(value);
          // Without room for an error object the engine throws null.
          if (refusedMemory && (reason === 'InternalError: out of memory' || reason.endsWith(': null'))) return { ...common, outcome: 'memory_exhausted' };
          if (reason === 'InternalError: stack overflow') return { ...common, outcome: 'stack_exhausted' };
          return { ...common, outcome: 'threw', reason, stack: detail };
        }
        case outcomeCode.tooLarge:
          return { ...common, outcome: 'output_too_large', bytes: Number(decoder.decode(value)) };
        case outcomeCode.text:
          if (!options.isUtf8(value)) return { ...common, outcome: 'bad_output', reason: 'The text has half of a surrogate pair, which UTF-8 cannot carry' };
          break;
      }
      if (value.length > limits.outputBytes) return { ...common, outcome: 'output_too_large', bytes: value.length };
      return { ...common, outcome: 'made', payload: value, contentType: contentType ?? (outcome === outcomeCode.json ? 'application/json' : undefined) };
    },
  };
}

const empty = new Uint8Array(0);
const emptyInput: SandboxInput = { id: '', customerId: '', traceId: '', contentType: '', receivedAtMs: 0, headersJson: '[]', payload: empty };
/** How long a text is in JavaScript, by its UTF-8. */
function utf16Length(bytes: Uint8Array): number {
  let length = bytes.length;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte < 0x80) continue;
    if (byte < 0xc0) length--;
    else if (byte >= 0xf0) length++;
  }
  return length;
}

/** An image's bytes from `start` to `end`, or undefined when it has no such run. */
function bytesOf(image: SandboxImage, start: number, end: number): Uint8Array | undefined {
  const run = image.runs.find(({ at, bytes }) => at <= start && end <= at + bytes.length);
  return run?.bytes.subarray(start - run.at, end - run.at);
}

const loadMemory = 'The step needs more memory to load than it may use';
const utcName = new TextEncoder().encode('UTC\0');

function fail(what: string): never {
  throw new Error(`bug: the engine ${what}`);
}

function bind(instance: WasmInstance) {
  const get = (name: string): Call => instance.exports[name] as Call;
  return {
    start: instance.exports[reserved.start] as () => void,
    construct: get(engineExports.construct),
    malloc: get(engineExports.malloc),
    setMaxStackSize: get(engineExports.QTS_RuntimeSetMaxStackSize),
    getUndefined: get(engineExports.QTS_GetUndefined),
    newRuntime: get(engineExports.QTS_NewRuntime),
    newContext: get(engineExports.QTS_NewContext),
    newArrayBuffer: get(engineExports.QTS_NewArrayBuffer),
    newFloat64: get(engineExports.QTS_NewFloat64),
    newString: get(engineExports.QTS_NewString),
    getString: get(engineExports.QTS_GetString),
    getArrayBuffer: get(engineExports.QTS_GetArrayBuffer),
    getArrayBufferLength: get(engineExports.QTS_GetArrayBufferLength),
    getProp: get(engineExports.QTS_GetProp),
    getPropNumber: get(engineExports.QTS_GetPropNumber),
    executePendingJob: get(engineExports.QTS_ExecutePendingJob),
    call: get(engineExports.QTS_Call),
    resolveException: get(engineExports.QTS_ResolveException),
    eval: get(engineExports.QTS_Eval),
    newFunction: get(engineExports.QTS_NewFunction),
  };
}

/** struct tm of a time in UTC. */
function writeUtc(words: Int32Array, at: number, seconds: number): void {
  const date = new Date(seconds * 1000);
  const yearStart = Date.UTC(date.getUTCFullYear(), 0, 1);
  const fields = [
    date.getUTCSeconds(),
    date.getUTCMinutes(),
    date.getUTCHours(),
    date.getUTCDate(),
    date.getUTCMonth(),
    date.getUTCFullYear() - 1900,
    date.getUTCDay(),
    Math.floor((date.getTime() - yearStart) / 86_400_000),
    0,
    0,
  ];
  words.set(fields, at);
}
