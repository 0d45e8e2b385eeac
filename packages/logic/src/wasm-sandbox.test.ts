import { describe, expect, it } from 'vitest';
import { shown, testInput, testLimits } from '../test/make.ts';
import { abiModule, runModule, wasmSandbox, wat } from '../test/wat.ts';
import type { SandboxInput, SandboxLimits } from './sandbox.ts';

function run(
  module: Uint8Array,
  payload = '{}',
  { kind = 'convert' as 'convert' | 'filter', input = {} as Partial<SandboxInput>, limits = {} as Partial<SandboxLimits> } = {},
) {
  return wasmSandbox(module).run(kind, testInput(payload, input), { ...testLimits, ...limits });
}

/** Writes `size` bytes that a function of the ABI gives to the output. */
const echo = '(call $output (i32.const 0) (local.get $i)) (i32.const 1)';
const text = (at: number, value: string): string => `(data (i32.const ${at}) "${value}")`;

describe('a module reads', () => {
  it('the payload', () => {
    const module = runModule(`(local.set $i (call $input_size)) (call $input_read (i32.const 0)) ${echo}`);
    expect(shown(run(module, 'hellö'))).toEqual({ outcome: 'made', payload: 'hellö', contentType: undefined });
    expect(shown(run(module, ''))).toMatchObject({ outcome: 'made', payload: '' });
  });

  it('every field of the message', () => {
    const input = {
      headersJson: JSON.stringify([
        ['X-A', 'ü'],
        ['x-a', ''],
      ]),
    };
    const field = (which: number) =>
      shown(
        run(runModule(`(local.set $i (call $field_size (i32.const ${which}))) (call $field_read (i32.const ${which}) (i32.const 0)) ${echo}`), '', { input }),
      ).payload;
    expect([0, 1, 2, 3, 4, 5].map(field)).toEqual(['msg_1', 'cus_1', '0af7651916cd43dd8448eb211c80319c', 'application/json', 'pip_1', 'X-A\0ü\0x-a\0\0']);
  });

  it('the time of receipt, and random numbers that follow from the message', () => {
    const module = runModule(
      '(f64.store (i32.const 0) (call $now)) (f64.store (i32.const 8) (call $random)) (f64.store (i32.const 16) (call $random)) (call $output (i32.const 0) (i32.const 24)) (i32.const 1)',
    );
    const numbers = (id: string): number[] => {
      const made = run(module, '', { input: { id } });
      if (made.outcome !== 'made') throw new Error(made.outcome);
      return [...new Float64Array(made.payload.slice().buffer)];
    };
    const [now, first, second] = numbers('a');
    expect(now).toBe(Date.UTC(2026, 0, 2, 3, 4, 5));
    expect([first !== second, (first as number) >= 0, (first as number) < 1]).toEqual([true, true, true]);
    expect(numbers('a')).toEqual([now, first, second]);
    expect(numbers('b')[1]).not.toBe(first);
  });

  it('nothing else: an import that is not of the ABI is refused', () => {
    const importing = (what: string) => () =>
      wasmSandbox(wat(`(module ${what} (memory (export "memory") 1) (func (export "vrsky_run_v1") (result i32) i32.const 0))`));
    expect(importing('(import "env" "fetch" (func))')).toThrow(/The module cannot be used: .*env\.fetch/);
    expect(importing('(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))')).toThrow(/fd_write/);
    expect(importing('(import "vrsky" "now" (func (result i64)))')).toThrow(/vrsky\.now is .*f64.*i64/);
    expect(importing('(import "vrsky" "input_size" (global i32))')).toThrow(/input_size/);
  });
});

describe('a module says', () => {
  it('what comes of the message', () => {
    expect(shown(run(runModule('(i32.const 0)')))).toEqual({ outcome: 'kept' });
    const reasons = text(8, 'not paid') + text(32, 'unpaid');
    const filtered = '(call $reason (i32.const 8) (i32.const 8)) (call $route (i32.const 32) (i32.const 6)) (i32.const 2)';
    expect(shown(run(runModule(filtered, { before: reasons })))).toEqual({ outcome: 'dropped', reason: 'not paid', route: 'unpaid' });
    expect(shown(run(runModule('(call $reason (i32.const 8) (i32.const 8)) (i32.const 3)', { before: reasons })))).toMatchObject({
      outcome: 'threw',
      reason: 'not paid',
    });
    const typed = '(call $output (i32.const 8) (i32.const 3)) (call $content_type (i32.const 32) (i32.const 6)) (i32.const 1)';
    expect(shown(run(runModule(typed, { before: reasons })))).toEqual({ outcome: 'made', payload: 'not', contentType: 'unpaid' });
  });

  it('lines for the log, up to the limits', () => {
    const line = text(0, 'a line of the log');
    const module = runModule(
      '(loop $next (call $log (i32.const 0) (i32.const 17)) (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 60)))) (i32.const 0)',
      { before: line },
    );
    const { logs } = run(module);
    expect([logs.length, logs[0], logs[50]]).toEqual([51, 'a line of the log', '… what follows is not kept']);
    expect(run(module, '', { limits: { logLines: 2 } }).logs).toHaveLength(3);
  });

  it('and is told what is wrong with it', () => {
    const refused = (body: string, kind: 'convert' | 'filter' = 'convert') => shown(run(runModule(body), '', { kind }));
    expect(refused('(i32.const 1)')).toEqual({
      outcome: 'bad_output',
      reason: 'The module returned 1, which stands for a new message, and gave none with output()',
    });
    expect(refused('(call $output (i32.const 0) (i32.const 1)) (i32.const 0)').reason).toContain('returned 0, which leaves the message as it is');
    expect(refused('(call $output (i32.const 0) (i32.const 1)) (i32.const 2)').reason).toContain('returned 2, which drops the message');
    expect(refused('(i32.const 2)').reason).toContain('gave no reason');
    expect(refused('(i32.const 3)').reason).toContain('gave no reason');
    expect(refused('(i32.const 7)').reason).toBe('vrsky_run_v1 returned 7; it returns 0 (pass), 1 (converted), 2 (filtered) or 3 (failed)');
    expect(refused('(call $output (i32.const 0) (i32.const 1)) (i32.const 1)', 'filter').reason).toContain('A filter cannot change the message');
  });

  it('that it gives up, and goes no further', () => {
    const module = runModule('(call $abort (i32.const 0) (i32.const 8)) (loop $l (br $l)) (i32.const 0)', { before: text(0, 'no stock') });
    const result = run(module);
    expect(shown(result)).toMatchObject({ outcome: 'threw', reason: 'no stock' });
    expect(result.instructions).toBeLessThan(200);
  });
});

describe('a trap', () => {
  it('says how much memory a module had that stopped itself, when it may have been refused more', () => {
    const grows = '(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable';
    expect(shown(run(runModule(grows))).reason).toBe(
      'The module stopped itself (unreachable). It had 15.1 of the 16 MiB that it may have: modules do so when they get no more memory',
    );
  });

  it('has a reason that its author understands', () => {
    const reason = (body: string, before = '') => shown(run(runModule(body, { before }))).reason;
    const table = '(table 2 funcref) (elem (i32.const 0) $f) (func $f (param i32)) (type $none (func))';
    expect(reason('unreachable')).toBe('The module stopped itself (unreachable)');
    expect(reason('(i32.load (i32.const -1))')).toBe('The module read or wrote outside of its memory');
    expect(reason('(i32.div_u (i32.const 1) (local.get $i))')).toBe('The module divided by zero');
    expect(reason('(i32.rem_s (i32.const 1) (local.get $i))')).toBe('The module divided by zero');
    expect(reason('(i32.div_s (i32.const 0x80000000) (i32.const -1))')).toBe('A division of the module has no result that fits');
    expect(reason('(i32.trunc_f64_s (f64.const 1e10))')).toContain('no integer of its size can hold');
    expect(reason('(call_indirect (type $none) (i32.const 0)) (i32.const 0)', table)).toContain('by a pointer');
    expect(reason('(call_indirect (type $none) (i32.const 1)) (i32.const 0)', table)).toContain('by a pointer');
    expect(reason('(call_indirect (type $none) (i32.const 9)) (i32.const 0)', table)).toContain('outside of a table');
    expect(reason('(call $output (i32.const 65530) (i32.const 8)) (i32.const 1)')).toBe(
      'The module gave output a place outside of its memory: 8 bytes at 65530',
    );
    expect(reason('(call $input_read (i32.const 65535)) (i32.const 1)')).toContain('The module gave input_read a place outside of its memory');
    expect(reason('(call $log (i32.const 0) (i32.const -1)) (i32.const 1)')).toContain('4294967295 bytes at 0');
    expect(reason('(drop (call $field_size (i32.const 9))) (i32.const 1)')).toBe('The module asked field_size for field 9, which there is not');
  });
});

describe('a module that is no step', () => {
  const run = '(func (export "vrsky_run_v1") (result i32) i32.const 0)';
  const memory = '(memory (export "memory") 1)';
  it.each([
    ['a start function', `(module ${memory} ${run} (func $s) (start $s))`, /has a start function.*export it as _initialize/],
    ['no memory', `(module ${run})`, /does not export its memory/],
    ['a memory under another name', `(module (memory (export "mem") 1) ${run})`, /does not export its memory/],
    ['an imported memory', `(module (import "env" "memory" (memory 1)) ${run})`, /cannot be used/],
    ['no run function', `(module ${memory})`, /does not export the function vrsky_run_v1/],
    [
      'a run function with parameters',
      `(module ${memory} (func (export "vrsky_run_v1") (param i32) (result i32) i32.const 0))`,
      /takes nothing and returns an i32/,
    ],
    ['a run function without a result', `(module ${memory} (func (export "vrsky_run_v1")))`, /takes nothing and returns an i32/],
    ['an _initialize with a result', `(module ${memory} ${run} (func (export "_initialize") (result i32) i32.const 0))`, /_initialize takes nothing/],
    ['an export that is named like one of ours', `(module ${memory} ${run} (global (export "vrsky:fuel") (mut i64) (i64.const 0)))`, /is reserved/],
    ['more memory than it may have', `(module (memory (export "memory") 257) ${run})`, /257 pages/],
    ['a table of ten million entries', `(module ${memory} ${run} (table 10000000 funcref))`, /tables may have 65,536 entries together, not 10,000,000/],
    [
      'a table that may grow without end',
      `(module ${memory} ${run} (table $t 1 externref) (func (drop (table.grow $t (ref.null extern) (i32.const 1000000)))))`,
      /grows its tables, so they need a maximum/,
    ],
    ['data for places that its memory does not have', `(module ${memory} ${run} (data (i32.const 65535) "ab"))`, /places that its memory/],
    ['an _initialize that traps', `(module ${memory} ${run} (func (export "_initialize") unreachable))`, /_initialize failed: The module stopped itself/],
    [
      'an _initialize without end',
      `(module ${memory} ${run} (func (export "_initialize") (loop $l (br $l))))`,
      /_initialize used more than 200,000,000 instructions/,
    ],
  ])('is refused: %s', (_what, source, reason) => {
    expect(() => wasmSandbox(wat(source))).toThrow(reason);
  });

  it('is refused when it asks for a message while it is loaded, even when it catches that', () => {
    const initialize = (body: string) => () => wasmSandbox(abiModule(`${run} (func (export "_initialize") ${body})`));
    expect(initialize('(drop (call $input_size))')).toThrow('The module called input_size while it was loaded, when there is no message yet');
    expect(initialize('(drop (call $random))')).toThrow(/random/);
    expect(initialize('(call $log (i32.const 0) (i32.const 1))')).not.toThrow();
  });

  it('is refused when it is no module', () => {
    expect(() => wasmSandbox(new TextEncoder().encode('hello'))).toThrow(/not a valid WebAssembly module/);
  });
});

describe('isolation', () => {
  /** Says what it finds in memory, globals and table, and leaves something there. */
  const leaky = (change: string, before = '') =>
    runModule(
      `${change.replace('KEEP', '')}
       (i32.store8 (i32.const 1) (i32.add (i32.const 48) (memory.size)))
       (i32.store8 (i32.const 2) (i32.add (i32.const 48) (global.get $g)))
       (i32.store8 (i32.const 0) (i32.add (i32.const 48) (i32.load8_u (i32.const 40000))))
       (i32.store8 (i32.const 40000) (i32.const 7))
       (global.set $g (i32.const 5))
       (call $output (i32.const 0) (i32.const 3)) (i32.const 1)`,
      { before: `(global $g (mut i32) (i32.const 3)) ${before}` },
    );

  function twice(module: Uint8Array): unknown[] {
    const sandbox = wasmSandbox(module);
    return Array.from({ length: 3 }, () => {
      const result = sandbox.run('convert', testInput('{}'), testLimits);
      return [shown(result), result.instructions];
    });
  }

  it.each([
    ['memory and globals', leaky('')],
    ['memory that grew', leaky('(drop (memory.grow (i32.const 2)))')],
    [
      'memory that grew in _initialize',
      leaky('', '(func (export "_initialize") (drop (memory.grow (i32.const 2))) (i32.store8 (i32.const 140000) (i32.const 1)))'),
    ],
    [
      'a table',
      leaky(
        '(i32.store8 (i32.const 100) (ref.is_null (table.get $t (i32.const 0)))) (table.set $t (i32.const 0) (ref.func $f)) (global.set $g (i32.add (global.get $g) (i32.load8_u (i32.const 100))))',
        '(table $t 1 funcref) (func $f) (elem declare func $f)',
      ),
    ],
    [
      'a global that holds a function',
      leaky(
        '(global.set $r (ref.func $f)) (global.set $g (i32.add (global.get $g) (ref.is_null (global.get $r))))',
        '(global $r (mut funcref) (ref.null func)) (func $f) (elem declare func $f)',
      ),
    ],
    [
      'a vector in a global',
      leaky(
        '(global.set $g (i32.add (global.get $g) (i32x4.extract_lane 0 (global.get $v)))) (global.set $v (v128.const i32x4 1 1 1 1))',
        '(global $v (mut v128) (v128.const i32x4 0 0 0 0))',
      ),
    ],
    [
      'numbers of every type',
      leaky(
        '(global.set $a (i64.add (global.get $a) (i64.const 1))) (global.set $b (f64.add (global.get $b) (f64.const 1))) (global.set $g (i32.add (i32.wrap_i64 (global.get $a)) (i32.trunc_f64_s (global.get $b))))',
        '(global $a (mut i64) (i64.const -4)) (global $b (mut f64) (f64.const 4.5))',
      ),
    ],
    ['a segment that was dropped', leaky('(memory.init $d (i32.const 200) (i32.const 0) (i32.const 1)) (data.drop $d)', '(data $d "x")')],
    [
      'a memory of 3 MiB',
      abiModule(
        '(func (export "vrsky_run_v1") (result i32) (i32.store8 (i32.const 0) (i32.add (i32.const 48) (i32.load8_u (i32.const 3000000)))) (i32.store8 (i32.const 3000000) (i32.const 1)) (call $output (i32.const 0) (i32.const 1)) (i32.const 1))',
        '48',
      ),
    ],
  ])('shows nothing of one message to the next: %s', (_what, module) => {
    const [first, ...others] = twice(module);
    expect(others).toEqual([first, first]);
    expect(first).toMatchObject([{ outcome: 'made' }, expect.any(Number)]);
  });

  it('shows nothing of one message to the next after a trap, or when it was stopped', () => {
    const sandbox = wasmSandbox(
      runModule(
        `(if (i32.load8_u (i32.const 9)) (then (return (i32.const 0))))
         (i32.store8 (i32.const 9) (i32.const 1))
         (if (i32.eq (call $input_size) (i32.const 1)) (then unreachable))
         (loop $l (br $l)) (i32.const 0)`,
      ),
    );
    const outcomes = ['x', 'xx', 'x', 'xx'].map((payload) => sandbox.run('convert', testInput(payload), testLimits).outcome);
    expect(outcomes).toEqual(['trapped', 'instructions_exhausted', 'trapped', 'instructions_exhausted']);
  });

  it('shows nothing of one tenant to another: each has an instance of its own', () => {
    const module = leaky('');
    expect(twice(module)).toEqual(twice(module));
  });

  it('keeps what _initialize made, whatever a message did to it', () => {
    const sandbox = wasmSandbox(
      abiModule(`(global $g (mut i32) (i32.const 0)) (data (i32.const 0) "xyz")
        (func (export "_initialize") (global.set $g (i32.const 65)) (i32.store8 (i32.const 1) (i32.const 0)) (i32.store8 (i32.const 50000) (i32.const 66)))
        (func (export "vrsky_run_v1") (result i32)
          (i32.store8 (i32.const 3) (global.get $g)) (i32.store8 (i32.const 4) (i32.load8_u (i32.const 50000)))
          (call $output (i32.const 0) (i32.const 5))
          (memory.fill (i32.const 0) (i32.const 9) (i32.const 65536)) (global.set $g (i32.const 9)) (drop (memory.grow (i32.const 1))) (i32.const 1))`),
    );
    for (let i = 0; i < 3; i++) expect(shown(sandbox.run('convert', testInput(''), testLimits))).toMatchObject({ payload: 'x\0zAB' });
  });
});
