import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { instrument } from '@vrsky/metering/instrument';
import { type WasmModule, wasm } from '@vrsky/metering/webassembly';

let bytes: Promise<Uint8Array> | undefined;
let module: Promise<WasmModule> | undefined;

/** QuickJS as metered WebAssembly: instrumented once a process (some 0.2 s); trusted, since it is no customer's. A browser gets these bytes, so that it counts what a node counts. */
export function meteredEngine(): Promise<Uint8Array> {
  bytes ??= readFile(createRequire(import.meta.url).resolve('@jitl/quickjs-wasmfile-release-sync/wasm')).then(
    (engine) => instrument(engine, { virtualMemory: true, trusted: true }).module,
  );
  return bytes;
}

/** The engine compiled, once a process. Any thread of it can make instances. */
export function loadEngine(): Promise<WasmModule> {
  module ??= meteredEngine().then((metered) => wasm.compile(metered));
  return module;
}
