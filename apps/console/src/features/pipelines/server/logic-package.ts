import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

interface Modules {
  engine: typeof import('@vrsky/logic/engine');
  pool: typeof import('@vrsky/logic/pool');
  'step-types': typeof import('@vrsky/logic/step-types');
}

/**
 * A module of @vrsky/logic that reads files beside it: the engine, the types of the SDK, its worker. A bundler would move the code away
 * from them, so Node itself loads it, looked up from the directory the process was started in, or above.
 */
export async function importLogic<N extends keyof Modules>(name: N): Promise<Modules[N]> {
  const file = createRequire(path.join(process.cwd(), 'package.json')).resolve(['@vrsky', 'logic', name].join('/'));
  return import(/* turbopackIgnore: true */ /* @vite-ignore */ pathToFileURL(file).href);
}
