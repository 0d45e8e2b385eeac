import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type BuildFailure, type Message as BuildMessage, build } from 'esbuild';
import type { CodeProblem } from './compile.ts';
import { stepModule } from './type-check.ts';

/** One script for the engine: its value is the step's exports, its last line the source map. The same source gives the same bytes. */
export async function bundleStep(source: string): Promise<{ ok: true; code: string; sha256: string } | { ok: false; problems: CodeProblem[] }> {
  const sdk = await readFile(createRequire(import.meta.url).resolve(stepModule), 'utf8');
  try {
    const result = await build({
      stdin: { contents: source, loader: 'ts', sourcefile: 'step.ts' },
      bundle: true,
      write: false,
      platform: 'neutral',
      target: 'es2023',
      charset: 'utf8',
      format: 'iife',
      globalName: 'step',
      banner: { js: '(() => {' },
      footer: { js: 'return step;\n})()' },
      legalComments: 'none',
      sourcemap: 'inline',
      sourcesContent: false,
      logLevel: 'silent',
      tsconfigRaw: { compilerOptions: { target: 'es2023', verbatimModuleSyntax: false } },
      plugins: [
        {
          name: 'step',
          setup(on) {
            // A name of its own for the SDK: its path would put this machine's folders into the source map.
            on.onResolve({ filter: /.*/ }, ({ path, kind }) =>
              kind === 'entry-point' ? null : path === stepModule ? { path, namespace: 'sdk' } : { errors: [{ text: `A step can import only ${stepModule}` }] },
            );
            on.onLoad({ filter: /.*/, namespace: 'sdk' }, () => ({ contents: sdk, loader: 'ts' }));
          },
        },
      ],
    });
    const code = (result.outputFiles[0] as { text: string }).text;
    return { ok: true, code, sha256: createHash('sha256').update(code).digest('hex') };
  } catch (error) {
    if (!isBuildFailure(error)) throw error;
    return { ok: false, problems: error.errors.map(toProblem) };
  }
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && Array.isArray((error as Partial<BuildFailure>).errors);
}

function toProblem({ text, location }: BuildMessage): CodeProblem {
  const message = text.startsWith('Top-level await') ? 'A step cannot wait at its top level: use await inside of its function' : text;
  if (!location) return { line: 1, column: 1, endLine: 1, endColumn: 1, severity: 'error', message };
  // esbuild counts bytes of UTF-8; editors count UTF-16.
  const bytes = new TextEncoder().encode(location.lineText);
  const column = new TextDecoder().decode(bytes.subarray(0, location.column)).length + 1;
  const length = new TextDecoder().decode(bytes.subarray(location.column, location.column + location.length)).length;
  return { line: location.line, column, endLine: location.line, endColumn: column + length, severity: 'error', message };
}
