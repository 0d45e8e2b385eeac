import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * Where the source of a worker thread lies. Beside this file in plain Node; but a bundler (Next.js) moves this code into its own
 * output, away from the worker, so that the package must be looked up from the directory the process was started in, or above.
 */
export function workerFile(name: 'worker' | 'compile-worker' | 'prepare-worker'): URL {
  const own = fileURLToPath(import.meta.url);
  // Built from parts, so that no bundler takes it for a dependency and moves the file without what it imports. The command line's
  // package has both as JavaScript, beside each other too.
  const beside = own.replace(/[^/\\]+$/, `${name}${extname(own)}`);
  if (existsSync(beside)) return pathToFileURL(beside);
  const specifier = ['@vrsky', 'logic', name].join('/');
  return pathToFileURL(createRequire(join(process.cwd(), 'package.json')).resolve(specifier));
}
