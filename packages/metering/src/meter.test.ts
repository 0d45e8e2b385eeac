import { describe, expect, it } from 'vitest';
import { wat } from '../test/wat.ts';
import { instrument } from './instrument.ts';
import { createMeter } from './meter.ts';
import { hostCallPrice } from './price-table.ts';
import { type WasmImports, wasm } from './webassembly.ts';

function metered(text: string, imports?: WasmImports) {
  const instance = new wasm.Instance(new wasm.Module(instrument(wat(text)).module), imports);
  return { call: instance.exports.f as (...args: unknown[]) => unknown, meter: createMeter(instance) };
}

const loop = '(module (func (export "f") (param i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))';

function attempt(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    expect(String(error)).toContain('unreachable');
  }
}

describe('createMeter', () => {
  it('counts from start, again and again', () => {
    const { call, meter } = metered(loop);
    for (const rounds of [3, 1, 1000]) {
      meter.start(1_000_000);
      call(rounds);
      expect([meter.used(), meter.exhausted()]).toEqual([5 * rounds, null]);
    }
  });

  it('lets a call use its budget to the last instruction, and says that one instruction more was too much', () => {
    const { call, meter } = metered(loop);
    meter.start(5000);
    call(1000);
    expect([meter.used(), meter.exhausted()]).toEqual([5000, null]);
    for (const budget of [4999, 4000, 1]) {
      meter.start(budget);
      // What remains after the last check may still run.
      attempt(() => call(1000));
      expect([meter.used(), meter.exhausted()]).toEqual([budget, 'instructions']);
    }
  });

  it('tells a trap of the module from the end of the budget', () => {
    const { call, meter } = metered('(module (func (export "f") (result i32) (i32.div_u (i32.const 1) (i32.const 0))))');
    meter.start(100);
    expect(call).toThrow('divide by zero');
    expect(meter.exhausted()).toBeNull();
  });

  it('lets a host function see what was used up to its call, and charge for itself', () => {
    const seen: number[] = [];
    const { call, meter } = metered('(module (import "h" "h" (func $h)) (func (export "f") (call $h) (block (br_if 0 (i32.const 0)) (call $h))))', {
      h: {
        h: () => {
          seen.push(meter.used());
          meter.charge(hostCallPrice(80));
        },
      },
    });
    meter.start(1000);
    call();
    expect(seen).toEqual([3, 114]);
    expect(meter.used()).toBe(224);
  });

  it('stops a module whose host functions charged more than there was', () => {
    const { call, meter } = metered('(module (import "h" "h" (func $h)) (func (export "f") (loop (call $h) (br 0))))', { h: { h: () => meter.charge(1000) } });
    meter.start(5000);
    expect(call).toThrow('unreachable');
    expect([meter.used(), meter.exhausted()]).toEqual([5000, 'instructions']);
  });

  it('stays exhausted however much a host charges', () => {
    const { meter } = metered(loop);
    meter.start(1000);
    for (let i = 0; i < 50; i++) meter.charge(1e300);
    expect([meter.used(), meter.exhausted()]).toEqual([1000, 'instructions']);
  });

  it('cuts an endless budget down to one it can hold', () => {
    const { call, meter } = metered(loop);
    meter.start(Number.MAX_VALUE);
    call(10);
    expect(meter.used()).toBe(50);
  });

  it('has no use for a module that does not count', () => {
    expect(() => createMeter(new wasm.Instance(new wasm.Module(wat('(module)'))))).toThrow(/not instrumented/);
  });
});
