import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const find = createRequire(import.meta.url).resolve;
const read = (specifier: string): Uint8Array => new Uint8Array(readFileSync(find(specifier)));

/** Their bytes, as npm has them. */
export const realModules = {
  assemblyscript: compileSample,
  quickjs: async () => read('@jitl/quickjs-wasmfile-release-sync/wasm'),
  resvg: async () => read('@resvg/resvg-wasm/index_bg.wasm'),
  sqlite: async () => read('sql.js/dist/sql-wasm.wasm'),
  go: async () => new Uint8Array(readFileSync(join(dirname(find('esbuild-wasm/package.json')), 'esbuild.wasm'))),
};

export type RealModule = keyof typeof realModules;

async function compileSample(): Promise<Uint8Array> {
  const source = readFileSync(join(dirname(fileURLToPath(import.meta.url)), 'sample.as'), 'utf8');
  let made: Uint8Array | undefined;
  const { error, stderr } = await asc.main(['sample.ts', '--outFile', 'sample.wasm', '-O3', '--runtime', 'minimal', '--exportRuntime'], {
    readFile: (name: string) => (name === 'sample.ts' ? source : null),
    writeFile: (_name: string, contents: string | Uint8Array) => {
      made = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error || !made) throw new Error(`the sample does not compile: ${stderr.toString()}`, { cause: error });
  return new Uint8Array(made);
}
