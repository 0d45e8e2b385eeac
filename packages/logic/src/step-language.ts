import ts from 'typescript';
import type { CodeProblem } from './compile.ts';
import { isUnchecked, toProblem } from './compile-script.ts';

/** What the language service reads: TypeScript's libraries by file name, and the SDK's two files. */
export interface StepTypes {
  libs: Record<string, string>;
  sdk: string;
  globals: string;
}

/** TypeScript for a step, with the types of its SDK, in Node and in a browser. Warm after the first call: libraries are parsed once. */
export interface StepLanguage {
  check(kind: 'convert' | 'filter', source: string): CodeProblem[];
  /** What can be written at an offset (UTF-16 units), and from which offset on it replaces the text. Null when there is nothing to offer. */
  completions(source: string, offset: number): Completions | null;
  /** Signature and documentation of one of `completions`. */
  describe(source: string, offset: number, name: string): SymbolHelp | null;
  hover(source: string, offset: number): (SymbolHelp & { from: number; to: number }) | null;
}

export interface Completions {
  from: number;
  items: { name: string; kind: string; insertText: string; sortText: string }[];
}

export interface SymbolHelp {
  signature: string;
  documentation: string;
}

/** The only module a step can import. */
export const stepModule = '@vrsky/sdk';

const stepFile = '/step.ts';
const fitFile = '/fit.ts';
const sdkFile = '/sdk.ts';
const globalsFile = '/globals.d.ts';
const libDirectory = '/lib/';
const notInEngine = new Set(['Intl', 'Atomics', 'SharedArrayBuffer']);
const completionsMax = 500;

export function createStepLanguage({ libs, sdk, globals }: StepTypes): StepLanguage {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    moduleDetection: ts.ModuleDetectionKind.Force,
    lib: ['lib.es2023.d.ts'],
    types: [],
    strict: true,
    // Plain JavaScript is a step too.
    noImplicitAny: false,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
  };

  let version = 0;
  let source = '';
  let kind: 'convert' | 'filter' = 'convert';
  const fixed = new Map<string, ts.IScriptSnapshot>([
    [sdkFile, ts.ScriptSnapshot.fromString(sdk)],
    [globalsFile, ts.ScriptSnapshot.fromString(globals)],
    ...Object.entries(libs).map(([name, text]) => [libDirectory + name, ts.ScriptSnapshot.fromString(text)] as const),
  ]);
  const snapshotOf = (file: string): ts.IScriptSnapshot | undefined => {
    const text = file === stepFile ? source : file === fitFile ? fitSource(kind) : undefined;
    return text === undefined ? fixed.get(file) : ts.ScriptSnapshot.fromString(text);
  };
  const read = (file: string): string | undefined => {
    const snapshot = snapshotOf(file);
    return snapshot?.getText(0, snapshot.getLength());
  };
  const update = (next: string): void => {
    if (next === source) return;
    version++;
    source = next;
  };

  const host: ts.LanguageServiceHost = {
    getCompilationSettings: () => options,
    getScriptFileNames: () => [stepFile, fitFile, globalsFile],
    getScriptVersion: (file) => (file === stepFile ? String(version) : file === fitFile ? kind : '1'),
    getScriptSnapshot: snapshotOf,
    getCurrentDirectory: () => '/',
    getDefaultLibFileName: () => `${libDirectory}lib.es2023.d.ts`,
    fileExists: (file) => snapshotOf(file) !== undefined,
    readFile: read,
    resolveModuleNameLiterals: (literals, containing) =>
      literals.map(({ text }) => {
        const resolvedFileName = text === stepModule ? sdkFile : containing === fitFile && text === './step.ts' ? stepFile : undefined;
        return {
          resolvedModule: resolvedFileName === undefined ? undefined : { resolvedFileName, extension: ts.Extension.Ts, isExternalLibraryImport: false },
        };
      }),
  };
  const service = ts.createLanguageService(host);

  return {
    check(nextKind, nextSource) {
      kind = nextKind;
      update(nextSource);
      // A module bundled from JavaScript: its author's own tools checked it.
      if (isUnchecked(source)) return [];
      const syntax = service.getSyntacticDiagnostics(stepFile);
      if (syntax.length > 0) return syntax.map(toProblem);
      const program = service.getProgram();
      const file = program?.getSourceFile(stepFile);
      if (!program || !file) throw new Error('bug: the step is not part of its own program');
      const refused = [...strangeImports(file), ...topLevelAwaits(file)];
      if (refused.length > 0) return refused;
      const problems = [...service.getSemanticDiagnostics(stepFile).map(toProblem), ...missingGlobals(file, program)];
      // A step with wrong types inside rarely fits; saying so twice helps nobody.
      return problems.length > 0 ? problems : service.getSemanticDiagnostics(fitFile).map((diagnostic) => misfit(diagnostic, file, nextKind));
    },

    completions(nextSource, offset) {
      update(nextSource);
      const found = service.getCompletionsAtPosition(stepFile, offset, { includeCompletionsWithInsertText: true });
      if (!found) return null;
      const span = found.optionalReplacementSpan;
      return {
        from: span?.start ?? offset - (/[\w$]*$/.exec(source.slice(0, offset))?.[0].length ?? 0),
        items: found.entries
          .filter(({ name }) => !notInEngine.has(name))
          .slice(0, completionsMax)
          .map(({ name, kind: symbolKind, insertText, sortText }) => ({ name, kind: symbolKind, insertText: insertText ?? name, sortText })),
      };
    },

    describe(nextSource, offset, name) {
      update(nextSource);
      const details = service.getCompletionEntryDetails(stepFile, offset, name, undefined, undefined, undefined, undefined);
      return details ? { signature: ts.displayPartsToString(details.displayParts), documentation: ts.displayPartsToString(details.documentation) } : null;
    },

    hover(nextSource, offset) {
      update(nextSource);
      const info = service.getQuickInfoAtPosition(stepFile, offset);
      if (!info) return null;
      return {
        from: info.textSpan.start,
        to: info.textSpan.start + info.textSpan.length,
        signature: ts.displayPartsToString(info.displayParts),
        documentation: ts.displayPartsToString(info.documentation),
      };
    },
  };
}

/** A module that has a type error if, and only if, the step does not have the shape of its kind. */
export function fitSource(kind: 'convert' | 'filter', step = './step.ts'): string {
  const type = kind === 'convert' ? 'ConvertStep' : 'FilterStep';
  return `import type { ${type} } from '${stepModule}';\nimport step from '${step}';\nexport const fit: ${type} = step;\n`;
}

/** The default export has the wrong shape, or there is none. */
export function misfit(diagnostic: ts.Diagnostic, step: ts.SourceFile, kind: 'convert' | 'filter'): CodeProblem {
  const exported = step.statements.find(
    (statement) =>
      ts.isExportAssignment(statement) ||
      (ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some((modifier) => modifier.kind === ts.SyntaxKind.DefaultKeyword)),
  );
  if (!exported)
    return {
      ...firstCharacter,
      severity: 'error',
      message: 'The code needs a function as its default export: export default defineConvert((msg, ctx) => …)',
    };
  let detail = diagnostic.messageText;
  while (typeof detail !== 'string') detail = detail.next?.[0] ?? detail.messageText;
  const wanted =
    kind === 'convert'
      ? 'A convert step returns the new message: text, bytes or a value for JSON.'
      : 'A filter returns true to keep the message, or false, a text with the reason or ctx.filter(reason) to drop it.';
  const start = exported.getStart(step);
  const lineEnd = step.text.indexOf('\n', start);
  return { ...range(step, start, Math.min(exported.end, lineEnd < 0 ? exported.end : lineEnd)), severity: 'error', message: `${wanted} ${detail}` };
}

function strangeImports(file: ts.SourceFile): CodeProblem[] {
  const problems: CodeProblem[] = [];
  const look = (specifier: ts.Node): void => {
    if (ts.isStringLiteralLike(specifier) && specifier.text === stepModule) return;
    const name = ts.isStringLiteralLike(specifier) ? JSON.stringify(specifier.text) : 'a module by a computed name';
    problems.push({
      ...range(file, specifier.getStart(file), specifier.end),
      severity: 'error',
      message: `A step can import only ${JSON.stringify(stepModule)}, not ${name}. Put the code it needs into the step itself, or bundle it with the vrsky CLI.`,
    });
  };
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) look(node.moduleSpecifier);
    else if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference)) look(node.moduleReference.expression);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) look(node.argument.literal);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword && node.arguments[0]) look(node.arguments[0]);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return problems;
}

function topLevelAwaits(file: ts.SourceFile): CodeProblem[] {
  const problems: CodeProblem[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) || ts.isPropertyDeclaration(node) || ts.isClassStaticBlockDeclaration(node)) return;
    if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier)) {
      const from = node.getStart(file);
      problems.push({ ...range(file, from, from + 5), severity: 'error', message: 'A step cannot wait at its top level: use await inside of its function' });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return problems;
}

/** Parts of the language's library that TypeScript knows and the engine does not have. */
export function missingGlobals(file: ts.SourceFile, program: ts.Program): CodeProblem[] {
  const checker = program.getTypeChecker();
  const problems: CodeProblem[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && notInEngine.has(node.text)) {
      const declarations = checker.getSymbolAtLocation(node)?.declarations ?? [];
      if (declarations.length > 0 && declarations.every((declaration) => program.isSourceFileDefaultLibrary(declaration.getSourceFile()))) {
        problems.push({ ...range(file, node.getStart(file), node.end), severity: 'error', message: `${node.text} is not available in a step` });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return problems;
}

const firstCharacter = { line: 1, column: 1, endLine: 1, endColumn: 1 };

function range(file: ts.SourceFile, start: number, end: number): Pick<CodeProblem, 'line' | 'column' | 'endLine' | 'endColumn'> {
  const from = file.getLineAndCharacterOfPosition(start);
  const to = file.getLineAndCharacterOfPosition(end);
  return { line: from.line + 1, column: from.character + 1, endLine: to.line + 1, endColumn: to.character + 1 };
}
