import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import type { CodeProblem } from './compile.ts';

/** Checks a step's code with the types of its SDK. Warm after the first call: the language and the SDK are parsed once. */
export interface TypeChecker {
  check(kind: 'convert' | 'filter', source: string): CodeProblem[];
}

/** The only module a step can import. */
export const stepModule = '@vrsky/sdk/logic';

const stepFile = '/step.ts';
const fitFile = '/fit.ts';
const notInEngine = new Set(['Intl', 'Atomics', 'SharedArrayBuffer']);

export function createTypeChecker(): TypeChecker {
  const sdkFile = createRequire(import.meta.url).resolve(stepModule);
  const globalsFile = join(dirname(sdkFile), '../step/globals.d.ts');
  const libDirectory = dirname(createRequire(import.meta.url).resolve('typescript'));
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
  const disk = new Map<string, ts.IScriptSnapshot | undefined>();
  const fromDisk = (file: string): ts.IScriptSnapshot | undefined => {
    if (!disk.has(file)) {
      const text = ts.sys.readFile(file);
      disk.set(file, text === undefined ? undefined : ts.ScriptSnapshot.fromString(text));
    }
    return disk.get(file);
  };
  const virtual = (file: string): string | undefined => (file === stepFile ? source : file === fitFile ? fitSource(kind) : undefined);

  const host: ts.LanguageServiceHost = {
    getCompilationSettings: () => options,
    getScriptFileNames: () => [stepFile, fitFile, globalsFile],
    getScriptVersion: (file) => (file === stepFile || file === fitFile ? String(version) : '1'),
    getScriptSnapshot: (file) => {
      const text = virtual(file);
      return text === undefined ? fromDisk(file) : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => '/',
    getDefaultLibFileName: () => join(libDirectory, 'lib.es2023.d.ts'),
    fileExists: (file) => virtual(file) !== undefined || fromDisk(file) !== undefined,
    readFile: (file) => virtual(file) ?? readFileSync(file, 'utf8'),
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
      version++;
      kind = nextKind;
      source = nextSource;
      const syntax = service.getSyntacticDiagnostics(stepFile);
      if (syntax.length > 0) return syntax.map(toProblem);
      const program = service.getProgram();
      const file = program?.getSourceFile(stepFile);
      if (!program || !file) throw new Error('bug: the step is not part of its own program');
      const imports = strangeImports(file);
      if (imports.length > 0) return imports;
      const problems = [...service.getSemanticDiagnostics(stepFile).map(toProblem), ...missingGlobals(file, program)];
      // A step with wrong types inside rarely fits; saying so twice helps nobody.
      return problems.length > 0 ? problems : service.getSemanticDiagnostics(fitFile).map((diagnostic) => misfit(diagnostic, file, nextKind));
    },
  };
}

function fitSource(kind: 'convert' | 'filter'): string {
  const type = kind === 'convert' ? 'ConvertStep' : 'FilterStep';
  return `import type { ${type} } from '${stepModule}';\nimport step from './step.ts';\nexport const fit: ${type} = step;\n`;
}

function toProblem(diagnostic: ts.Diagnostic): CodeProblem {
  const file = diagnostic.file;
  const start = diagnostic.start ?? 0;
  return {
    ...(file ? range(file, start, start + (diagnostic.length ?? 0)) : firstCharacter),
    severity: diagnostic.category === ts.DiagnosticCategory.Error ? 'error' : 'warning',
    message: ts.flattenDiagnosticMessageText(diagnostic.messageText, ' '),
  };
}

/** The default export has the wrong shape, or there is none. */
function misfit(diagnostic: ts.Diagnostic, step: ts.SourceFile, kind: 'convert' | 'filter'): CodeProblem {
  const exported = step.statements.find(
    (statement) =>
      ts.isExportAssignment(statement) ||
      (ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some((modifier) => modifier.kind === ts.SyntaxKind.DefaultKeyword)),
  );
  if (!exported)
    return {
      ...firstCharacter,
      severity: 'error',
      message: 'The code needs a function as its default export: export default function (message: Message) { … }',
    };
  let detail = diagnostic.messageText;
  while (typeof detail !== 'string') detail = detail.next?.[0] ?? detail.messageText;
  const wanted =
    kind === 'convert'
      ? 'A convert step returns the new message: text, bytes or a value for JSON.'
      : 'A filter returns true to keep the message, or false or a text with the reason to drop it.';
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
      message: `A step can import only ${JSON.stringify(stepModule)}, not ${name}. Put the code it needs into the step itself.`,
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

/** Parts of the language's library that TypeScript knows and the engine does not have. */
function missingGlobals(file: ts.SourceFile, program: ts.Program): CodeProblem[] {
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
