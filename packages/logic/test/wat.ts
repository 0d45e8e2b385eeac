import { createHash } from 'node:crypto';
import { wat } from '@vrsky/metering/test/wat';
import type { LogicStep } from '../src/types.ts';
import { prepareModule } from '../src/wasm-module.ts';
import { createWasmSandbox, type WasmSandbox } from '../src/wasm-sandbox.ts';

export { wat };

/** Every function of the ABI, and a memory of `pages`. */
export function abiModule(parts: string, pages = '1'): Uint8Array {
  return wat(`(module
    (import "vrsky" "input_size" (func $input_size (result i32)))
    (import "vrsky" "input_read" (func $input_read (param i32)))
    (import "vrsky" "field_size" (func $field_size (param i32) (result i32)))
    (import "vrsky" "field_read" (func $field_read (param i32 i32)))
    (import "vrsky" "now" (func $now (result f64)))
    (import "vrsky" "random" (func $random (result f64)))
    (import "vrsky" "log" (func $log (param i32 i32)))
    (import "vrsky" "output" (func $output (param i32 i32)))
    (import "vrsky" "content_type" (func $content_type (param i32 i32)))
    (import "vrsky" "reason" (func $reason (param i32 i32)))
    (import "vrsky" "route" (func $route (param i32 i32)))
    (import "vrsky" "abort" (func $abort (param i32 i32)))
    (memory (export "memory") ${pages})
    ${parts})`);
}

/** A module whose run function has this body; it must leave an i32. */
export function runModule(body: string, { before = '', pages = '1' } = {}): Uint8Array {
  return abiModule(`${before} (func (export "vrsky_run_v1") (result i32) (local $i i32) (local $j i32) ${body})`, pages);
}

export function wasmSandbox(module: Uint8Array): WasmSandbox {
  return createWasmSandbox(prepareModule(module, 16 * 1_048_576));
}

export function wasmStep(kind: 'convert' | 'filter', module: Uint8Array): LogicStep {
  const code = Buffer.from(module).toString('base64');
  return { stepId: kind, kind, format: 'wasm', code, sha256: createHash('sha256').update(code).digest('hex') };
}
