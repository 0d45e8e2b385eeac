import { createRequire } from 'node:module';
import { assemblyscript } from './assemblyscript.ts';
import { createGo, type GoGlue } from './go.ts';
import type { RealModule } from './modules.ts';
import { quickjs } from './quickjs.ts';
import { createResvg, type ResvgGlue } from './resvg.ts';
import { createSqlite, type SqliteGlue } from './sqlite.ts';
import type { Workload } from './workload.ts';

const load = createRequire(import.meta.url);

/** The program on top of a real module, each time with glue of its own. */
export function loadWorkload(name: RealModule): Workload {
  switch (name) {
    case 'assemblyscript':
      return assemblyscript;
    case 'quickjs':
      return quickjs;
    case 'resvg':
      return createResvg(fresh<ResvgGlue>('@resvg/resvg-wasm'));
    case 'sqlite':
      return createSqlite(fresh<SqliteGlue>('sql.js'));
    case 'go':
      // The glue is made for a browser's page or worker.
      Object.assign(globalThis, { self: globalThis });
      return createGo(fresh<GoGlue>('esbuild-wasm/lib/browser.js'));
  }
}

function fresh<T>(specifier: string): T {
  delete load.cache[load.resolve(specifier)];
  return load(specifier) as T;
}
