import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * `prisma generate` without a download. The client needs no engine (driver adapter), but the command line insists on a schema
 * engine for every command; generating never calls it, so any executable will do. Never use this for `prisma migrate` or `prisma db`:
 * they would print nothing and exit 0.
 */
const packageDir = dirname(import.meta.dirname);
const cli = join(dirname(createRequire(import.meta.url).resolve('prisma/package.json')), 'build', 'index.js');
const result = spawnSync(process.execPath, [cli, 'generate'], {
  cwd: packageDir,
  encoding: 'utf8',
  timeout: 120_000,
  env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1', PRISMA_HIDE_UPDATE_MESSAGE: '1' },
});
if (result.status !== 0) {
  console.error(result.error?.message ?? `${result.stdout}${result.stderr}`);
  process.exitCode = 1;
}
