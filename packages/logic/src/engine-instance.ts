import { reserved } from '@vrsky/metering/instrument';
import { createMeter, type Meter } from '@vrsky/metering/meter';
import { type WasmGlobal, type WasmInstance, type WasmMemory, type WasmModule, wasm } from '@vrsky/metering/webassembly';
import { engineExports } from './engine-names.ts';

/** Where things lie in the engine's memory: static data, then the C stack, which grows down, then the heap. */
export const engineLayout = {
  pageBytes: 65_536,
  stackTop: 5_333_088,
  stackBottom: 5_333_088 - 5 * 1024 * 1024,
  /** The first whole page of heap ends here. */
  heapPages: 82,
} as const;

export interface EngineInstance {
  heap: Uint8Array;
  words: Int32Array;
  /** Pages of memory there are; the engine is told of fewer. */
  totalPages: number;
  api: EngineApi;
  meter: Meter;
  /** How large the engine takes its memory for, and how large it may make it. */
  pages: WasmGlobal<number>;
  maxPages: WasmGlobal<number>;
  stackPointer: WasmGlobal<number>;
  /** Whether the engine was refused memory since this was last set to false. */
  wasRefusedMemory: boolean;
}

export interface EngineOptions {
  module: WasmModule;
  memoryBytesMax: number;
  nowMs(): number;
  /** `args` points at the arguments, 8 bytes each. Returns a JSValue* or 0. */
  callHost(context: number, args: number, id: number): number;
}

export type EngineApi = ReturnType<typeof bind>;

/** The engine with imports that give it nothing of this machine: no clock, no environment, no files, no output. */
export function createEngineInstance(options: EngineOptions): EngineInstance {
  const { pageBytes, heapPages } = engineLayout;
  const totalPages = heapPages + Math.ceil(options.memoryBytesMax / pageBytes);
  // The whole memory at once, so that its size is never a trace of an earlier message. The system gives a page when it is touched.
  const memory: WasmMemory = new wasm.Memory({ initial: totalPages, maximum: 32_768 });
  const heap = new Uint8Array(memory.buffer);
  const words = new Int32Array(memory.buffer);

  const imports = {
    a: memory,
    // assertion failed, abort, exit
    b: () => fail('an assertion failed'),
    q: () => fail('aborted'),
    r: () => fail('exited'),
    // keep the runtime alive
    l: () => undefined,
    // localtime: every step lives in UTC
    m: (seconds: bigint, out: number) => writeUtc(words, out >> 2, Number(seconds)),
    // timer
    j: () => 0,
    // tzset
    n: (timezone: number, daylight: number, standardName: number, summerName: number) => {
      words[timezone >> 2] = 0;
      words[daylight >> 2] = 0;
      heap.set(utcName, standardName);
      heap.set(utcName, summerName);
    },
    // now
    p: () => options.nowMs(),
    // more memory
    k: (bytes: number) => {
      const pages = Math.ceil((bytes >>> 0) / pageBytes);
      if (pages > engine.maxPages.value) {
        engine.wasRefusedMemory = true;
        return 0;
      }
      engine.pages.value = pages;
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
    s: (context: number, _this: number, _count: number, args: number, id: number) => options.callHost(context, args, id),
    // interrupt
    i: () => 0,
    // modules: none
    h: () => 0,
    g: () => 0,
    // a host function was collected
    t: () => undefined,
  };
  const instance = new wasm.Instance(options.module, { a: imports });
  const global = <T extends number | bigint>(name: string): WasmGlobal<T> => instance.exports[name] as WasmGlobal<T>;
  const engine: EngineInstance = {
    heap,
    words,
    totalPages,
    api: bind(instance),
    meter: createMeter(instance),
    pages: global<number>(reserved.pages),
    maxPages: global<number>(reserved.maxPages),
    stackPointer: global<number>(reserved.global(0)),
    wasRefusedMemory: false,
  };
  return engine;
}

function bind(instance: WasmInstance) {
  const get = (name: string) => instance.exports[name] as (...args: number[]) => number;
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
    freeValue: get(engineExports.QTS_FreeValuePointer),
    fromBinary: get(engineExports.QTS_bjson_decode),
  };
}

const utcName = new TextEncoder().encode('UTC\0');

/** struct tm of a time in UTC. */
function writeUtc(words: Int32Array, at: number, seconds: number): void {
  const date = new Date(seconds * 1000);
  const dayOfYear = Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000);
  const time = [date.getUTCSeconds(), date.getUTCMinutes(), date.getUTCHours()];
  words.set([...time, date.getUTCDate(), date.getUTCMonth(), date.getUTCFullYear() - 1900, date.getUTCDay(), dayOfYear, 0, 0], at);
}

function fail(what: string): never {
  throw new Error(`the engine ${what}`);
}
