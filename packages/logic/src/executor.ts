import { limits } from '@vrsky/contracts/limits';
import type { WasmModule } from '@vrsky/metering/webassembly';
import { type SandboxInput, SandboxLoadError, type SandboxResult } from './sandbox.ts';
import { createScriptSandbox, type ScriptImage, type ScriptSandbox } from './script-sandbox.ts';
import { type FindSource, findInStack, sourceFinder, stripSourceMap } from './source-map.ts';
import { instructionLimit } from './step-limits.ts';
import type { LogicCode, LogicStep, StepLimits, StepRun } from './types.ts';

export interface ExecutorJob {
  tenantId: string;
  steps: LogicStep[];
  messages: SandboxInput[];
  capture: boolean;
  limits: StepLimits;
  /** Called before a step runs on a message, so that a watchdog can name the one that hangs. */
  onMessage?: (index: number, step: number) => void;
}

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
  run(job: ExecutorJob): ExecutorResult[];
  /** Drops the image of the step with this `stepKey`. */
  forget(key: string): void;
}

/** Instances that are kept, one a tenant. */
const sandboxesMax = 64;
/** An instance that holds more memory than this after a job is dropped. */
const idleSandboxBytes = 4 * 1024 * 1024;

interface Loaded {
  image: ScriptImage | null;
  failure: { reason: string; line?: number; column?: number } | null;
  find: FindSource;
}

export function createExecutor(options: { engine: WasmModule; isUtf8: (bytes: Uint8Array) => boolean }): Executor {
  const sandboxes = new Map<string, ScriptSandbox>();
  const images = new Map<string, Loaded>();
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

  function imageOf(sandbox: ScriptSandbox, tenantId: string, step: LogicStep): Loaded {
    const key = stepKey(tenantId, step);
    let loaded = images.get(key);
    if (!loaded) {
      loaded = load(sandbox, step);
      images.set(key, loaded);
    }
    return loaded;
  }

  return {
    run({ tenantId, steps, messages, capture, limits: stepLimits, onMessage }) {
      const sandbox = sandboxOf(tenantId);
      const results: ExecutorResult[] = messages.map((message) => ({ outcome: 'ok', payload: undefined, contentType: message.contentType, steps: [] }));
      // Step by step, not message by message: the step's image and code stay in the processor's cache.
      for (const [k, step] of steps.entries()) {
        const { image, failure, find } = imageOf(sandbox, tenantId, step);
        const outputs = createByteStore();
        for (const [i, message] of messages.entries()) {
          const result = results[i] as ExecutorResult;
          if (result.outcome !== 'ok') continue;
          if (image === null) {
            stop(result, step, { stepId: step.stepId, result: 'failed', instructions: 0, durationUs: 0, code: 'load_failed', ...failure, logs: [] });
            continue;
          }
          onMessage?.(i, k);
          const payload = result.payload ?? message.payload;
          const input = result.payload === undefined ? message : { ...message, payload, contentType: result.contentType };
          const instructions = instructionLimit(stepLimits, payload.length);
          const startedAt = performance.now();
          const made = sandbox.run(image, input, { ...stepLimits, instructions });
          const durationUs = Math.round((performance.now() - startedAt) * 1000);
          const run = describeRun(step.stepId, made, durationUs, { ...stepLimits, instructions }, find);
          if (run.result === 'ok') {
            if (made.outcome === 'made') {
              result.payload = outputs.add(made.payload);
              result.contentType = made.contentType ?? result.contentType;
            }
            if (capture) run.output = { payload: result.payload ?? message.payload, contentType: result.contentType };
            result.steps.push(run);
          } else stop(result, step, run);
        }
      }
      if (sandbox.touchedBytes() > idleSandboxBytes) sandboxes.delete(tenantId);
      return results;
    },

    forget: (key) => void images.delete(key),
  };
}

/** What makes a loaded step the same: a tenant never shares one, and an image knows whether it converts or filters. */
export function stepKey(tenantId: string, step: Pick<LogicStep, 'kind' | 'sha256' | 'format'>): string {
  return `${tenantId} ${step.format} ${step.kind} ${step.sha256}`;
}

function load(sandbox: ScriptSandbox, step: LogicStep): Loaded {
  const find = sourceFinder(step.code);
  try {
    return { image: sandbox.load(step.kind, stripSourceMap(step.code)), failure: null, find };
  } catch (error) {
    if (!(error instanceof SandboxLoadError)) throw error;
    return { image: null, failure: { reason: error.message, ...findInStack(error.stackText, find) }, find };
  }
}

function stop(result: ExecutorResult, step: LogicStep, run: StepRun): void {
  result.outcome = run.result;
  result.stepId = step.stepId;
  if (run.code !== undefined) result.code = run.code;
  if (run.reason !== undefined) result.reason = run.reason;
  result.steps.push(run);
}

function describeRun(stepId: string, made: SandboxResult, durationUs: number, limits: StepLimits, find: FindSource): StepRun {
  const run: StepRun = { stepId, result: 'failed', instructions: made.instructions, ...(made.split && { split: made.split }), durationUs, logs: made.logs };
  switch (made.outcome) {
    case 'kept':
    case 'made':
      return { ...run, result: 'ok' };
    case 'dropped':
      return { ...run, result: 'filtered', code: 'filtered', reason: made.reason, ...(made.route !== undefined && { route: made.route }) };
    case 'threw':
      return { ...run, code: 'threw', reason: made.reason, ...findInStack(made.stack, find) };
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
