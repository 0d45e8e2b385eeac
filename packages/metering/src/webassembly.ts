/**
 * The part of the WebAssembly JavaScript API that we use. It is in neither the ECMAScript library nor Node's types, and the
 * DOM library's would give code that runs in Node a `window`.
 */
export interface WasmModule {
  readonly __wasmModule: never;
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

export interface WasmGlobal<T extends number | bigint = number | bigint> {
  value: T;
}

export type WasmExport = ((...args: never[]) => unknown) | WasmGlobal | WasmMemory | object;

export interface WasmInstance {
  readonly exports: Readonly<Record<string, WasmExport>>;
}

export type WasmImports = Record<string, Record<string, unknown>>;

interface WasmApi {
  validate(bytes: Uint8Array): boolean;
  compile(bytes: Uint8Array): Promise<WasmModule>;
  Module: (new (
    bytes: Uint8Array,
  ) => WasmModule) & {
    imports(module: WasmModule): { module: string; name: string; kind: string }[];
    exports(module: WasmModule): { name: string; kind: string }[];
  };
  Instance: new (module: WasmModule, imports?: WasmImports) => WasmInstance;
  Memory: new (options: { initial: number; maximum?: number }) => WasmMemory;
  Global: new (type: { value: string; mutable?: boolean }, value: number | bigint) => WasmGlobal;
  Tag: new (type: { parameters: string[] }) => object;
  JSTag: object;
  Table: new (options: { element: string; initial: number }) => object;
  RuntimeError: new (message?: string) => Error;
}

export const wasm: WasmApi = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;
