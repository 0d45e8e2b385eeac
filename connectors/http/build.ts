import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import pkg from './package.json' with { type: 'json' };

const outfile = join(import.meta.dirname, 'dist', 'http-connector');

await build({
  entryPoints: [join(import.meta.dirname, 'src', 'main.ts')],
  outfile,
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
await chmod(outfile, 0o755);
