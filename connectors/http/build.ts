import { mkdir, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';
import pkg from './package.json' with { type: 'json' };

/** One file that runs by itself, with Node as its only need: what a node launches and a release is hashed over. */
const outfile = join(import.meta.dirname, 'dist', 'http-connector');

const { outputFiles } = await build({
  entryPoints: [join(import.meta.dirname, 'src', 'main.ts')],
  outfile,
  write: false,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  define: { CONNECTOR_VERSION: JSON.stringify(pkg.version) },
  banner: {
    // Libraries that are CommonJS call `require` for Node's own modules.
    js: "#!/usr/bin/env node\nimport { createRequire as $createRequire } from 'node:module';\nconst require = $createRequire(import.meta.url);",
  },
  legalComments: 'external',
  logLevel: 'warning',
});
await mkdir(dirname(outfile), { recursive: true });
for (const { path, contents } of outputFiles) {
  // Renamed into place: a node that starts the connector meanwhile gets the old file or the new one, never half of one.
  const fresh = join(dirname(path), `.${basename(path)}.${process.pid}`);
  await writeFile(fresh, contents, { mode: path === outfile ? 0o755 : 0o644 });
  await rename(fresh, path);
}
