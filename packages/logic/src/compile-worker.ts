import { isUtf8 } from 'node:buffer';
import { parentPort } from 'node:worker_threads';
import { limits } from '@vrsky/contracts/limits';
import { bundleStep } from './bundle-step.ts';
import type { CodeProblem, CompileResult } from './compile.ts';
import { loadEngine } from './engine.ts';
import { createSandbox, type SandboxImage, SandboxLoadError } from './sandbox.ts';
import { findInStack, sourceFinder, stripSourceMap } from './source-map.ts';
import { createTypeChecker } from './type-check.ts';

export interface CompileRequest {
  id: number;
  kind: 'convert' | 'filter';
  source: string;
}

export type CompileAnswer = { id: number; result: CompileResult } | { id: number; error: string };

const port = parentPort;
if (!port) throw new Error('bug: this file is the entry of a worker thread');
const checker = createTypeChecker();
let base: SandboxImage | undefined;
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

async function compile({ kind, source }: CompileRequest): Promise<CompileResult> {
  const problems = checker.check(kind, source);
  if (problems.some((problem) => problem.severity === 'error')) return { ok: false, problems };
  const bundle = await bundleStep(source);
  if (!bundle.ok) return { ok: false, problems: [...problems, ...bundle.problems] };
  const unloadable = await tryLoad(kind, bundle.code);
  if (unloadable) return { ok: false, problems: [...problems, unloadable] };
  return { ok: true, code: bundle.code, sha256: bundle.sha256, problems };
}

/** Code at the top level of a step runs once, when a node loads it: what fails there is better known before it is published. */
async function tryLoad(kind: 'convert' | 'filter', code: string): Promise<CodeProblem | null> {
  const { module } = await loadEngine();
  const sandbox = createSandbox({ module, isUtf8, memoryBytesMax: limits.stepMemoryBytesMax, ...(base && { base }) });
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
