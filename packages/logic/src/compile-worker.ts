import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { limits } from '@vrsky/contracts/limits';
import type { CodeProblem, CompileResult, StepSource } from './compile.ts';
import { compileScript } from './compile-script.ts';
import { loadEngine } from './engine.ts';
import { SandboxLoadError } from './sandbox.ts';
import { createScriptSandbox, type ScriptImage } from './script-sandbox.ts';
import { findInStack, sourceFinder, stripSourceMap } from './source-map.ts';
import { createStepLanguage } from './step-language.ts';
import { readStepTypes } from './step-types.ts';
import { prepareModule, UnusableModule } from './wasm-module.ts';
import { createWasmSandbox } from './wasm-sandbox.ts';

export interface CompileRequest extends StepSource {
  id: number;
}

export type CompileAnswer = { id: number; result: CompileResult } | { id: number; error: string };

const port = parentPort;
if (!port) throw new Error('bug: this file is the entry of a worker thread');
const language = createStepLanguage(readStepTypes());
let base: ScriptImage | undefined;
let last: Promise<void> = Promise.resolve();

port.on('message', (request: CompileRequest) => {
  // One after the other: the language service has one state.
  last = last.then(async () => {
    try {
      port.postMessage({ id: request.id, result: await compile(request) } satisfies CompileAnswer);
    } catch (error) {
      port.postMessage({ id: request.id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) } satisfies CompileAnswer);
    }
  });
});

function compile(step: StepSource): Promise<CompileResult> {
  switch (step.language) {
    case 'typescript':
      return compileTypeScript(step);
    case 'assemblyscript':
      return compileAssemblyScriptStep(step);
    case 'wasm':
      return checkModule(step);
  }
}

async function compileTypeScript({ kind, source }: StepSource): Promise<CompileResult> {
  const problems = language.check(kind, source);
  if (problems.some((problem) => problem.severity === 'error')) return { ok: false, problems };
  const script = compileScript(source);
  if (!script.ok) return { ok: false, problems: [...problems, ...script.problems] };
  const unloadable = await tryLoad(kind, script.code);
  if (unloadable) return { ok: false, problems: [...problems, unloadable] };
  return { ok: true, format: 'script', ...addressed(script.code), problems };
}

async function compileAssemblyScriptStep({ kind, source }: StepSource): Promise<CompileResult> {
  // The compiler is large, and many a control plane never needs it.
  const { compileAssemblyScript } = await import('./assemblyscript/compile.ts');
  const made = await compileAssemblyScript(kind, source);
  return made.ok ? moduleStep(made.wasm, made.problems) : made;
}

async function checkModule({ source }: StepSource): Promise<CompileResult> {
  if (!/^[A-Za-z0-9+/\s]*=*\s*$/.test(source)) return { ok: false, problems: [problemAtStart('The module is not in base64')] };
  return moduleStep(Buffer.from(source, 'base64'));
}

/** A module as the customer made it: each place that runs it puts the counting in by itself. It is tried here as it would be there. */
function moduleStep(bytes: Uint8Array, problems: CodeProblem[] = []): CompileResult {
  try {
    createWasmSandbox(prepareModule(bytes, limits.stepMemoryBytesMax));
  } catch (error) {
    if (!(error instanceof UnusableModule || error instanceof SandboxLoadError)) throw error;
    return { ok: false, problems: [problemAtStart(error.message)] };
  }
  return { ok: true, format: 'wasm', ...addressed(Buffer.from(bytes).toString('base64')), problems };
}

function addressed(code: string): { code: string; sha256: string } {
  return { code, sha256: createHash('sha256').update(code).digest('hex') };
}

function problemAtStart(message: string): CodeProblem {
  return { line: 1, column: 1, endLine: 1, endColumn: 1, severity: 'error', message };
}

/** Code at the top level of a step runs once, when a node loads it: what fails there is better known before it is published. */
async function tryLoad(kind: 'convert' | 'filter', code: string): Promise<CodeProblem | null> {
  const sandbox = createScriptSandbox({ engine: await loadEngine(), isUtf8, memoryBytesMax: limits.stepMemoryBytesMax, ...(base && { base }) });
  base = sandbox.base;
  try {
    sandbox.load(kind, stripSourceMap(code));
    return null;
  } catch (error) {
    if (!(error instanceof SandboxLoadError)) throw error;
    const { line, column } = findInStack(error.stackText, sourceFinder(code)) ?? { line: 1, column: 1 };
    return {
      line,
      column,
      endLine: line,
      endColumn: column,
      severity: 'error',
      message: error.stackText === '' ? error.message : `The code fails when it is loaded: ${error.message}`,
    };
  }
}
