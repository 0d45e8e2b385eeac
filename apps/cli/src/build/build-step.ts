import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import type { StepLanguage } from '@vrsky/contracts/pipeline-spec';
import { isAppError } from '@vrsky/kernel/errors';
import { type CodeProblem, type CompileResult, compileStep } from '@vrsky/logic/compile';
import type { LogicStep } from '@vrsky/logic/types';
import { CliError } from '../cli-error.ts';
import { findProject, parseJsonFile, readFile, readFileBytes, readProject, shown } from '../project.ts';
import { bundle } from './bundle.ts';
import { describePlace, type Locate, locateIn, type Place } from './place.ts';

/** What to build: a project's step, a source file, or a module. */
export interface Target {
  kind: 'convert' | 'filter';
  language: StepLanguage;
  file: string;
  /** Where its libraries, its tsconfig.json and its `dist` are. */
  dir: string;
}

export interface BuiltStep {
  target: Target;
  /** What a pipeline's step has as its source. */
  source: string;
  /** Maps `source` back to the author's files. */
  map: string | null;
  step: LogicStep;
  locate: Locate;
  warnings: Place[];
}

export interface TargetOptions {
  kind?: 'convert' | 'filter' | undefined;
  language?: 'typescript' | 'assemblyscript' | undefined;
}

/** Finds out what a person means: nothing or a folder is the project there, a file is itself, in the project around it if there is one. */
export function resolveTarget(given: string | undefined, options: TargetOptions = {}): Target {
  const file = path.resolve(given ?? '.');
  if (!existsSync(file)) throw new CliError('usage', `${given} does not exist: name a folder with a vrsky.json, a .ts, .js or .wasm file`);
  if (statSync(file).isDirectory()) {
    const { kind, language, entry, dir } = readProject(file);
    return { kind: options.kind ?? kind, language: options.language ?? language, file: path.join(dir, entry), dir };
  }
  const project = findProject(file);
  const dir = project?.dir ?? path.dirname(file);
  const kind = options.kind ?? builtKind(file) ?? project?.kind ?? 'convert';
  const extension = path.extname(file);
  if (extension === '.wasm') return { kind, language: 'wasm', file, dir };
  if (!['.ts', '.js', '.mjs'].includes(extension))
    throw new CliError('usage', `${given} is not a step: name a folder with a vrsky.json, a .ts, .js or .wasm file`);
  return { kind, language: options.language ?? project?.language ?? 'typescript', file, dir };
}

/** A module in `dist` knows what it was built as. */
function builtKind(file: string): 'convert' | 'filter' | undefined {
  const beside = path.join(path.dirname(file), 'step.json');
  if (!/^step\.(js|wasm)$/.test(path.basename(file)) || !existsSync(beside)) return undefined;
  const { kind } = parseJsonFile(beside) as { kind?: unknown };
  return kind === 'convert' || kind === 'filter' ? kind : undefined;
}

/** Checks and compiles a step to what the sandbox runs. Throws a `CliError` with every problem at its place in the author's files. */
export async function buildStep(target: Target): Promise<BuiltStep> {
  const { source, map, locate, check } = await toSource(target);
  const compiling = compile(target, source);
  // The compiler has a thread of its own: meanwhile this one checks the types.
  const [wrong, result] = await Promise.all([check(), compiling]);
  if (wrong.length > 0) throw notBuilt(wrong);
  const places = result.problems.map((problem) => toPlace(problem, target.file, locate));
  if (!result.ok) throw notBuilt(places.filter((_, i) => result.problems[i]?.severity === 'error'));
  const { format, code, sha256 } = result;
  return { target, source, map, step: { stepId: 'step', kind: target.kind, format, code, sha256 }, locate, warnings: places };
}

interface Source {
  source: string;
  map: string | null;
  locate: Locate;
  /** What is wrong with the author's files, as far as the compiler will not say it. */
  check(): Promise<Place[]>;
}

async function toSource({ file, dir, kind, language }: Target): Promise<Source> {
  const itself = { map: null, locate: (line: number, column: number) => ({ file, line, column }), check: async () => [] };
  if (language === 'wasm') return { ...itself, source: readFileBytes(file).toString('base64') };
  const text = readFile(file);
  if (language === 'assemblyscript') return { ...itself, source: text };
  if (/^\/\/ *@ts-nocheck\b/.test(text)) {
    // Built already, by us or by the author's own tools.
    const mapFile = `${file}.map`;
    return { ...itself, source: text, ...(existsSync(mapFile) && { locate: locateIn(readFile(mapFile), path.dirname(file)) }) };
  }
  const bundled = await bundle(file, dir);
  if (!bundled.ok) throw notBuilt(bundled.problems);
  return { ...bundled, check: async () => (await import('./check-types.ts')).checkTypes(file, kind, dir) };
}

async function compile({ kind, language }: Target, source: string): Promise<CompileResult> {
  try {
    return await compileStep({ kind, language, source });
  } catch (error) {
    // The compiler took too long, or its thread died.
    if (isAppError(error) && error.publicMessage !== undefined) throw new CliError('build', error.publicMessage, [], { cause: error });
    throw error;
  }
}

function toPlace({ line, column, message }: CodeProblem, file: string, locate: Locate): Place {
  return { ...(locate(line, column) ?? { file, line, column }), message };
}

function notBuilt(problems: Place[]): CliError {
  const files = new Set(problems.map(({ file }) => shown(file)));
  const many = problems.length === 1 ? 'One problem' : `${problems.length} problems`;
  return new CliError('build', `${many} in ${[...files].join(', ')}: nothing was built`, problems.map(describePlace));
}
