import type { Meter } from '@vrsky/metering/meter';
import { hostCallPrice } from '@vrsky/metering/price-table';
import type { WasmImports, WasmMemory } from '@vrsky/metering/webassembly';
import { LogLines } from './log-lines.ts';
import { createRandom } from './random.ts';
import type { SandboxInput, SandboxLimits } from './sandbox.ts';
import { abi, wasmField } from './wasm-abi.ts';

/** What ends a message whatever the module does next, even when it catches the exception. */
export type Ending = { outcome: 'threw' | 'trapped' | 'bad_output'; reason: string } | { outcome: 'output_too_large'; bytes: number };

/** The functions that a module imports, and what the running message made it say through them. */
export interface WasmHost {
  imports: WasmImports;
  /** Which instance the functions serve. */
  attach(memory: WasmMemory, meter: Meter): void;
  /** `input` null: the module is loading, and there is no message yet. */
  begin(input: SandboxInput | null, limits: Pick<SandboxLimits, 'logLines' | 'logBytes' | 'outputBytes'>): void;
  readonly logs: string[];
  readonly ending: Ending | null;
  /** A view that the next message overwrites; null when the module gave none. */
  readonly output: Uint8Array | null;
  readonly contentType: string | undefined;
  readonly reason: string | null;
  readonly route: string | undefined;
}

/** Reasons, routes and content types are cut after this many bytes. */
const textBytesMax = 4_096;
/** A larger output's buffer is not kept for the next one. */
const outputBytesKept = 262_144;

/** Thrown through the module to end it. One object for all: a new Error would note where it was made, which takes long. */
const ended = { name: 'Ended' };
/** What a call costs a module that caught this and goes on: it is thrown once more, which takes about a microsecond. */
const callAfterEnd = 1_000;

export function createWasmHost(): WasmHost {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let memory: WasmMemory;
  let meter: Meter;
  let bytes = new Uint8Array(0);
  let input: SandboxInput | null = null;
  let outputBytesMax = 0;
  let logBytesMax = 0;
  let logs = new LogLines(0, 0);
  let ending: Ending | null = null;
  let buffer = new Uint8Array(4_096);
  let outputLength = -1;
  let contentType: string | undefined;
  let reason: string | null = null;
  let route: string | undefined;
  let random: (() => number) | undefined;
  let fields: (Uint8Array | undefined)[] = [];

  const end = (how: Ending): never => {
    ending ??= how;
    throw ended;
  };

  /** Before anything else a function does: what it moves lies in the memory, and is paid for. */
  const enter = (name: string, at: number, size: number): void => {
    if (ending) {
      meter.charge(callAfterEnd);
      throw ended;
    }
    // The old view is empty when the memory has grown.
    if (bytes.length === 0) bytes = new Uint8Array(memory.buffer);
    const isOutside = at + size > bytes.length;
    meter.charge(hostCallPrice(isOutside ? 0 : size));
    if (isOutside) end({ outcome: 'trapped', reason: `The module gave ${name} a place outside of its memory: ${size} bytes at ${at}` });
  };

  const message = (name: string): SandboxInput =>
    input ?? end({ outcome: 'trapped', reason: `The module called ${name} while it was loaded, when there is no message yet` });

  const give = (name: string, to: number, what: Uint8Array): void => {
    enter(name, to >>> 0, what.length);
    bytes.set(what, to >>> 0);
  };

  const take = (name: string, from: number, size: number): void => enter(name, from >>> 0, size >>> 0);

  /** After `take`. */
  const text = (from: number, size: number, bytesMax: number): string => {
    const kept = Math.min(size >>> 0, bytesMax);
    return decoder.decode(bytes.subarray(from >>> 0, (from >>> 0) + kept)) + (kept < size >>> 0 ? '…' : '');
  };

  const takeText = (name: string, from: number, size: number): string => {
    take(name, from, size);
    return text(from, size, textBytesMax);
  };

  const field = (name: string, which: number): Uint8Array => {
    const { id, customerId, traceId, contentType: type, pipelineId, headersJson } = message(name);
    let value: string;
    if (which === wasmField.id) value = id;
    else if (which === wasmField.customerId) value = customerId;
    else if (which === wasmField.traceId) value = traceId;
    else if (which === wasmField.contentType) value = type;
    else if (which === wasmField.pipelineId) value = pipelineId;
    else if (which === wasmField.headers) value = (JSON.parse(headersJson) as [string, string][]).map(([key, value]) => `${key}\0${value}\0`).join('');
    else return end({ outcome: 'trapped', reason: `The module asked ${name} for field ${which}, which there is not` });
    fields[which] ??= encoder.encode(value);
    return fields[which];
  };

  const functions = {
    input_size() {
      enter('input_size', 0, 0);
      return message('input_size').payload.length;
    },
    input_read(to: number) {
      give('input_read', to, message('input_read').payload);
    },
    field_size(which: number) {
      enter('field_size', 0, 0);
      return (fields[which] ?? field('field_size', which)).length;
    },
    field_read(which: number, to: number) {
      give('field_read', to, fields[which] ?? field('field_read', which));
    },
    now() {
      enter('now', 0, 0);
      return message('now').receivedAtMs;
    },
    random() {
      enter('random', 0, 0);
      random ??= createRandom(message('random').id);
      return random();
    },
    log(from: number, size: number) {
      take('log', from, size);
      if (logs.hasRoom) logs.add(text(from, size, logBytesMax));
    },
    output(from: number, size: number) {
      take('output', from, size);
      message('output');
      const length = size >>> 0;
      if (length > outputBytesMax) end({ outcome: 'output_too_large', bytes: length });
      if (buffer.length < length || buffer.length > outputBytesKept) buffer = new Uint8Array(Math.max(length, 4_096));
      buffer.set(bytes.subarray(from >>> 0, (from >>> 0) + length));
      outputLength = length;
    },
    content_type(from: number, size: number) {
      contentType = takeText('content_type', from, size);
    },
    reason(from: number, size: number) {
      reason = takeText('reason', from, size);
    },
    route(from: number, size: number) {
      route = takeText('route', from, size);
    },
    abort(from: number, size: number) {
      end({ outcome: 'threw', reason: takeText('abort', from, size) || 'The module gave up and did not say why' });
    },
  };

  return {
    imports: { [abi.importModule]: functions },
    attach(nextMemory, nextMeter) {
      memory = nextMemory;
      meter = nextMeter;
      bytes = new Uint8Array(memory.buffer);
    },
    begin(nextInput, limits) {
      input = nextInput;
      outputBytesMax = limits.outputBytes;
      logBytesMax = limits.logBytes;
      logs = new LogLines(limits.logLines, limits.logBytes);
      ending = null;
      outputLength = -1;
      contentType = undefined;
      reason = null;
      route = undefined;
      random = undefined;
      fields = [];
    },
    get logs() {
      return logs.lines;
    },
    get ending() {
      return ending;
    },
    get output() {
      return outputLength < 0 ? null : buffer.subarray(0, outputLength);
    },
    get contentType() {
      return contentType;
    },
    get reason() {
      return reason;
    },
    get route() {
      return route;
    },
  };
}
