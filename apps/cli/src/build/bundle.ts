import { builtinModules } from 'node:module';
import path from 'node:path';
import { type BuildFailure, type Message as BuildMessage, build } from 'esbuild';
import { npmNames } from './npm-names.ts';
import { type Locate, locateIn, type Place } from './place.ts';

const builtins = new Set(builtinModules);

export type BundleResult = { ok: true; source: string; map: string; locate: Locate } | { ok: false; problems: Place[] };

/**
 * Puts a step's file and everything it imports, npm libraries too, into one module whose only import is the SDK: the source of a
 * pipeline's step. The same files give the same bytes, wherever the project lies.
 */
export async function bundle(entry: string, projectDir: string): Promise<BundleResult> {
  try {
    const result = await build({
      entryPoints: [entry],
      absWorkingDir: projectDir,
      outfile: path.join(projectDir, 'dist', 'step.js'),
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'neutral',
      target: 'es2023',
      mainFields: ['module', 'main'],
      conditions: ['module', 'default'],
      external: ['@vrsky/sdk'],
      plugins: [npmNames],
      define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
      // The libraries in it were checked by their authors, and the author's own files before.
      banner: { js: '// @ts-nocheck' },
      charset: 'utf8',
      legalComments: 'none',
      sourcemap: 'external',
      sourcesContent: false,
      logLevel: 'silent',
      tsconfigRaw: { compilerOptions: { target: 'es2023', verbatimModuleSyntax: false } },
    });
    const outputs = Object.fromEntries(result.outputFiles.map((file) => [path.extname(file.path), file.text]));
    const source = outputs['.js'] as string;
    const map = outputs['.map'] as string;
    return { ok: true, source, map, locate: locateIn(map, path.join(projectDir, 'dist')) };
  } catch (error) {
    if (!isBuildFailure(error)) throw error;
    return { ok: false, problems: error.errors.map((message) => toPlace(message, entry, projectDir)) };
  }
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && Array.isArray((error as Partial<BuildFailure>).errors);
}

function toPlace({ text, location }: BuildMessage, entry: string, projectDir: string): Place {
  const unresolved = /^Could not resolve "(?:node:)?([^"]+)"/.exec(text)?.[1];
  const message = unresolved === undefined ? text : unresolvedSentence(unresolved);
  if (!location) return { file: entry, line: 1, column: 1, message };
  // esbuild counts bytes of UTF-8; editors count UTF-16.
  const before = new TextEncoder().encode(location.lineText).subarray(0, location.column);
  return { file: path.resolve(projectDir, location.file), line: location.line, column: new TextDecoder().decode(before).length + 1, message };
}

function unresolvedSentence(name: string): string {
  if (builtins.has(name.split('/')[0] as string)) return `A step has no "${name}": it runs without files, network and processes`;
  return name.startsWith('.') || name.startsWith('/') ? `There is no file "${name}"` : `"${name}" is not installed: npm install ${name}`;
}
