import { describe, expect, it } from 'vitest';
import { countEach } from '../test/count-each.ts';
import { wat } from '../test/wat.ts';
import { type InstrumentOptions, instrument, reserved } from './instrument.ts';
import { createMeter, type Meter } from './meter.ts';
import { type WasmGlobal, type WasmImports, wasm } from './webassembly.ts';

type Run = { result: unknown; count: number } | { trap: string };

const budget = 1_000_000_000;

function runMetered(module: Uint8Array, name: string, args: (number | bigint)[], imports?: WasmImports, fuel = budget): Run & { meter: Meter } {
  const instance = new wasm.Instance(new wasm.Module(instrument(module).module), imports);
  const meter = createMeter(instance);
  meter.start(fuel);
  try {
    const result = (instance.exports[name] as (...args: unknown[]) => unknown)(...args);
    return { result, count: meter.used(), meter };
  } catch (error) {
    return { trap: String(error), meter };
  }
}

function runOracle(module: Uint8Array, name: string, args: (number | bigint)[], imports?: WasmImports): Run {
  const instance = new wasm.Instance(new wasm.Module(countEach(module)), imports);
  try {
    const result = (instance.exports[name] as (...args: unknown[]) => unknown)(...args);
    return { result, count: Number((instance.exports.count as WasmGlobal<bigint>).value) };
  } catch (error) {
    return { trap: String(error) };
  }
}

/** Metered and oracle agree on result and count, and the plain module on the result. */
function expectSame(text: string, name: string, args: (number | bigint)[], imports?: WasmImports): number {
  const module = wat(text);
  const plain = (new wasm.Instance(new wasm.Module(module), imports).exports[name] as (...args: unknown[]) => unknown)(...args);
  const oracle = runOracle(module, name, args, imports);
  const { meter: _meter, ...metered } = runMetered(module, name, args, imports);
  expect(metered).toEqual(oracle);
  expect(metered).toMatchObject({ result: plain });
  return (metered as { count: number }).count;
}

/** A function that is not paid for by its callers. */
const waste = '(func $w (local i32) (loop (br_if 0 (i32.lt_s (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 3)))))';
const countDown = '(local.tee 0 (i32.sub (local.get 0) (i32.const 1)))';

const programs: Record<string, { text: string; name: string; args: (number | bigint)[]; imports?: WasmImports }[]> = {
  'straight code': [{ name: 'f', args: [20, 22], text: '(module (func (export "f") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))' }],
  'an empty function': [{ name: 'f', args: [], text: '(module (func (export "f")))' }],
  'both arms of an if': [0, 1].map((x) => ({
    name: 'f',
    args: [x],
    text: '(module (func (export "f") (param i32) (result i32) (if (result i32) (local.get 0) (then i32.const 1 i32.const 2 i32.add) (else i32.const 9))))',
  })),
  'an if without else': [0, 1].map((x) => ({
    name: 'f',
    args: [x],
    text: '(module (func (export "f") (param i32) (result i32) (local i32) (if (local.get 0) (then (local.set 1 (i32.const 7)) (local.set 1 (i32.add (local.get 1) (i32.const 1))))) local.get 1))',
  })),
  'a counted loop': [0, 1, 100].map((n) => ({
    name: 'f',
    args: [n],
    text: '(module (func (export "f") (param i32) (result i32) (local i32) (block (loop (br_if 1 (i32.eqz (local.get 0))) (local.set 1 (i32.add (local.get 1) (local.get 0))) (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br 0))) local.get 1))',
  })),
  'a loop that falls through': [{ name: 'f', args: [], text: '(module (func (export "f") (result i32) (loop (result i32) i32.const 4)))' }],
  'nested loops': [
    {
      name: 'f',
      args: [13],
      text: '(module (func (export "f") (param i32) (result i32) (local i32 i32) (loop $a (local.set 1 (local.get 0)) (loop $b (local.set 2 (i32.add (local.get 2) (i32.const 3))) (br_if $b (local.tee 1 (i32.sub (local.get 1) (i32.const 1))))) (br_if $a (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) local.get 2))',
    },
  ],
  recursion: [
    {
      name: 'fib',
      args: [15],
      text: '(module (func $fib (export "fib") (param i32) (result i32) (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then local.get 0) (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2))))))))',
    },
  ],
  br_table: [0, 1, 2, 3, 77].map((x) => ({
    name: 'f',
    args: [x],
    text: '(module (func (export "f") (param i32) (result i32) (block (block (block (block local.get 0 br_table 0 1 2 3) i32.const 10 return) i32.const 20 i32.const 1 i32.add return) i32.const 30 return) i32.const 40))',
  })),
  'br_table back to a loop and out of the function': [0, 1, 5].map((x) => ({
    name: 'f',
    args: [x],
    text: '(module (func (export "f") (param i32) (result i32) (local i32) (loop $l (local.set 1 (i32.add (local.get 1) (i32.const 1))) (if (i32.lt_s (local.get 1) (i32.const 9)) (then (block local.get 1 i32.const 5 i32.rem_u br_table $l 0 1) (br $l)))) local.get 1))',
  })),
  'branches to the function itself': [0, 1].map((x) => ({
    name: 'f',
    args: [x],
    text: '(module (func (export "f") (param i32) (result i32) i32.const 5 local.get 0 br_if 0 drop i32.const 6 br 0))',
  })),
  'several results': [
    {
      name: 'f',
      args: [3],
      text: '(module (func (export "f") (param i32) (result i32 i64 f64) (block (br_if 0 (local.get 0)) (return (i32.const 1) (i64.const 2) (f64.const 3))) i32.const 4 i64.const 5 f64.const 6 br 0))',
    },
  ],
  'code that cannot be reached': [
    {
      name: 'f',
      args: [],
      text: '(module (func (export "f") (result i32) i32.const 1 return (loop (br 0)) (if (i32.const 1) (then nop) (else unreachable)) i32.const 2 i32.add))',
    },
  ],
  'calls between blocks': [0, 1].map((x) => ({
    name: 'f',
    args: [x],
    text: '(module (func $g (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3))) (func $h (result i32) (loop (result i32) (i32.const 8))) (func (export "f") (param i32) (result i32) (call $g (i32.const 2)) drop (if (local.get 0) (then (drop (call $g (call $h))))) (call $g (local.get 0)) (drop (call $h)) (block (br_if 0 (call $h)) (drop (call $g (i32.const 1)))) ))',
  })),
  call_indirect: [0, 1].map((x) => ({
    name: 'f',
    args: [x],
    text: '(module (type $t (func (param i32) (result i32))) (table funcref (elem $a $b)) (func $a (param i32) (result i32) local.get 0) (func $b (param i32) (result i32) (i32.add (local.get 0) (i32.add (i32.const 1) (i32.const 2)))) (func (export "f") (param i32) (result i32) (call_indirect (type $t) (i32.const 40) (local.get 0))))',
  })),
  'calls that pass fuel on to the next at once': [
    {
      name: 'f',
      args: [10],
      text: '(module (func $g (param i32) (result i32) (if (result i32) (i32.le_s (local.get 0) (i32.const 0)) (then (i32.const 0)) (else (call $g (call $g (i32.sub (local.get 0) (i32.const 3))))))) (func (export "f") (param i32) (result i32) (call $g (call $g (local.get 0)))))',
    },
    { name: 'f', args: [4], text: `(module ${waste} (func (export "f") (param i32) (loop (call $w) (loop (call $w) (call $w) (br_if 1 ${countDown})))))` },
    {
      name: 'f',
      args: [4],
      text: `(module ${waste} (tag $t) (func (export "f") (param i32) (loop (try (do (call $w) (call $w) (throw $t)) (catch $t (call $w))) (br_if 0 ${countDown}))))`,
    },
  ],
  'the same price in many places': [-1, 0, 7, 11].map((x) => ({
    name: 'f',
    args: [x],
    text: `(module ${waste} (func (export "f") (param i32) ${Array.from({ length: 12 }, (_, i) => `(if (i32.eq (local.get 0) (i32.const ${i})) (then (if (i32.lt_s (local.get 0) (i32.const 9)) (then (call $w)))))`).join(' ')}))`,
  })),
  'tail calls': [
    {
      name: 'f',
      args: [50],
      text: '(module (func $odd (param i32) (result i32) (if (i32.eqz (local.get 0)) (then (return (i32.const 0)))) (return_call $even (i32.sub (local.get 0) (i32.const 1)))) (func $even (export "f") (param i32) (result i32) (if (i32.eqz (local.get 0)) (then (return (i32.const 1)))) (return_call $odd (i32.sub (local.get 0) (i32.const 1)))))',
    },
  ],
  'exceptions thrown and caught': [0, 1, 2, 3].map((x) => ({
    name: 'f',
    args: [x],
    text: `(module (tag $a (param i32)) (tag $b)
      (func $deep (param i32) (result i32)
        (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $a (i32.const 40))))
        (if (i32.eq (local.get 0) (i32.const 2)) (then (throw $b)))
        (i32.add (local.get 0) (i32.const 7)))
      (func $between (param i32) (result i32) (i32.mul (call $deep (local.get 0)) (i32.add (i32.const 1) (i32.const 2))))
      (func (export "f") (param i32) (result i32) (local $sum i32)
        (loop $again
          (local.set $sum (i32.add (local.get $sum)
            (try (result i32)
              (do (i32.add (call $between (local.get 0)) (i32.const 1)))
              (catch $a (i32.add (i32.const 2)))
              (catch_all (i32.const 5) (drop (i32.const 6))))))
          (br_if $again (i32.lt_s (local.get $sum) (i32.const 100))))
        local.get $sum))`,
  })),
  'exceptions thrown again and delegated': [
    {
      name: 'f',
      args: [],
      text: `(module (tag $a (param i32))
      (func $t (throw $a (i32.const 3)))
      (func $r (try $l (do (call $t)) (catch_all (drop (i32.const 1)) (rethrow $l))))
      (func (export "f") (result i32)
        (try (result i32)
          (do (try (do (call $r) (drop (i32.const 9))) (delegate 0)) (i32.const 4))
          (catch $a (i32.add (i32.const 2))))))`,
    },
  ],
  'exceptions of the host, caught': [
    {
      name: 'f',
      args: [],
      imports: {
        h: {
          h: () => {
            throw new Error('no');
          },
        },
      },
      text: '(module (import "h" "h" (func $h)) (func $g (call $h) (drop (i32.const 1))) (func (export "f") (result i32) (try (result i32) (do (call $g) (i32.const 1)) (catch_all (i32.const 2)))))',
    },
  ],
  'tail calls through a table, private and shared': ['', '(export "t" (table 0))'].map((shared) => ({
    name: 'f',
    args: [50],
    text: `(module (type $t (func (param i32) (result i32))) (table funcref (elem $odd $even)) ${shared}
      (func $odd (param i32) (result i32) (if (i32.eqz (local.get 0)) (then (return (i32.const 0)))) (return_call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1)))
      (func $even (export "f") (param i32) (result i32) (if (i32.eqz (local.get 0)) (then (return (i32.const 1)))) (return_call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))))`,
  })),
  'tail calls of the host and of what callers pay for': [0, 1].map((x) => ({
    name: 'f',
    args: [x],
    imports: { h: { h: (value: number) => value + 1 } },
    text: '(module (import "h" "h" (func $h (param i32) (result i32))) (func $leaf (param i32) (result i32) (i32.mul (local.get 0) (i32.const 5))) (func (export "f") (param i32) (result i32) (if (local.get 0) (then (return_call $h (local.get 0)))) (return_call $leaf (i32.const 4))))',
  })),
  'imported functions in a table, private and shared': ['', '(export "t" (table 0))'].map((shared) => ({
    name: 'f',
    args: [1],
    imports: { h: { h: (value: number) => value + 1 } },
    text: `(module (import "h" "h" (func $h (param i32) (result i32))) (type $t (func (param i32) (result i32))) (table funcref (elem $h)) ${shared} (func (export "f") (param i32) (result i32) (call_indirect (type $t) (local.get 0) (i32.const 0))))`,
  })),
  'functions of many parameters': [
    {
      name: 'f',
      args: [],
      text: `(module (func $g (param ${'i32 '.repeat(200)}) (result i32) (local i64) (local.set 200 (i64.const 1)) (i32.add (local.get 126) (i32.add (local.get 127) (i32.add (local.get 199) (i32.wrap_i64 (local.get 200)))))) (func $h (result i32) (loop (br_if 0 (i32.const 0))) (call $g ${Array.from({ length: 200 }, (_, i) => `(i32.const ${i})`).join(' ')})) (func (export "f") (result i32) (call $h)))`,
    },
  ],
  'bulk memory, priced by its length': [
    {
      name: 'f',
      args: [],
      text: '(module (memory 2) (data $d "abcdefghijklmnopqrstuvwxyz") (func (export "f") (result i32) (memory.fill (i32.const 0) (i32.const 7) (i32.const 70000)) (memory.copy (i32.const 9) (i32.const 100) (i32.const 1001)) (memory.init $d (i32.const 4) (i32.const 1) (i32.const 20)) (data.drop $d) (i32.load (i32.const 8))))',
    },
  ],
  'table operations, priced by their length': [
    {
      name: 'f',
      args: [],
      text: '(module (table $t 10 funcref) (elem $e funcref (ref.func $f) (ref.func $f)) (func $f (export "f") (result i32) (table.init $t $e (i32.const 1) (i32.const 0) (i32.const 2)) (table.copy $t $t (i32.const 4) (i32.const 1) (i32.const 3)) (table.fill $t (i32.const 7) (ref.null func) (i32.const 3)) (drop (table.grow $t (ref.null func) (i32.const 5))) (table.size $t)))',
    },
  ],
  'memory.grow, priced by pages': [0, 3, 60_000].map((x) => ({
    name: 'f',
    args: [x],
    text: '(module (memory 1 4) (func (export "f") (param i32) (result i32) (i32.add (memory.grow (local.get 0)) (memory.size))))',
  })),
  SIMD: [
    {
      name: 'f',
      args: [],
      text: '(module (memory 1) (func (export "f") (result i32) (v128.store (i32.const 16) (i32x4.add (v128.const i32x4 1 2 3 4) (i32x4.splat (i32.const 5)))) (i8x16.extract_lane_u 3 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (v128.load (i32.const 16)) (v128.load8_lane 2 (i32.const 16) (v128.const i64x2 0 0))))))',
    },
  ],
  'saturating and sign-extending conversions': [
    {
      name: 'f',
      args: [3e10],
      text: '(module (func (export "f") (param f64) (result i32) (i32.add (i32.trunc_sat_f64_s (local.get 0)) (i32.extend8_s (i32.const 200)))))',
    },
  ],
  'select, globals and references': [
    {
      name: 'f',
      args: [1],
      text: '(module (global $g (mut i32) (i32.const 3)) (func $f (export "f") (param i32) (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (select (result i32) (global.get $g) (i32.const 8) (ref.is_null (ref.func $f)))) (elem declare func $f))',
    },
  ],
};

describe('instrument', () => {
  for (const [what, runs] of Object.entries(programs)) {
    it(`counts ${what} as one counts by hand, and changes no result`, () => {
      for (const { text, name, args, imports } of runs) expectSame(text, name, args, imports);
    });
  }

  it('counts what the price table says: five for (20 + 22) * 2', () => {
    // local.get, local.get, i32.add, i32.const, i32.mul; `end` is free
    expect(expectSame('(module (func (export "f") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add i32.const 2 i32.mul))', 'f', [20, 22])).toBe(5);
  });

  it('reads hand-written bytes: a loop of 3 rounds costs 3 times its body', () => {
    // (func (export "f") (param i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    const body = [0x00, 0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x0b];
    const module = Uint8Array.from([
      0,
      0x61,
      0x73,
      0x6d,
      1,
      0,
      0,
      0,
      1,
      5,
      1,
      0x60,
      1,
      0x7f,
      0,
      3,
      2,
      1,
      0,
      7,
      5,
      1,
      1,
      0x66,
      0,
      0,
      10,
      body.length + 2,
      1,
      body.length,
      ...body,
    ]);
    expect(runMetered(module, 'f', [3])).toMatchObject({ count: 15 });
  });

  it('lets host functions called from the module see the count so far', () => {
    const module = wat(
      '(module (import "h" "h" (func $h)) (func (export "f") (local i32) (call $h) (loop (br_if 0 (i32.lt_s (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 3)))) (call $h)))',
    );
    const seen: number[] = [];
    const instance = new wasm.Instance(new wasm.Module(instrument(module).module), { h: { h: () => seen.push(meter.used()) } });
    const meter = createMeter(instance);
    meter.start(budget);
    (instance.exports.f as () => void)();
    expect(seen).toEqual([1, 23]);
  });

  it('takes in a change that a host function makes to the budget', () => {
    const module = wat('(module (import "h" "h" (func $h)) (func (export "f") (param i32) (call $h) (if (local.get 0) (then (call $h) nop))))');
    const instance = new wasm.Instance(new wasm.Module(instrument(module).module), { h: { h: () => meter.charge(1000) } });
    const meter = createMeter(instance);
    meter.start(budget);
    (instance.exports.f as (x: number) => void)(1);
    expect(meter.used()).toBe(2004);
  });

  const endless: Record<string, string> = {
    'an endless loop': '(module (func (export "f") (loop (br 0))))',
    'endless recursion': '(module (func $f (export "f") (call $f)))',
    'endless mutual recursion through a table':
      '(module (type $t (func)) (table funcref (elem $a $b)) (func $a (call_indirect (type $t) (i32.const 1))) (func $b (call_indirect (type $t) (i32.const 0))) (func (export "f") (call $a)))',
    'endless tail calls': '(module (func $f (export "f") (return_call $f)))',
    'a loop through br_table': '(module (func (export "f") (loop (br_table 0 0 (i32.const 1)))))',
    'a loop of bulk copies': '(module (memory 1) (func (export "f") (loop (memory.copy (i32.const 0) (i32.const 1) (i32.const 60000)) (br 0))))',
    'a loop of memory.grow': '(module (memory 1 2) (func (export "f") (loop (drop (memory.grow (i32.const 1))) (br 0))))',
    'a loop behind a trap that is caught by nobody': '(module (func $g (loop (br 0))) (func (export "f") (call $g) unreachable))',
    'a loop around an exception': '(module (tag $a) (func $t (throw $a)) (func (export "f") (loop (try (do (call $t)) (catch_all)) (br 0))))',
    'work that has no end in this life, without any cycle': `(module (func $f0 (drop (i32.const 1))) ${Array.from({ length: 60 }, (_, i) => `(func $f${i + 1} (call $f${i}) (call $f${i}))`).join(' ')} (func (export "f") (call $f60)))`,
    'endless recursion through functions with large frames': `(module (func $f (export "f") ${'(local i64 i64 i64 i64 i64 i64 i64 i64)'.repeat(100)} (call $f) (drop (i64.add (local.get 0) (local.get 799)))))`,
    'a loop that calls an empty function': '(module (func $g) (func (export "f") (loop (call $g) (br 0))))',
  };
  for (const [what, text] of Object.entries(endless)) {
    it(`stops ${what}, and the host can tell why`, () => {
      const { meter, ...run } = runMetered(wat(text), 'f', [], undefined, 100_000);
      expect(run).toEqual({ trap: 'RuntimeError: unreachable' });
      expect(meter.exhausted()).toBe(what.includes('recursion') ? 'depth' : 'instructions');
      if (meter.exhausted() === 'instructions') expect(meter.used()).toBe(100_000);
    });
  }

  it('stops at the same number every time, cold and hot', () => {
    const module = new wasm.Module(instrument(wat(endless['endless recursion'] as string)).module);
    const used = Array.from({ length: 30 }, () => {
      const instance = new wasm.Instance(module);
      const meter = createMeter(instance);
      meter.start(2_000_000);
      expect(() => (instance.exports.f as () => void)()).toThrow('unreachable');
      return meter.used();
    });
    expect(new Set(used).size).toBe(1);
  });

  it('limits nested calls by the stack they take, also when exceptions unwind it again and again', () => {
    const nested = (locals: string) =>
      `(module (tag $a) (func $f (export "f") (param i32) ${locals} (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else (throw $a))))
        (func (export "many") (param i32) (loop (try (do (call $f (i32.const 1000))) (catch_all)) (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))`;
    const deepest = (text: string): number => {
      const { exports } = new wasm.Instance(new wasm.Module(instrument(wat(text)).module));
      const meter = createMeter({ exports });
      const fits = (levels: number): boolean => {
        meter.start(budget);
        expect(() => (exports.f as (levels: number) => void)(levels)).toThrow();
        return meter.exhausted() === null;
      };
      let low = 1;
      for (let step = 1 << 15; step > 0; step >>= 1) if (fits(low + step)) low += step;
      return low;
    };
    const small = deepest(nested(''));
    expect(small).toBeGreaterThan(2000);
    expect(small / deepest(nested('(local i64)'.repeat(256)))).toBeGreaterThan(8);

    const { exports } = new wasm.Instance(new wasm.Module(instrument(wat(nested(''))).module));
    const meter = createMeter({ exports });
    meter.start(budget);
    (exports.many as (times: number) => void)(5000);
    expect(meter.exhausted()).toBeNull();
  });

  it('keeps a trap of the module a trap, with budget left', () => {
    const { meter, ...run } = runMetered(wat('(module (func (export "f") (result i32) (i32.div_u (i32.const 1) (i32.const 0))))'), 'f', []);
    expect(run).toEqual({ trap: expect.stringContaining('divide by zero') });
    expect(meter.exhausted()).toBeNull();
  });

  it('publishes the count at a loop head, so that a trap does not hide the work before it', () => {
    const module = wat('(module (func (export "f") (param i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) unreachable))');
    expect(runMetered(module, 'f', [1000]).meter.used()).toBe(5000);
  });

  it('runs nothing before the host has set a budget: a start function becomes an export', () => {
    const module = wat(
      '(module (global $g (mut i32) (i32.const 0)) (func $s (global.set $g (i32.const 5))) (start $s) (func (export "f") (result i32) global.get $g))',
    );
    const instance = new wasm.Instance(new wasm.Module(instrument(module).module));
    createMeter(instance).start(100);
    expect((instance.exports.f as () => number)()).toBe(0);
    (instance.exports[reserved.start] as () => void)();
    expect((instance.exports.f as () => number)()).toBe(5);
  });

  it('exports mutable globals, so that the host can put them back', () => {
    const { module, report } = instrument(wat('(module (global i32 (i32.const 1)) (global (mut i32) (i32.const 2)) (global (mut i64) (i64.const 3)))'));
    expect(report.mutableGlobals).toEqual([1, 2]);
    const { exports } = new wasm.Instance(new wasm.Module(module));
    expect((exports[reserved.global(1)] as WasmGlobal).value).toBe(2);
    expect((exports[reserved.global(2)] as WasmGlobal).value).toBe(3n);
  });

  it('gives a module a counter for its size of memory, which the host can turn back', () => {
    const module = wat(
      '(module (memory 1) (func (export "size") (result i32) memory.size) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))',
    );
    const { exports } = new wasm.Instance(new wasm.Module(instrument(module, { virtualMemory: true }).module));
    const [pages, maxPages] = [reserved.pages, reserved.maxPages].map((name) => exports[name] as WasmGlobal<number>) as [
      WasmGlobal<number>,
      WasmGlobal<number>,
    ];
    createMeter({ exports }).start(1e13);
    pages.value = 10;
    maxPages.value = 12;
    const grow = exports.grow as (pages: number) => number;
    const size = exports.size as () => number;
    expect([size(), grow(2), size(), grow(1), grow(-1), size()]).toEqual([10, 10, 12, -1, -1, 12]);
    pages.value = 10;
    expect(size()).toBe(10);
  });

  it('makes the same bytes of the same module', () => {
    const module = wat(programs.recursion?.[0]?.text ?? '');
    expect(instrument(module).module).toEqual(instrument(module).module);
  });

  it('caps what memory a module can grow to', () => {
    const text = (limits: string) => wat(`(module (memory ${limits}) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))`);
    const grow = (limits: string) => {
      const { exports } = new wasm.Instance(new wasm.Module(instrument(text(limits), { maxMemoryPages: 4 }).module));
      createMeter({ exports }).start(1_000_000);
      return [1, 2, 1].map(exports.grow as (pages: number) => number);
    };
    expect(grow('1')).toEqual([1, 2, -1]);
    expect(grow('1 100')).toEqual([1, 2, -1]);
    expect(grow('1 3')).toEqual([1, -1, 2]);
    expect(() => instrument(text('5'), { maxMemoryPages: 4 })).toThrow(/^offset 0x[0-9a-f]+: the memory starts with 5 pages of 64 KiB, and may have 4$/);
  });

  it('lets a module import from a list only, with the right type', () => {
    const allowedImports = [{ module: 'vrsky', name: 'now', params: [], results: ['f64'] }] as const;
    expect(() => instrument(wat('(module (import "vrsky" "now" (func (result f64))))'), { allowedImports })).not.toThrow();
    const wrong = {
      '(import "vrsky" "now" (func (result f32)))': /the import vrsky\.now is \(\) → \(f64\), and is imported as \(\) → \(f32\)$/,
      '(import "wasi" "fd_write" (func))': /^offset 0x[0-9a-f]+: the import wasi\.fd_write is not one of the functions there are: vrsky\.now$/,
      '(import "vrsky" "now" (global i32))': /is a function, and is imported as something else/,
      '(import "env" "memory" (memory 1))': /env\.memory is not one/,
    };
    for (const [text, message] of Object.entries(wrong)) expect(() => instrument(wat(`(module ${text})`), { allowedImports })).toThrow(message);
  });

  const refused: Record<string, [string | Uint8Array, RegExp]> = {
    'what is no module': [Uint8Array.from([1, 2, 3]), /not a valid WebAssembly module/],
    'a module that is not valid': [Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 99, 0]), /not a valid/],
    'a reserved export name': ['(module (func (export "vrsky:fuel")))', /"vrsky:fuel" is reserved/],
    'atomic instructions': ['(module (memory 1 1) (func nop) (func (drop (i32.atomic.load (i32.const 0)))))', /^function 1, offset 0x[0-9a-f]+: threads/],
    'shared memory': ['(module (memory 1 1 shared))', /^offset 0x[0-9a-f]+: shared/],
    // (func try_table end)
    'exceptions of the second proposal': [
      Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 8, 1, 6, 0, 0x1f, 0x40, 0, 0x0b, 0x0b]),
      /not a valid|^function 0, offset 0x[0-9a-f]+: exceptions of the second proposal/,
    ],
    'too many parameters': [`(module (func (param ${'i32 '.repeat(995)})))`, /at most 990 parameters; type 0 has 995/],
    'too many operands': [
      `(module (func ${'(i32.const 1)'.repeat(10_100)} ${'drop '.repeat(10_100)}))`,
      /^function 0, offset 0x[0-9a-f]+: .*10000 operands at a time, not 10100/,
    ],
    'a memory of 64 bits': [Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 3, 1, 4, 1]), /not a valid|64-bit/],
    'types of garbage-collected objects': [Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 3, 1, 0x5f, 0]), /^offset 0x[0-9a-f]+: types of garbage/],
    'too many locals': [`(module (func (local ${'i32 '.repeat(49_500)})))`, /^function 0, offset 0x[0-9a-f]+: .*49000 locals, not 49500/],
  };
  for (const [what, [input, message]] of Object.entries(refused)) {
    it(`refuses ${what} and says where and why`, () => {
      expect(() => instrument(typeof input === 'string' ? wat(input) : input)).toThrow(message);
    });
  }

  it('shows a NaN that an operation made with the same bits on every processor, at the same count, and leaves loaded ones alone', () => {
    const run = (body: string, options: InstrumentOptions = { canonicalNan: true }): unknown[] => {
      const module = wat(
        `(module (memory 1) (data (i32.const 64) "\\01\\00\\00\\00\\00\\00\\f4\\ff") (func (export "f") (param f64 f32) (result i64) ${body}))`,
      );
      const { exports } = new wasm.Instance(new wasm.Module(instrument(module, options).module));
      const meter = createMeter({ exports });
      meter.start(budget);
      return [BigInt.asUintN(64, (exports.f as (a: number, b: number) => bigint)(0, 0)).toString(16), meter.used()];
    };
    const wide = '(f64.div (local.get 0) (local.get 0))';
    const narrow = '(f32.div (local.get 1) (local.get 1))';
    const bodies: Record<string, [string, string]> = {
      reinterpret: [`(i64.reinterpret_f64 ${wide})`, '7ff8000000000000'],
      'reinterpret f32': [`(i64.extend_i32_u (i32.reinterpret_f32 ${narrow}))`, '7fc00000'],
      store: [`(f64.store (i32.const 0) (f64.neg ${wide})) (i64.load (i32.const 0))`, '7ff8000000000000'],
      'store f32': [`(f32.store (i32.const 0) ${narrow}) (i64.load32_u (i32.const 0))`, '7fc00000'],
      copysign: [`(i64.reinterpret_f64 (f64.copysign (f64.const 1) (f64.neg ${wide})))`, '3ff0000000000000'],
      'a vector': [`(i64x2.extract_lane 1 (f32x4.sqrt (f32x4.splat (f32.sub (local.get 1) (f32.const 4)))))`, '7fc000007fc00000'],
      'a vector of f64': [`(i64x2.extract_lane 0 (f64x2.div (f64x2.splat (local.get 0)) (f64x2.splat (local.get 0))))`, '7ff8000000000000'],
      'a lane': [`(i64x2.extract_lane 1 (f64x2.replace_lane 1 (v128.const i64x2 0 0) (f64.neg ${wide})))`, '7ff8000000000000'],
      'a loaded one': ['(f64.store (i32.const 0) (f64.load (i32.const 64))) (i64.load (i32.const 0))', 'fff4000000000001'],
      'a number': ['(i64.reinterpret_f64 (f64.add (local.get 0) (f64.const 1.5)))', '3ff8000000000000'],
    };
    for (const [what, [body, bits]] of Object.entries(bodies)) {
      const [shown, count] = run(body);
      expect(shown, what).toBe(bits);
      expect(run(body, {})[1], what).toBe(count);
    }
  });

  it('refuses a start function where there may be none', () => {
    const module = wat('(module (func $s) (start $s))');
    expect(() => instrument(module, { refuseStart: true })).toThrow(/^function 0, offset 0x[0-9a-f]+: a start function is not supported/);
  });

  it('refuses relaxed SIMD, whose result depends on the processor', () => {
    // (func (result v128) v128.const 0 ×2, i8x16.relaxed_swizzle)
    const zero = [0xfd, 0x0c, ...new Array(16).fill(0)];
    const body = [0, ...zero, ...zero, 0xfd, 0x80, 0x02, 0x0b];
    const module = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0, 10, body.length + 2, 1, body.length, ...body]);
    expect(() => instrument(module)).toThrow(/^function 0, offset 0x[0-9a-f]+: relaxed SIMD/);
  });
});
