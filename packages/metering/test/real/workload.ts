import type { WasmInstance, WasmModule } from '../../src/webassembly.ts';

/** A real program: it is started on a module, metered or not, and says in text what comes of its work, so that two runs can be compared. */
export interface Workload {
  start(module: WasmModule): Promise<Running>;
}

export interface Running {
  instance: WasmInstance;
  /** Its work, once more. */
  run(): string | Promise<string>;
}

/** A short text that differs when one of the bytes does. */
export function digest(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return `${bytes.length} bytes, ${hash.toString(16)}`;
}
