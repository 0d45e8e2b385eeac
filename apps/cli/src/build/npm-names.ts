import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Loader, Plugin } from 'esbuild';

/**
 * Calls the files of npm packages `npm:<name>@<version>/<file>` in a bundle, not by where they lie on this machine: where that is
 * depends on how npm laid out its folders, and the same sources shall give the same bytes.
 */
export const npmNames: Plugin = {
  name: 'npm-names',
  setup(build) {
    build.onResolve({ filter: /.*/ }, async ({ path: specifier, pluginData, kind, importer, resolveDir, with: attributes }) => {
      if (kind === 'entry-point' || (pluginData as Found | undefined)?.isResolving) return null;
      const found = await build.resolve(specifier, { kind, importer, resolveDir, with: attributes, pluginData: { isResolving: true } });
      if (found.errors.length > 0 || found.external || found.namespace !== 'file') return found;
      const name = npmName(found.path);
      return name === null ? found : { path: name, namespace, pluginData: { file: found.path }, sideEffects: found.sideEffects };
    });
    build.onLoad({ filter: /.*/, namespace }, async ({ pluginData }) => {
      const { file } = pluginData as { file: string };
      return { contents: await readFile(file), resolveDir: path.dirname(file), loader: loaders[path.extname(file)] ?? 'text' };
    });
  },
};

const namespace = 'npm';

interface Found {
  isResolving?: boolean;
}

const loaders: Record<string, Loader> = { '.js': 'js', '.mjs': 'js', '.cjs': 'js', '.ts': 'ts', '.mts': 'ts', '.cts': 'ts', '.json': 'json' };

/** Null for a file that is in no package of npm. */
function npmName(file: string): string | null {
  const parts = file.split(path.sep);
  const at = parts.lastIndexOf('node_modules');
  if (at < 0) return null;
  const end = at + (parts[at + 1]?.startsWith('@') ? 3 : 2);
  return `${parts.slice(at + 1, end).join('/')}@${versionIn(parts.slice(0, end).join(path.sep))}/${parts.slice(end).join('/')}`;
}

function versionIn(folder: string): string {
  const manifest = path.join(folder, 'package.json');
  return existsSync(manifest) ? String((JSON.parse(readFileSync(manifest, 'utf8')) as { version?: unknown }).version) : '0';
}
