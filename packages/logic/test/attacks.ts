import type { LogicCode, LogicStep } from '../src/types.ts';
import { testStep } from './make.ts';
import { runModule, wasmStep } from './wat.ts';

/** A step that attacks, except on the payload `good`, which it returns as it is. */
export interface Attack {
  name: string;
  step: LogicStep;
  payload: string;
  /** What comes of it; `ok` when it harms nobody. */
  ends: LogicCode | 'ok';
  /** What it must cost at least, for work that could be hidden. */
  costs?: number;
}

export const goodPayload = 'good';

const exhausted = 'instructions_exhausted';

/** Names with the same sum of 31 times the letters before: pairs of "Aa" and "BB". */
function collidingName(number: number): string {
  return Array.from({ length: 14 }, (_, bit) => (number & (1 << bit) ? 'Aa' : 'BB')).join('');
}

/** In TypeScript's tier. */
const bodies: [name: string, body: string, ends: Attack['ends'], payload?: string][] = [
  ['an endless loop', 'for (;;);', exhausted],
  ['an endless loop in catch and finally', 'for (;;) { try { for (;;); } catch { continue } finally { continue } }', exhausted],
  ['catching what stops it, and a result in finally', 'try { for (;;); } catch { return "caught" } finally { return "in finally" }', exhausted],
  ['an endless chain of promises', 'const f = () => Promise.resolve().then(f); return f()', exhausted],
  ['a thenable that is its own result', 'return { then(ok) { ok(this) } }', 'ok'],
  [
    'an endless generator',
    'function* g() { for (;;) yield 1 } return [...{ [Symbol.iterator]: () => ({ next: () => ({ done: false }) }) }, ...g()].length',
    exhausted,
  ],
  ['a catastrophic regular expression', 'return /^(a+)+$/.test("a".repeat(40) + "!")', exhausted],
  ['squaring a BigInt', 'let a = 3n; for (;;) a *= a', exhausted],
  ['a sort that never agrees', 'return Array.from({ length: 1e5 }, (_, i) => i).sort(() => 1).length', exhausted],
  ['a sort at random', 'return Array.from({ length: 1e5 }, (_, i) => i).sort(() => Math.random() - 0.5).length', exhausted],
  ['an array that grows', 'const a = []; for (;;) a.push(new Uint8Array(65536))', 'memory_exhausted'],
  ['an array of four billion', 'return new Array(2 ** 32 - 1).fill(0)', exhausted],
  ['a text that doubles', 'let s = "x"; for (;;) { s = s + s; s.charCodeAt(s.length - 1) }', 'memory_exhausted'],
  ['a text that replaces itself', 'return "a".repeat(1e4).replace(/a/g, "b".repeat(1e4))', exhausted],
  ['one huge allocation', 'return new Uint8Array(1e9)', 'memory_exhausted'],
  ['memory that is caught and asked for again', 'for (;;) { try { const a = []; for (;;) a.push(new Uint8Array(65536)) } catch {} }', exhausted],
  ['an output of 100 MB', 'return "x".repeat(1e8)', 'memory_exhausted'],
  ['an output of 1.2 MB', 'let s = "x"; while (s.length < 1.2e6) s += s; return s', 'output_too_large'],
  ['bytes of 5 MB', 'return new Uint8Array(5e6)', 'output_too_large'],
  ['recursion without end', 'const f = () => f() + 1; return f()', 'stack_exhausted'],
  ['recursion through JSON', 'return { toJSON() { return JSON.stringify(this) } }', 'bad_output'],
  ['a getter that asks itself', 'return { get a() { return this.a } }', 'bad_output'],
  ['a result that loops when it is written', 'return { toJSON() { for (;;); } }', exhausted],
  ['an error that loops when it is read', 'throw { get message() { for (;;); } }', exhausted],
  [
    'a proxy of itself',
    'const p = new Proxy({}, { ownKeys: () => ["a"], getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: 1 }), get: () => p }); return p',
    'bad_output',
  ],
  ['100,000 opening brackets', 'return message.json()', 'stack_exhausted', '['.repeat(100_000)],
  ['a flood of logs', 'for (;;) console.log("x".repeat(100))', exhausted],
  ['a payload that is read as JSON again and again', 'for (;;) message.json()', exhausted, JSON.stringify({ a: 'x'.repeat(1_000) })],
  ['a payload of empty arrays', 'for (;;) message.json()', exhausted, `[${'[],'.repeat(20_000)}[]]`],
  [
    'a payload of names that are hard to tell apart',
    'for (;;) message.json()',
    exhausted,
    `{${Array.from({ length: 9_000 }, (_, i) => `"${collidingName(i)}":0`).join()}}`,
  ],
  ['a result that is 2 to the power of 60 long', 'let v = [1]; for (let i = 0; i < 60; i++) v = [v, v]; return v', exhausted],
  [
    'a result that shows little of what it holds, again and again',
    'const o = {}; for (let i = 0; i < 4000; i++) o["k" + i] = undefined; let v = [o]; for (let i = 0; i < 60; i++) v = [v, v]; return v',
    exhausted,
  ],
  ['a result with a text of eight million', 'return ["x".repeat(8e6)]', exhausted],
  ['a result with a million control characters', 'return ["\\u0001".repeat(1e6)]', exhausted],
  [
    'a result of a million empty arrays',
    'const v = []; const a = new Array(300).fill([]); for (let i = 0; i < 300; i++) v.push(a); return [v, v, v, v, v]',
    exhausted,
  ],
  ['a payload that is read again and again', 'for (;;) message.bytes()', exhausted, 'x'.repeat(1_000)],
  [
    'polluted prototypes',
    'Object.prototype.toJSON = () => "mine"; Array.prototype.push = () => { throw 1 }; String.prototype.toUpperCase = null; return { a: [1] }',
    'ok',
  ],
  [
    'built-ins and globals of the SDK redefined',
    'JSON.stringify = () => "mine"; globalThis.console = null; Object.defineProperty(globalThis, "Error", { get() { for (;;); } }); Promise.prototype.then = 1; Math.random = () => 2; return { a: 1 }',
    'ok',
  ],
  [
    'functions of the message replaced',
    'try { message.text = () => "mine" } catch {} try { Object.defineProperty(Object.getPrototypeOf(message), "json", { value: 1 }) } catch {} try { ctx.filter = null } catch {} return "x"',
    'ok',
  ],
  [
    'typed arrays out of range',
    'const a = new Uint8Array(8); for (const i of [-1, 8, 1e9, 2 ** 31, 2 ** 32]) { a[i] = 255; try { new DataView(a.buffer).setFloat64(i, 1) } catch {} try { new Float64Array(a.buffer, i) } catch {} try { a.set([1], i) } catch {} } return [a[-1] ?? "none", a[1e9] ?? "none", ...a]',
    'ok',
  ],
  [
    'a buffer that is taken away while it is used',
    'const b = message.bytes().buffer; const a = new Uint8Array(b); try { b.transfer() } catch {} a[0] = 1; try { a.fill(1) } catch {} try { a.sort(() => 1) } catch {} return a.length',
    'ok',
    'xxxxxxxxxxxxxxxx',
  ],
  [
    'a buffer that shrinks while it is sorted and filled',
    'const b = new ArrayBuffer(4096, { maxByteLength: 65536 }); const a = new Uint8Array(b); a.sort(() => { b.resize(0); return 1 }); b.resize(65536); a.fill({ valueOf() { b.resize(8); return 7 } }); return a.length',
    'ok',
  ],
  [
    'an array that is emptied while it is sorted, copied and written',
    'const a = Array.from({ length: 100 }, (_, i) => i); a.sort(() => { a.length = 0; return 1 }); a.push({ toJSON() { a.length = 0; return 1 } }, 2); a.concat({ get length() { a.length = 1; return 3 }, [Symbol.isConcatSpreadable]: true }); return a.length',
    'ok',
  ],
  [
    'species and primitives that lie',
    'class L extends Array { static get [Symbol.species]() { return function () { return new Proxy([], { defineProperty: () => true }) } } } const l = L.from([3, 2, 1]); l.map((x) => x); l.splice(0, { [Symbol.toPrimitive]() { l.length = 0; return 3 } }); return [..."ab"].slice({ valueOf: () => -1 })',
    'ok',
  ],
];

/** In raw WebAssembly. */
const modules: [name: string, body: string, ends: Attack['ends'], more?: { before?: string; pages?: string; payload?: string; costs?: number }][] = [
  ['an endless loop', '(loop $l (br $l)) unreachable', exhausted],
  [
    'a loop of br_table',
    '(loop $l (block $b (br_table $l $l $b (i32.and (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1))))) (i32.const 0)',
    exhausted,
  ],
  [
    'a loop of call_indirect',
    '(loop $l (local.set $i (call_indirect (type $t) (i32.and (local.get $i) (i32.const 1)))) (br $l)) unreachable',
    exhausted,
    {
      before:
        '(type $t (func (result i32))) (table 2 funcref) (elem (i32.const 0) $f $g) (func $f (result i32) i32.const 1) (func $g (result i32) i32.const 0)',
    },
  ],
  ['a loop of tail calls', '(call $f)', exhausted, { before: '(func $f (result i32) (return_call $f))' }],
  ['a loop of exceptions', '(loop $l (try (do (throw $e)) (catch_all)) (br $l)) unreachable', exhausted, { before: '(tag $e)' }],
  ['catching what stops it', '(loop $l (try (do (loop $m (br $m))) (catch_all)) (br $l)) unreachable', exhausted],
  ['catching that it gave up', '(loop $l (try (do (call $abort (i32.const 0) (i32.const 0))) (catch_all)) (br $l)) unreachable', exhausted],
  [
    'a loop before a trap',
    '(loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000000)))) unreachable',
    'trapped',
    { costs: 5_000_000 },
  ],
  [
    'a loop before a division by zero in a callee',
    '(i32.div_u (call $f) (local.get $i))',
    'trapped',
    {
      before:
        '(func $f (result i32) (local $n i32) (loop $l (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000000)))) (local.get $n))',
      costs: 5_000_000,
    },
  ],
  [
    'recursion without end',
    '(call $f (i32.const 0))',
    'stack_exhausted',
    { before: '(func $f (param i32) (result i32) (i32.add (call $f (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))' },
  ],
  [
    'recursion through a table',
    '(call $f (i32.const 0))',
    'stack_exhausted',
    {
      before:
        '(type $t (func (param i32) (result i32))) (table 1 funcref) (elem (i32.const 0) $f) (func $f (type $t) (i32.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (i32.const 1)))',
    },
  ],
  [
    'recursion with large frames',
    '(call $f (i32.const 0))',
    'stack_exhausted',
    {
      before: `(func $f (param i32) (result i32) (local ${'i64 '.repeat(500)}) (local.set 9 (i64.extend_i32_u (local.get 0))) (i32.add (call $f (i32.add (local.get 0) (i32.const 1))) (i32.wrap_i64 (local.get 9))))`,
    },
  ],
  ['memory.grow in a loop', '(loop $l (drop (memory.grow (i32.const 1))) (br $l)) unreachable', exhausted],
  [
    'memory that is grown and touched',
    '(loop $l (if (i32.ge_s (local.tee $i (memory.grow (i32.const 1))) (i32.const 0)) (then (memory.fill (i32.shl (local.get $i) (i32.const 16)) (i32.const 255) (i32.const 65536)))) (br $l)) unreachable',
    exhausted,
  ],
  ['memory.copy in a loop', '(loop $l (memory.copy (i32.const 0) (i32.const 4000000) (i32.const 4000000)) (br $l)) unreachable', exhausted, { pages: '128' }],
  ['memory.fill in a loop', '(loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 8388608)) (br $l)) unreachable', exhausted, { pages: '128' }],
  [
    'table.fill and table.copy in a loop',
    '(loop $l (table.fill $t (i32.const 0) (ref.null func) (i32.const 10000)) (table.copy $t $t (i32.const 0) (i32.const 5000) (i32.const 5000)) (br $l)) unreachable',
    exhausted,
    { before: '(table $t 10000 funcref)' },
  ],
  ['an output of 16 MiB', '(call $output (i32.const 0) (i32.const 16777216)) (i32.const 1)', 'output_too_large', { pages: '256' }],
  ['outputs without end', '(loop $l (call $output (i32.const 0) (i32.const 1000000)) (br $l)) unreachable', exhausted, { pages: '16' }],
  ['a flood of logs', '(loop $l (call $log (i32.const 0) (i32.const 100)) (br $l)) unreachable', exhausted],
  ['a flood of long logs', '(loop $l (call $log (i32.const 0) (i32.const 1000000)) (br $l)) unreachable', exhausted, { pages: '16' }],
  [
    'a payload and fields that are read again and again',
    '(loop $l (call $input_read (i32.const 0)) (call $field_read (i32.const 5) (i32.const 0)) (drop (call $random)) (br $l)) unreachable',
    exhausted,
    { payload: 'x'.repeat(10_000) },
  ],
  [
    'a guest that overwrites all of its memory',
    '(memory.fill (i32.const 0) (i32.const 255) (i32.shl (memory.size) (i32.const 16))) (i32.const 0)',
    'ok',
    { before: '(data (i32.const 0) "what it needs")' },
  ],
  ['wild pointers', '(i32.store (i32.const -2) (i32.const 1)) unreachable', 'trapped'],
];

const scripts: Attack[] = bodies.map(([name, body, ends, payload = '{}']) => ({
  name: `TypeScript: ${name}`,
  step: testStep('convert', `if (message.text() === "${goodPayload}") return message.text(); ${body}`),
  payload,
  ends,
}));

const good =
  '(if (i32.eq (call $input_size) (i32.const 4)) (then (call $input_read (i32.const 0)) (call $output (i32.const 0) (i32.const 4)) (return (i32.const 1))))';

const wasm: Attack[] = modules.map(([name, body, ends, { payload = '{}', before, pages, costs } = {}]) => ({
  name: `WebAssembly: ${name}`,
  step: wasmStep('convert', runModule(good + body, { ...(before && { before }), ...(pages && { pages }) })),
  payload,
  ends,
  ...(costs && { costs }),
}));

export const attacks: Attack[] = [...scripts, ...wasm];
