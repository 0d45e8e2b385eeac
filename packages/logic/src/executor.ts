import { limits } from '@vrsky/contracts/limits';
import type { WasmModule } from '@vrsky/metering/webassembly';
import type { UnusableStep } from './prepare-worker.ts';
import { type SandboxInput, SandboxLoadError, type SandboxResult } from './sandbox.ts';
import { createScriptSandbox, type ScriptImage, type ScriptSandbox } from './script-sandbox.ts';
import { type FindSource, findInStack, findInText, sourceFinder, stripSourceMap } from './source-map.ts';
import { instructionLimit } from './step-limits.ts';
import type { LogicCode, LogicStep, StepLimits, StepRun } from './types.ts';
import { fromBase64, type PreparedModule, prepareModule, UnusableModule } from './wasm-module.ts';
import { createWasmSandbox, type WasmSandbox } from './wasm-sandbox.ts';

export interface ExecutorJob {
  tenantId: string;
  steps: ExecutorStep[];
  messages: SandboxInput[];
  capture: boolean;
  limits: StepLimits;
  /** A step takes no further message when it has worked for so long; those that got through are returned, one at least. */
  turnMs?: number;
  /** Called before a step runs on a message, so that a watchdog can name the one that hangs. */
  onMessage?: (index: number, step: number) => void;
}

/** A WebAssembly module can come compiled; it is compiled from its code otherwise. */
export type ExecutorStep = LogicStep & { prepared?: PreparedModule | UnusableStep };

export interface ExecutorResult {
  outcome: 'ok' | 'filtered' | 'failed';
  /** Undefined when the steps left the message as it came. */
  payload: Uint8Array | undefined;
  contentType: string;
  stepId?: string;
  code?: LogicCode;
  reason?: string;
  steps: StepRun[];
}

/** Runs steps in the calling thread. The pool has one in each worker; the same numbers come out of every one. */
export interface Executor {
  /** A result for each message; fewer only when the turn was over. */
  run(job: ExecutorJob): ExecutorResult[];
  /** Drops the step with this `stepKey`. */
  forget(key: string): void;
}

/** Instances that are kept, one a tenant. */
const sandboxesMax = 64;
/** An instance that holds more memory than this after a job is dropped. */
const idleSandboxBytes = 4 * 1024 * 1024;

/** Steps that are kept loaded. */
const loadedMax = 256;

type Loaded =
  | { format: 'script'; image: ScriptImage; find: FindSource }
  | { format: 'wasm'; sandbox: WasmSandbox }
  | { format: 'none'; failure: { reason: string; line?: number; column?: number } };

export function createExecutor(options: { engine: WasmModule; isUtf8: (bytes: Uint8Array) => boolean }): Executor {
  /** Of the engine, by tenant. */
  const sandboxes = new Map<string, ScriptSandbox>();
  const loaded = new Map<string, Loaded>();
  let base: ScriptImage | undefined;

  function sandboxOf(tenantId: string): ScriptSandbox {
    let sandbox = sandboxes.get(tenantId);
    if (sandbox) sandboxes.delete(tenantId);
    else {
      if (sandboxes.size >= sandboxesMax) sandboxes.delete(sandboxes.keys().next().value as string);
      sandbox = createScriptSandbox({ ...options, memoryBytesMax: limits.stepMemoryBytesMax, ...(base && { base }) });
      base = sandbox.base;
    }
    sandboxes.set(tenantId, sandbox); // the last in the map is the most recently used
    return sandbox;
  }

  function loadedOf(tenantId: string, step: ExecutorStep, memoryBytes: number): Loaded {
    const key = stepKey(tenantId, step, memoryBytes);
    const found = loaded.get(key) ?? (step.format === 'wasm' ? loadWasm(step, memoryBytes) : loadScript(sandboxOf(tenantId), step));
    loaded.delete(key);
    if (loaded.size >= loadedMax) loaded.delete(loaded.keys().next().value as string);
    loaded.set(key, found);
    return found;
  }

  return {
    run({ tenantId, steps, messages, capture, limits: stepLimits, turnMs = Number.POSITIVE_INFINITY, onMessage }) {
      const results: ExecutorResult[] = messages.map((message) => ({ outcome: 'ok', payload: undefined, contentType: message.contentType, steps: [] }));
      let end = messages.length;
      // Step by step, not message by message: the step's image and code stay in the processor's cache.
      for (const [k, step] of steps.entries()) {
        const turnEndsAt = performance.now() + turnMs;
        onMessage?.(0, k);
        const code = loadedOf(tenantId, step, stepLimits.memoryBytes);
        const engine = code.format === 'script' ? sandboxOf(tenantId) : undefined;
        const outputs = createByteStore();
        for (let i = 0; i < end; i++) {
          const message = messages[i] as SandboxInput;
          const result = results[i] as ExecutorResult;
          if (result.outcome !== 'ok') continue;
          if (code.format === 'none') {
            stop(result, step, { stepId: step.stepId, result: 'failed', instructions: 0, durationUs: 0, code: 'load_failed', ...code.failure, logs: [] });
            continue;
          }
          onMessage?.(i, k);
          const payload = result.payload ?? message.payload;
          const input = result.payload === undefined ? message : { ...message, payload, contentType: result.contentType };
          const bounds = { ...stepLimits, instructions: instructionLimit(stepLimits, payload.length) };
          const startedAt = performance.now();
          const made = sendable(code.format === 'wasm' ? code.sandbox.run(step.kind, input, bounds) : (engine as ScriptSandbox).run(code.image, input, bounds));
          const endedAt = performance.now();
          const run = describeRun(step.stepId, made, Math.round((endedAt - startedAt) * 1000), bounds, code.format === 'script' ? code.find : null);
          if (run.result === 'ok') {
            if (made.outcome === 'made') {
              result.payload = outputs.add(made.payload);
              result.contentType = made.contentType ?? result.contentType;
            }
            if (capture) run.output = { payload: result.payload ?? message.payload, contentType: result.contentType };
            result.steps.push(run);
          } else stop(result, step, run);
          if (endedAt > turnEndsAt) end = i + 1;
        }
        if (engine && engine.touchedBytes() > idleSandboxBytes) sandboxes.delete(tenantId);
      }
      return results.slice(0, end);
    },

    forget: (key) => void loaded.delete(key),
  };
}

/** What makes a loaded step the same: a tenant never shares one, and it knows whether it converts or filters, and its memory. */
export function stepKey(tenantId: string, step: Pick<LogicStep, 'kind' | 'sha256' | 'format'>, memoryBytes: number): string {
  return `${tenantId} ${step.format} ${step.kind} ${step.sha256} ${memoryBytes}`;
}

function loadScript(sandbox: ScriptSandbox, step: LogicStep): Loaded {
  const find = sourceFinder(step.code);
  try {
    return { format: 'script', image: sandbox.load(step.kind, stripSourceMap(step.code)), find };
  } catch (error) {
    if (!(error instanceof SandboxLoadError)) throw error;
    return { format: 'none', failure: { reason: error.message, ...findInStack(error.stackText, find) } };
  }
}

function loadWasm(step: ExecutorStep, memoryBytes: number): Loaded {
  if (step.prepared && 'unusable' in step.prepared) return { format: 'none', failure: { reason: step.prepared.unusable } };
  try {
    return { format: 'wasm', sandbox: createWasmSandbox(step.prepared ?? prepareModule(fromBase64(step.code), memoryBytes)) };
  } catch (error) {
    if (!(error instanceof SandboxLoadError || error instanceof UnusableModule)) throw error;
    return { format: 'none', failure: { reason: error.message } };
  }
}

/** A content type travels as a header, which a line break would make two of. */
function sendable(made: SandboxResult): SandboxResult {
  if (made.outcome !== 'made' || made.contentType === undefined || /^[\x20-\x7e]{0,200}$/.test(made.contentType)) return made;
  const { instructions, split, logs } = made;
  const reason = 'The content type is longer than 200 characters, or has some that a header cannot carry';
  return { instructions, ...(split && { split }), logs, outcome: 'bad_output', reason };
}

function stop(result: ExecutorResult, step: LogicStep, run: StepRun): void {
  result.outcome = run.result;
  result.stepId = step.stepId;
  if (run.code !== undefined) result.code = run.code;
  if (run.reason !== undefined) result.reason = run.reason;
  result.steps.push(run);
}

function describeRun(stepId: string, made: SandboxResult, durationUs: number, limits: StepLimits, find: FindSource | null): StepRun {
  const run: StepRun = { stepId, result: 'failed', instructions: made.instructions, ...(made.split && { split: made.split }), durationUs, logs: made.logs };
  switch (made.outcome) {
    case 'kept':
    case 'made':
      return { ...run, result: 'ok' };
    case 'dropped':
      return { ...run, result: 'filtered', code: 'filtered', reason: made.reason, ...(made.route !== undefined && { route: made.route }) };
    case 'threw':
      return { ...run, code: 'threw', reason: made.reason, ...(find ? findInStack(made.stack, find) : findInText(made.reason)) };
    case 'trapped':
      return { ...run, code: 'trapped', reason: made.reason };
    case 'bad_output':
      return { ...run, code: 'bad_output', reason: made.reason };
    case 'instructions_exhausted':
      return { ...run, code: 'instructions_exhausted', reason: `The step used more than ${count(limits.instructions)} instructions and was stopped` };
    case 'memory_exhausted':
      return { ...run, code: 'memory_exhausted', reason: `The step needed more than ${count(limits.memoryBytes / 1_048_576)} MiB of memory and was stopped` };
    case 'stack_exhausted':
      return { ...run, code: 'stack_exhausted', reason: 'The step called functions too deep inside each other (stack overflow)' };
    case 'engine_failed':
      return { ...run, code: 'stopped', reason: `The engine failed on this message: ${made.reason}` };
    case 'output_too_large':
      return { ...run, code: 'output_too_large', reason: `The step made ${count(made.bytes)} bytes; at most ${count(limits.outputBytes)} are allowed` };
  }
}

function count(value: number): string {
  return Math.floor(value).toLocaleString('en');
}

/** Keeps copies of many small byte strings in few buffers. */
function createByteStore() {
  let buffer = new Uint8Array(65_536);
  let used = 0;
  return {
    add(bytes: Uint8Array): Uint8Array {
      if (used + bytes.length > buffer.length) {
        buffer = new Uint8Array(Math.max(buffer.length * 2, bytes.length));
        used = 0;
      }
      buffer.set(bytes, used);
      used += bytes.length;
      return buffer.subarray(used - bytes.length, used);
    },
  };
}
