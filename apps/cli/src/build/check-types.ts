import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fitSource, misfit, missingGlobals, stepModule } from '@vrsky/logic/step-language';
import ts from 'typescript';
import { CliError } from '../cli-error.ts';
import { shown } from '../project.ts';
import type { Place } from './place.ts';

/**
 * Type-checks the author's own files, those that `entry` reaches, as the engine will have them: the language's library, the SDK and
 * nothing of Node or a browser. The rest is as the project's tsconfig.json says.
 */
export function checkTypes(entry: string, kind: 'convert' | 'filter', projectDir: string): Place[] {
  const { types, globals } = findSdk(projectDir);
  const options: ts.CompilerOptions = {
    allowJs: true,
    esModuleInterop: true,
    ...(readConfig(projectDir) ?? asInThePage),
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    moduleDetection: ts.ModuleDetectionKind.Force,
    lib: ['lib.es2023.d.ts'],
    types: [],
    resolveJsonModule: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    noEmit: true,
    composite: false,
    incremental: false,
    declaration: false,
  };
  const host = ts.createCompilerHost(options);
  const fitFile = path.join(path.dirname(entry), `${path.basename(entry).replace(/\.\w+$/, '')}.vrsky-fit.ts`);
  const { getSourceFile, fileExists, readFile } = host;
  const fit = fitSource(kind, `./${path.basename(entry)}`);
  host.getSourceFile = (file, languageVersion, ...rest) =>
    path.resolve(file) === fitFile ? ts.createSourceFile(file, fit, languageVersion) : getSourceFile.call(host, file, languageVersion, ...rest);
  host.fileExists = (file) => path.resolve(file) === fitFile || fileExists.call(host, file);
  host.readFile = (file) => (path.resolve(file) === fitFile ? fit : readFile.call(host, file));
  const cache = ts.createModuleResolutionCache(projectDir, (file) => file, options);
  host.resolveModuleNameLiterals = (literals, containing) =>
    literals.map(({ text }) => {
      // A file outside of a project has the SDK that came with this program.
      if (text === stepModule) return { resolvedModule: { resolvedFileName: types, extension: extensionOf(types), isExternalLibraryImport: true } };
      return ts.resolveModuleName(text, containing, options, host, cache);
    });

  const program = ts.createProgram({ rootNames: [entry, fitFile, globals], options, host });
  const own = program
    .getSourceFiles()
    .filter((file) => !file.isDeclarationFile && !program.isSourceFileFromExternalLibrary(file) && path.resolve(file.fileName) !== fitFile);
  const syntax = own.flatMap((file) => program.getSyntacticDiagnostics(file));
  if (syntax.length > 0) return syntax.map(toPlace);
  const problems = own.flatMap((file) => [
    ...program.getSemanticDiagnostics(file).map(toPlace),
    ...missingGlobals(file, program).map((problem) => ({ file: file.fileName, ...problem })),
  ]);
  if (problems.length > 0) return problems;
  const step = program.getSourceFile(entry);
  const fitted = program.getSourceFile(fitFile);
  if (step === undefined || fitted === undefined) throw new Error(`bug: ${entry} is not part of its own program`);
  return program.getSemanticDiagnostics(fitted).map((diagnostic) => ({ file: entry, ...misfit(diagnostic, step, kind) }));
}

/** The console's step editor is strict, and lets plain JavaScript be a step too. */
const asInThePage: ts.CompilerOptions = { strict: true, noImplicitAny: false };

/** What the project's tsconfig.json says about checking; how it resolves and emits is not its choice. Null without one. */
function readConfig(projectDir: string): ts.CompilerOptions | null {
  const file = path.join(projectDir, 'tsconfig.json');
  if (!existsSync(file)) return null;
  const { config, error } = ts.readConfigFile(file, ts.sys.readFile);
  if (error !== undefined) throw new CliError('usage', `${shown(file)}: ${ts.flattenDiagnosticMessageText(error.messageText, ' ')}`);
  // Its files do not matter: what the entry imports is checked.
  const { options } = ts.parseJsonConfigFileContent({ ...config, files: [], include: [] }, ts.sys, projectDir);
  const { paths, baseUrl: _baseUrl, rootDir: _rootDir, ...rest } = options;
  return { ...rest, ...(paths === undefined ? {} : { paths }) };
}

/** The SDK of the project, or ours: its types, and what a step finds without importing it. */
function findSdk(projectDir: string): { types: string; globals: string } {
  for (const from of [path.join(projectDir, 'package.json'), import.meta.url]) {
    let file: string;
    try {
      file = createRequire(from).resolve(stepModule);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') continue;
      throw error;
    }
    const declared = file.replace(/\.js$/, '.d.ts');
    return { types: existsSync(declared) ? declared : file, globals: path.join(path.dirname(file), '..', 'step', 'globals.d.ts') };
  }
  throw new Error(`bug: ${stepModule} is not installed beside vrsky`);
}

function extensionOf(file: string): ts.Extension {
  return file.endsWith('.d.ts') ? ts.Extension.Dts : ts.Extension.Ts;
}

function toPlace({ file, start = 0, messageText }: ts.Diagnostic): Place {
  const { line, character } = file?.getLineAndCharacterOfPosition(start) ?? { line: 0, character: 0 };
  return { file: file?.fileName ?? '', line: line + 1, column: character + 1, message: ts.flattenDiagnosticMessageText(messageText, ' ') };
}
