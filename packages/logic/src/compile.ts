import { Worker } from 'node:worker_threads';
import type { ModuleFormat } from '@vrsky/contracts/bundle';
import { limits } from '@vrsky/contracts/limits';
import type { StepLanguage as StepLanguageName } from '@vrsky/contracts/pipeline-spec';
import { AppError } from '@vrsky/kernel/errors';
import type { CompileAnswer, CompileRequest } from './compile-worker.ts';
import { workerFile } from './worker-file.ts';

export interface CodeProblem {
  /** From 1, in the customer's source; columns count UTF-16 units, as editors do. */
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
  severity: 'error' | 'warning';
  message: string;
}

export interface StepSource {
  kind: 'convert' | 'filter';
  language: StepLanguageName;
  /** For `wasm` the module in base64. */
  source: string;
}

/** `sha256` is of `code`. Equal sources give equal code. */
export type CompileResult = { ok: true; format: ModuleFormat; code: string; sha256: string; problems: CodeProblem[] } | { ok: false; problems: CodeProblem[] };

/** Longest wait for one step; TypeScript can be made to compute for very long. */
const compileMsMax = 60_000;
const pendingMax = 256;

interface Pending {
  resolve(result: CompileResult): void;
  reject(error: unknown): void;
  timer: NodeJS.Timeout;
}

interface Compiler {
  worker: Worker;
  pending: Map<number, Pending>;
}

let compiler: Compiler | undefined;
let nextId = 1;

/** Checks a step and makes of it what the sandbox runs, in a thread of its own that stays warm. */
export function compileStep(step: StepSource): Promise<CompileResult> {
  const lengthMax = step.language === 'wasm' ? limits.stepModuleBase64Max : limits.stepSourceBytesMax;
  if (step.source.length > lengthMax) {
    const message = `The code has ${step.source.length.toLocaleString('en')} characters; at most ${lengthMax.toLocaleString('en')} are allowed`;
    return Promise.resolve({ ok: false, problems: [{ line: 1, column: 1, endLine: 1, endColumn: 1, severity: 'error', message }] });
  }
  compiler ??= startCompiler();
  const { worker, pending } = compiler;
  if (pending.size >= pendingMax)
    return Promise.reject(
      new AppError({ code: 'STEP.COMPILER_BUSY', kind: 'exhausted', message: `more than ${pendingMax} steps wait to be compiled`, retryAfterMs: 1_000 }),
    );
  const id = nextId++;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      if (pending.keys().next().value !== id) return; // it waits behind another, whose turn it is to end the worker
      end(
        worker,
        new AppError({
          code: 'STEP.COMPILE_TIMEOUT',
          kind: 'timeout',
          message: `a step did not compile within ${compileMsMax} ms`,
          publicMessage: 'Checking the code took too long. Simplify its types and try again.',
        }),
      );
    }, compileMsMax);
    pending.set(id, { resolve, reject, timer });
    worker.ref();
    worker.postMessage({ id, ...step } satisfies CompileRequest);
  });
}

function startCompiler(): Compiler {
  const worker = new Worker(workerFile('compile-worker'), { execArgv: [], name: 'compile', resourceLimits: { maxOldGenerationSizeMb: 1_024, stackSizeMb: 8 } });
  const pending = new Map<number, Pending>();
  worker.unref();
  worker.on('message', (answer: CompileAnswer) => {
    const waiting = pending.get(answer.id);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    pending.delete(answer.id);
    if (pending.size === 0) worker.unref();
    if ('result' in answer) waiting.resolve(answer.result);
    else waiting.reject(new AppError({ code: 'STEP.COMPILER_FAILED', kind: 'internal', message: answer.error }));
  });
  worker.on('error', (cause) => end(worker, new AppError({ code: 'STEP.COMPILER_FAILED', kind: 'internal', message: 'the compiler thread died', cause })));
  worker.on('exit', () => end(worker, new AppError({ code: 'STEP.COMPILER_FAILED', kind: 'internal', message: 'the compiler thread ended' })));
  return { worker, pending };
}

/** The next call starts another. */
function end(worker: Worker, error: unknown): void {
  if (compiler?.worker !== worker) return;
  const { pending } = compiler;
  compiler = undefined;
  void worker.terminate();
  for (const { reject, timer } of pending.values()) {
    clearTimeout(timer);
    reject(error);
  }
}
