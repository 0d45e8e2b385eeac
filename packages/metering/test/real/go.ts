import { withInstance } from './with-instance.ts';
import type { Workload } from './workload.ts';

/** `esbuild-wasm/lib/browser.js`. */
export interface GoGlue {
  initialize(options: { wasmModule: unknown; worker: boolean }): Promise<void>;
  transform(source: string, options: object): Promise<{ code: string }>;
}

const source = Array.from(
  { length: 120 },
  (_, i) =>
    `export class Part${i} { constructor(private readonly size: number, public name = \`part \${${i}}\`) {} area(): number { return this.size ** 2 * ${i} } }\n`,
).join('');

/** Go: a compiler. The glue keeps one instance, so that another start needs another copy of the glue. */
export const createGo = (glue: GoGlue): Workload => ({
  async start(module) {
    const instance = await withInstance(() => glue.initialize({ wasmModule: module, worker: false }));
    return { instance, run: async () => (await glue.transform(source, { loader: 'ts', minify: true, target: 'es2020' })).code };
  },
});
