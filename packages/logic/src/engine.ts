import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { instrument } from '@vrsky/metering/instrument';
import { type WasmModule, wasm } from '@vrsky/metering/webassembly';

/** Any thread of the process can make instances of it. */
export interface EngineModule {
  module: WasmModule;
}

let loading: Promise<EngineModule> | undefined;

/** QuickJS as metered WebAssembly: instrumented and compiled once a process (some 0.2 s). */
export function loadEngine(): Promise<EngineModule> {
  loading ??= readFile(createRequire(import.meta.url).resolve('@jitl/quickjs-wasmfile-release-sync/wasm')).then(async (bytes) => {
    const metered = instrument(bytes, { virtualMemory: true });
    return { module: await wasm.compile(metered.module) };
  });
  return loading;
}
