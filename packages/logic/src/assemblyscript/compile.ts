import * as asc from 'assemblyscript';
import type { CodeProblem } from '../compile.ts';
import { checkImports } from './check-module.ts';
import { checkDefault, checkSource } from './check-source.ts';
import { codeProblem, toProblem } from './explain.ts';
import { libraryPrefix, readLibrary, stepModule } from './library.ts';
import { type ParsedLibrary, parseLibrary } from './parsed-library.ts';

export type AssemblyScriptResult = { ok: true; wasm: Uint8Array; problems: CodeProblem[] } | { ok: false; problems: CodeProblem[] };

/** The step's file in messages and reasons. */
const stepFile = 'step';
const entry = { name: 'entry', text: `import './${stepFile}';\nexport { vrsky_run_v1 } from '${stepModule}/step';\n` };
/** None of the language's memory managers. */
const stubRuntime = 0;
/**
 * The JSON mapping of the benchmarks executes 4 % fewer instructions at level 3, but compiling it takes two and a half times as long, and an editor
 * compiles after every change.
 */
const optimizeLevel = 1;
/** Promises the compiler optimised code: it then leaves the first KiB of memory empty, where the SDK reads values of JSON that are missing. */
const promisedLevel = 3;
/** Functions of the SDK that the language uses as its own. */
const inPlaceOf = {
  host: ['abort', 'seed'],
  memory: ['__alloc', '__collect', '__free', '__link', '__new', '__pin', '__realloc', '__renew', '__unpin', '__visit'],
};

let library: ParsedLibrary | undefined;

/**
 * Compiles a step in AssemblyScript to a module of logic ABI v1. Equal sources give equal bytes. The library is read and parsed by the first
 * call of a thread; later ones are several times as fast.
 */
export async function compileAssemblyScript(kind: 'convert' | 'filter', source: string): Promise<AssemblyScriptResult> {
  library ??= parseLibrary(readLibrary(), entry);
  const program = asc.newProgram(optionsFor());
  try {
    return compile(program, library, kind, source);
  } catch (cause) {
    // What the compiler had in hand may be half done.
    library = undefined;
    return { ok: false, problems: [codeProblem(source, 0, 0, `The AssemblyScript compiler gave up on this code: ${(cause as Error).message}`)] };
  } finally {
    program.module.dispose();
  }
}

function optionsFor(): asc.Options {
  const options = asc.newOptions();
  asc.setRuntime(options, stubRuntime);
  asc.setOptimizeLevelHints(options, promisedLevel, 0);
  asc.setFeature(options, asc.FEATURE_SIMD, true);
  asc.setExportStart(options, '_initialize');
  for (const [file, names] of Object.entries(inPlaceOf))
    for (const name of names) asc.addGlobalAlias(options, name, `${libraryPrefix}${stepModule}/${file}/${name}`);
  return options;
}

function compile(program: asc.Program, parsed: ParsedLibrary, kind: 'convert' | 'filter', source: string): AssemblyScriptResult {
  parsed.addTo(program);
  asc.parse(program, withoutDefault(source), `${stepFile}.ts`, false);
  const step = program.sources.at(-1) as asc.Source;
  const syntax = problemsOf(program, step);
  if (syntax.length > 0) {
    const strangeDefault = checkDefault(kind, source);
    return { ok: false, problems: strangeDefault.length > 0 ? strangeDefault : syntax };
  }
  const misuses = checkSource(kind, step);
  if (misuses.length > 0) return { ok: false, problems: misuses };

  asc.initializeProgram(program);
  program.parser.finish();
  const compiler = new StepCompiler(program, step);
  const module = compiler.compile();
  const problems = problemsOf(program, step, compiler.blamed);
  if (problems.some((problem) => problem.severity === 'error')) return { ok: false, problems };
  if (!asc.validate(module)) throw new Error('it made an invalid module');
  asc.optimize(module, optimizeLevel, 0, false, false);
  const wasm = new Uint8Array(module.toBinary(null).output);
  const strange = checkImports(wasm, source);
  return strange.length > 0 ? { ok: false, problems: [...problems, ...strange] } : { ok: true, wasm, problems };
}

/** The language has no default exports of expressions: `export default defineConvert(…)`, as in TypeScript, is read without them. */
function withoutDefault(source: string): string {
  return source.replace(
    /^([ \t]*)(export\s+default\s+)(?=(?!function\b|class\b|async\b)[\w$.]+\s*\()/gm,
    (_, indent: string, words: string) => indent + words.replace(/\S/g, ' '),
  );
}

function problemsOf(program: asc.Program, step: asc.Source, blamed?: Map<asc.DiagnosticMessage, asc.Range>): CodeProblem[] {
  const problems: (CodeProblem & { follows: boolean })[] = [];
  for (let diagnostic = asc.nextDiagnostic(program); diagnostic; diagnostic = asc.nextDiagnostic(program)) {
    const problem = toProblem(diagnostic, step, blamed?.get(diagnostic));
    if (problem) problems.push({ ...problem, follows: followsFromOthers.test(diagnostic.message) });
  }
  const causes = problems.filter(({ follows, severity }) => !follows && severity === 'error');
  return problems.filter(({ follows }) => !follows || causes.length === 0).map(({ follows: _, ...problem }) => problem);
}

/** Said again and again after a name or a type could not be found. */
const followsFromOthers = /^Type argument expected|^Type 'auto'|^Expression cannot be represented by a type|is used before being assigned/;

/** The compiler's number of this problem. */
const typeArgumentExpected = 1140;

/** Remembers which expression of the step it was at when a problem turned up in the library: a type that cannot be written, for example. */
class StepCompiler extends asc.Compiler {
  readonly blamed = new Map<asc.DiagnosticMessage, asc.Range>();
  readonly #step: asc.Source;

  constructor(program: asc.Program, step: asc.Source) {
    super(program);
    this.#step = step;
  }

  override compileExpression(expression: asc.Expression, contextualType: asc.Type, constraints?: asc.Constraints): asc.ExpressionRef {
    const before = this.diagnostics.length;
    const result = super.compileExpression(expression, contextualType, constraints);
    if (this.diagnostics.length > before && expression.range.source === this.#step) {
      const last = this.diagnostics.at(-1) as asc.DiagnosticMessage;
      if (expression instanceof asc.CallExpression && last.code === typeArgumentExpected && !this.blamed.has(last)) this.#sayWhy(expression);
      this.#blame(before, expression.range);
    }
    return result;
  }

  override compileStatement(statement: asc.Statement): asc.ExpressionRef {
    const before = this.diagnostics.length;
    const result = super.compileStatement(statement);
    if (statement.range.source === this.#step) this.#blame(before, statement.range);
    return result;
  }

  #blame(from: number, range: asc.Range): void {
    for (const diagnostic of this.diagnostics.slice(from)) if (!this.blamed.has(diagnostic)) this.blamed.set(diagnostic, range);
  }

  /** A call's type arguments follow from its arguments, unless these are wrong, which the compiler does not say. */
  #sayWhy(call: asc.CallExpression): void {
    const before = this.diagnostics.length;
    for (const argument of call.args) if (!(argument instanceof asc.FunctionExpression)) super.compileExpression(argument, asc.Type.auto);
    if (this.diagnostics.length > before) this.diagnostics.splice(before - 1, 1);
    else if (call.args[0]) this.blamed.set(this.diagnostics[before - 1] as asc.DiagnosticMessage, call.args[0].range);
  }
}
