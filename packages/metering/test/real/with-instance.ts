import { type WasmImports, type WasmInstance, type WasmModule, wasm } from '../../src/webassembly.ts';
import { begin } from './begin.ts';

/** The instance that glue code makes while it starts: it has a budget before anything runs in it. */
export async function withInstance(start: () => Promise<unknown>): Promise<WasmInstance> {
  const api = wasm as unknown as { instantiate: unknown };
  const original = api.instantiate;
  let made: WasmInstance | undefined;
  api.instantiate = async (module: WasmModule, imports: WasmImports) => {
    const instance = new wasm.Instance(module, imports);
    begin(instance);
    made = instance;
    return instance;
  };
  try {
    await start();
  } finally {
    api.instantiate = original;
  }
  if (!made) throw new Error('no instance was made');
  return made;
}
