import path from 'node:path';
import ts from 'typescript';
import { root } from './run.ts';

// `node tools/types.ts <workspace>…` checks what `tsc -p` checks in each workspace, in one process: a file that several of them import
// is read and parsed once.

const texts: ts.FormatDiagnosticsHost = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => root, getNewLine: () => '\n' };
const parsed = new Map<string, ts.SourceFile | undefined>();

function problemsOf(workspace: string): readonly ts.Diagnostic[] {
  const problems: ts.Diagnostic[] = [];
  const config = ts.getParsedCommandLineOfConfigFile(
    path.join(root, workspace, 'tsconfig.json'),
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (problem) => problems.push(problem) },
  );
  if (config === undefined) return problems;
  const program = ts.createProgram({ rootNames: config.fileNames, options: config.options, host: sharingHost(config.options) });
  return [...problems, ...config.errors, ...ts.getPreEmitDiagnostics(program)];
}

/** Gives programs of the same options the same parsed files, as an editor does. */
function sharingHost(options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const { configFilePath: _, ...same } = options;
  const kind = JSON.stringify(same);
  const parse = host.getSourceFile;
  host.getSourceFile = (name, language, ...rest) => {
    const key = `${kind} ${JSON.stringify(language)} ${name}`;
    if (!parsed.has(key)) parsed.set(key, parse(name, language, ...rest));
    return parsed.get(key);
  };
  return host;
}

for (const workspace of process.argv.slice(2)) {
  const problems = problemsOf(workspace);
  if (problems.length === 0) continue;
  process.exitCode = 1;
  process.stdout.write(`${workspace}:\n${ts.formatDiagnostics(problems, texts)}\n`);
}
