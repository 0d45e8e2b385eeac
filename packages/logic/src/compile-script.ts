import ts from 'typescript';
import type { CodeProblem } from './compile.ts';

export type ScriptResult = { ok: true; code: string } | { ok: false; problems: CodeProblem[] };

/**
 * One script for the engine from a step's TypeScript: its value is a function of `require` that gives the step's exports, its last line
 * the source map. The same source gives the same bytes, in Node and in a browser. Types are not checked here.
 */
export function compileScript(source: string): ScriptResult {
  const { outputText, sourceMapText, diagnostics } = ts.transpileModule(source, {
    // A module that was bundled from JavaScript is read as such: the two languages read `f(a < b, c > (d))` differently.
    fileName: isUnchecked(source) ? 'step.js' : 'step.ts',
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.CommonJS,
      newLine: ts.NewLineKind.LineFeed,
      allowJs: true,
      esModuleInterop: true,
      removeComments: true,
      sourceMap: true,
    },
  });
  const problems = (diagnostics ?? []).flatMap((diagnostic) => (diagnostic.category === ts.DiagnosticCategory.Error ? toProblem(diagnostic) : []));
  if (problems.length > 0) return { ok: false, problems };
  const body = outputText.replace(/^\/\/# sourceMappingURL=.*$/m, '');
  const { mappings, sources } = JSON.parse(sourceMapText as string) as { mappings: string; sources: string[] };
  // One line more at the top than TypeScript knows of.
  const map = JSON.stringify({ version: 3, sources, names: [], mappings: `;${mappings}` });
  const code = `(require) => { const exports = {}; (function (exports, require) {\n${body}\n})(exports, require); return exports; }\n//# sourceMappingURL=data:application/json;base64,${btoa(map)}\n`;
  return { ok: true, code };
}

/** Whether a step's source says that its types are not to be checked, as a bundle of libraries does. */
export function isUnchecked(source: string): boolean {
  return /^\/\/ *@ts-nocheck\b/.test(source);
}

/** Where TypeScript saw a problem, and which. */
export function toProblem({ file, start = 0, length = 0, category, messageText }: ts.Diagnostic): CodeProblem {
  const from = file?.getLineAndCharacterOfPosition(start) ?? { line: 0, character: 0 };
  const to = file?.getLineAndCharacterOfPosition(start + length) ?? from;
  return {
    line: from.line + 1,
    column: from.character + 1,
    endLine: to.line + 1,
    endColumn: to.character + 1,
    severity: category === ts.DiagnosticCategory.Error ? 'error' : 'warning',
    message: ts.flattenDiagnosticMessageText(messageText, ' '),
  };
}
