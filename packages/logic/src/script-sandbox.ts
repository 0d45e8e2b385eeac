import { maxDepth } from '@vrsky/metering/meter';
import { hostCallPrice, jsonPrice } from '@vrsky/metering/price-table';
import type { WasmModule } from '@vrsky/metering/webassembly';
import { createEngineInstance, engineLayout } from './engine-instance.ts';
import { createHeapKeeper, type HeapImage } from './heap-image.ts';
import { createJsonReader } from './json-reader.ts';
import { createJsonWriter, type JsonPlaces } from './json-writer.ts';
import { LogLines } from './log-lines.ts';
import { fieldCode, outcomeCode, phaseCode, preludeSource } from './prelude.ts';
import { createRandom } from './random.ts';
import { type SandboxInput, type SandboxLimits, SandboxLoadError, type SandboxResult } from './sandbox.ts';

/** The engine's own bound on recursion, on its C stack: deep recursion ends as an error the step can read, not as a trap. */
const stackBytes = 256 * 1024;
/** For loading a step. What it logs then is nobody's message. */
const loadLimits = { instructions: 2_000_000_000, logLines: 0, logBytes: 0 };

/** A heap with a step loaded, ready for a message, and where to find things in it. */
export interface ScriptImage extends HeapImage, JsonPlaces {
  context: number;
  /** JSValue* of the prelude's functions. */
  run: number;
  settle: number;
  bind: number;
}

export interface ScriptSandbox {
  /** The image without a step, that `load` starts from. It serves every instance of the same engine. */
  readonly base: ScriptImage;
  /** Memory that messages touched and that the system does not get back while the instance lives. */
  touchedBytes(): number;
  /** Loads a step. Throws SandboxLoadError when its code does not load. */
  load(kind: 'convert' | 'filter', code: string): ScriptImage;
  /** One message. Nothing of an earlier one, nor of an earlier image, can be seen. */
  run(image: ScriptImage, input: SandboxInput, limits: SandboxLimits): SandboxResult;
}

export interface ScriptSandboxOptions {
  engine: WasmModule;
  /** Whether bytes are UTF-8. Differs between Node and browsers only in speed. */
  isUtf8: (bytes: Uint8Array) => boolean;
  /** The most memory that a step can be allowed in this instance. Taken from the system only when touched. */
  memoryBytesMax: number;
  /** Of another instance; made when left out. */
  base?: ScriptImage;
}

/** One instance of the engine. An instance serves one tenant only. */
export function createScriptSandbox(options: ScriptSandboxOptions): ScriptSandbox {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();

  // What the running message is and what came of it; host functions reach them.
  let input: SandboxInput = emptyInput;
  let outcome = -1;
  let value: Uint8Array = empty;
  let detail = '';
  let contentType: string | undefined;
  /** A function of the host found no room for what it had to give. */
  let outOfMemory = false;
  let random: (() => number) | undefined;
  let logs = new LogLines(0, 0);
  let outputMax = 0;
  // Instructions by phase.
  let phase: number = phaseCode.logic;
  let phaseFrom = 0;
  const spent = [0, 0, 0];
  const enter = (next: number): void => {
    const used = meter.used();
    spent[phase] = (spent[phase] as number) + used - phaseFrom;
    phaseFrom = used;
    phase = next;
  };

  /** What a function of the host takes or gives, the engine does not count: a loop of `bytes()` would copy for nothing. */
  const pay = (bytes: number): void => meter.charge(hostCallPrice(bytes));
  /** Stops what is longer than was paid for. */
  const payForJson = (bytes: number): void => {
    meter.charge(jsonPrice(bytes));
    if (meter.exhausted() !== null) throw new Error('the instructions are used up');
  };

  const readC = (pointer: number): Uint8Array => heap.subarray(pointer, heap.indexOf(0, pointer));
  const readString = (context: number, pointer: number): string | null => {
    const text = api.getString(context, pointer);
    return text === 0 ? null : decoder.decode(readC(text));
  };
  /** In the engine's heap, with a zero behind it; 0 when there is no room. */
  const write = (bytes: Uint8Array): number => {
    const pointer = api.malloc(bytes.length + 1);
    if (pointer === 0) {
      outOfMemory = true;
      return 0;
    }
    heap.set(bytes, pointer);
    heap[pointer + bytes.length] = 0;
    return pointer;
  };
  const newString = (context: number, bytes: Uint8Array): number => {
    const pointer = write(bytes);
    return pointer === 0 ? 0 : api.newString(context, pointer);
  };

  const fields: Record<number, () => string> = {
    [fieldCode.id]: () => input.id,
    [fieldCode.customerId]: () => input.customerId,
    [fieldCode.traceId]: () => input.traceId,
    [fieldCode.pipelineId]: () => input.pipelineId,
    [fieldCode.contentType]: () => input.contentType,
    [fieldCode.receivedAt]: () => String(input.receivedAtMs),
    [fieldCode.headers]: () => input.headersJson,
    [fieldCode.outputMax]: () => String(outputMax),
  };

  const hostFunctions: ((context: number, args: number) => number)[] = [
    // field(index)
    (context, args) => {
      const index = words[args >> 2] as number;
      const bytes = encoder.encode((fields[index] as () => string)());
      pay(bytes.length);
      return newString(context, bytes);
    },
    // text(goesOn): undefined when it is not UTF-8 or has a NUL, which a C string cannot hold
    (context, args) => {
      const goesOn = words[args >> 2] !== 0;
      enter(phaseCode.decode);
      const { payload } = input;
      pay(payload.length);
      const isText = !payload.includes(0) && options.isUtf8(payload);
      const marked = payload[0] === 0xef && payload[1] === 0xbb && payload[2] === 0xbf;
      const text = isText ? newString(context, marked ? payload.subarray(3) : payload) : 0;
      if (!goesOn) enter(phaseCode.logic);
      return text;
    },
    // bytes()
    (context) => {
      const before = phase;
      enter(phaseCode.decode);
      pay(input.payload.length);
      const pointer = write(input.payload);
      const buffer = pointer === 0 ? 0 : api.newArrayBuffer(context, pointer, input.payload.length);
      enter(before);
      return buffer;
    },
    // emit(outcome, value, detail)
    (context, args) => {
      const code = words[args >> 2] as number;
      pay(0);
      if (code === outcomeCode.typed) {
        contentType = readString(context, args + 8) ?? undefined;
        return 0;
      }
      if (code !== outcomeCode.value) outcome = code;
      if (code === outcomeCode.keep || code === outcomeCode.pending) return 0;
      if (code === outcomeCode.value) {
        const json = jsonWriter.write(args + 8, outputMax, payForJson);
        if (json === undefined) return api.newFloat64(context, 0);
        outcome = typeof json === 'number' ? outcomeCode.tooLarge : outcomeCode.json;
        value = typeof json === 'number' ? encoder.encode(String(json)) : json;
        return 0;
      }
      enter(code === outcomeCode.text || code === outcomeCode.json || code === outcomeCode.bytes ? phaseCode.encode : phaseCode.logic);
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
      if (code === outcomeCode.threw || code === outcomeCode.drop) detail = readString(context, args + 16) ?? '';
      if (code === outcomeCode.text && pointer !== 0 && utf16Length(value) !== words[(args + 16) >> 2]) return api.newFloat64(context, 0);
      return 0;
    },
    // log(line)
    (context, args) => {
      pay(0);
      const line = logs.hasRoom ? readString(context, args) : null;
      if (line !== null) logs.add(line);
      return 0;
    },
    // random()
    (context) => {
      pay(0);
      random ??= createRandom(input.id);
      return api.newFloat64(context, random());
    },
    // mark(phase): ours, and free
    (_context, args) => {
      enter(words[args >> 2] as number);
      return 0;
    },
    // json(): undefined when the engine has to read it
    (context) => {
      enter(phaseCode.decode);
      const { payload } = input;
      payForJson(payload.length);
      const size = options.isUtf8(payload) ? jsonReader.read(payload) : -1;
      const pointer = size < 0 ? 0 : api.malloc(size);
      if (pointer === 0) return 0;
      jsonReader.copyTo(heap, pointer);
      const binary = api.newArrayBuffer(context, pointer, size);
      const read = api.fromBinary(context, binary);
      api.freeValue(context, binary);
      enter(phaseCode.logic);
      return read;
    },
  ];

  const engine = createEngineInstance({
    module: options.engine,
    memoryBytesMax: options.memoryBytesMax,
    nowMs: () => input.receivedAtMs,
    callHost: (context, args, id) => (hostFunctions[id] as (context: number, args: number) => number)(context, args),
  });
  const { heap, words, api, meter } = engine;
  const keeper = createHeapKeeper(engine);
  const jsonReader = createJsonReader();
  const jsonWriter = createJsonWriter(engine, () => base);

  function begin(nextInput: SandboxInput, limits: { instructions: number; pages: number; logLines: number; logBytes: number }): void {
    input = nextInput;
    outcome = -1;
    value = empty;
    detail = '';
    contentType = undefined;
    outOfMemory = false;
    engine.wasRefusedMemory = false;
    random = undefined;
    logs = new LogLines(limits.logLines, limits.logBytes);
    phase = phaseCode.logic;
    phaseFrom = 0;
    spent.fill(0);
    engine.maxPages.value = limits.pages;
    // The engine bounds its own recursion, as an error the step can read; the threads it runs in have the stack for that.
    meter.start(limits.instructions, maxDepth);
  }

  function buildBase(): ScriptImage {
    begin(emptyInput, { ...loadLimits, pages: engine.totalPages });
    engine.pages.value = engineLayout.heapPages;
    api.start();
    api.construct();
    const runtime = api.newRuntime();
    api.setMaxStackSize(runtime, stackBytes);
    const context = api.newContext(runtime, 0);
    const factory = evaluate(context, preludeSource, 'vrsky.js');
    const names = ['field', 'text', 'bytes', 'emit', 'log', 'random', 'mark', 'json'];
    const parameters = names.map((name, id) => api.newFunction(context, write(encoder.encode(name)), 0, 0, id));
    const functions = call(context, factory, parameters);
    const item = (index: number): number => api.getPropNumber(context, functions, index);
    const pointers = {
      context,
      runtime,
      run: item(0),
      settle: item(1),
      bind: item(2),
      objectPrototype: words[item(3) >> 2] as number,
      arrayPrototype: words[item(4) >> 2] as number,
    };
    return { ...keeper.snapshot(), ...pointers };
  }

  function evaluate(context: number, code: string, file: string): number {
    const bytes = encoder.encode(code);
    const strict = 1 << 3;
    return checked(context, api.eval(context, write(bytes), bytes.length, write(encoder.encode(file)), 0, strict));
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
    touchedBytes: keeper.touchedBytes,

    load(kind, code) {
      keeper.restore(base);
      begin(emptyInput, { ...loadLimits, pages: engine.totalPages });
      try {
        const exported = evaluate(base.context, code, 'step.js');
        const problem = readString(base.context, call(base.context, base.bind, [newString(base.context, encoder.encode(kind)), exported]));
        if (problem !== '') throw new SandboxLoadError(problem ?? 'The code does not load', '');
      } catch (error) {
        if (error instanceof SandboxLoadError) throw error;
        if (meter.exhausted() === 'instructions')
          throw new SandboxLoadError(`The code at the top level of the step used more than ${loadLimits.instructions.toLocaleString('en')} instructions`, '');
        throw new SandboxLoadError(
          engine.wasRefusedMemory ? loadMemory : error instanceof RangeError ? 'The code is nested too deep' : `The engine failed: ${String(error)}`,
          '',
        );
      }
      return { ...base, ...keeper.snapshot(base) };
    },

    run(image, message, limits) {
      keeper.restore(image);
      begin(message, {
        ...limits,
        pages: Math.min(engine.totalPages, engineLayout.heapPages + Math.floor(limits.memoryBytes / engineLayout.pageBytes)),
      });
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
      enter(phaseCode.logic);
      const [logic = 0, decode = 0, encode = 0] = spent;
      const common = { instructions: meter.used(), split: { decode, logic, encode }, logs: logs.lines };
      const exhausted = meter.exhausted();
      if (exhausted === 'instructions') return { ...common, outcome: 'instructions_exhausted' };
      if (exhausted === 'depth' || trap instanceof RangeError) return { ...common, outcome: 'stack_exhausted' };
      if (trap !== undefined && !engine.wasRefusedMemory) return { ...common, outcome: 'engine_failed', reason: String(trap) };
      if (trap !== undefined || returned === 0 || outOfMemory || outcome < 0 || outcome === outcomeCode.pending)
        return { ...common, outcome: 'memory_exhausted' };
      switch (outcome) {
        case outcomeCode.keep:
          return { ...common, outcome: 'kept' };
        case outcomeCode.drop:
          return { ...common, outcome: 'dropped', reason: decoder.decode(value), ...(detail !== '' && { route: detail }) };
        case outcomeCode.badOutput:
          return { ...common, outcome: 'bad_output', reason: decoder.decode(value) };
        case outcomeCode.threw: {
          const reason = decoder.decode(value);
          // Without room for an error object the engine throws null.
          if (engine.wasRefusedMemory && (reason === 'InternalError: out of memory' || reason.endsWith(': null')))
            return { ...common, outcome: 'memory_exhausted' };
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
const emptyInput: SandboxInput = { id: '', customerId: '', traceId: '', pipelineId: '', contentType: '', receivedAtMs: 0, headersJson: '[]', payload: empty };

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

const loadMemory = 'The step needs more memory to load than it may use';
