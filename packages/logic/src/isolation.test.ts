import { isUtf8 } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { testInput, testStep } from '../test/make.ts';
import { runModule, wasmStep } from '../test/wat.ts';
import { loadEngine } from './engine.ts';
import { createExecutor } from './executor.ts';
import { defaultStepLimits } from './step-limits.ts';
import type { LogicStep } from './types.ts';

const engine = await loadEngine();
const report = '(call $output (i32.const 0) (i32.const 8)) (i32.const 1)';

/** Each returns what it finds of earlier messages, after it has left something for later ones. */
const leaks: [name: string, step: LogicStep][] = [
  ['globals', testStep('convert', 'const seen = globalThis.left ?? 0; globalThis.left = message.text(); return [seen]')],
  ['closures', testStep('convert', 'const seen = [...kept.keys()]; kept.set(message.text(), 1); return seen', 'const kept = new Map();')],
  [
    'prototypes and built-ins',
    testStep(
      'convert',
      'const seen = [{}.left ?? 0, [].left ?? 0, Math.left ?? 0]; Object.prototype.left = Array.prototype.left = Math.left = message.text(); return seen',
    ),
  ],
  ['where a regular expression stands', testStep('convert', 'const seen = [re.lastIndex]; re.test(message.text()); return seen', 'const re = /./g;')],
  [
    'symbols of the registry and weak maps',
    testStep('convert', 'const s = Symbol.for("a"); const seen = [map.has(key)]; map.set(key, s); return seen', 'const key = {}; const map = new WeakMap();'),
  ],
  [
    'random numbers and time',
    testStep('convert', 'const seen = [Math.random(), Date.now()]; for (let i = 0; i < message.text().length; i++) Math.random(); return seen'),
  ],
  [
    'memory taken and given back',
    testStep('convert', 'const b = new Uint8Array(1e4); const seen = [b.some((x) => x > 0)]; b.fill(7); globalThis.b = b; return seen'),
  ],
  ['memory', wasmStep('convert', runModule(`(i32.store (i32.const 0) (i32.load (i32.const 60000))) (call $input_read (i32.const 60000)) ${report}`))],
  [
    'memory that grew',
    wasmStep(
      'convert',
      runModule(
        `(i32.store (i32.const 0) (memory.grow (i32.const 1))) (i32.store (i32.const 4) (i32.load (i32.const 70000))) (call $input_read (i32.const 70000)) ${report}`,
      ),
    ),
  ],
  [
    'a global',
    wasmStep(
      'convert',
      runModule(`(i32.store (i32.const 0) (global.get $g)) (global.set $g (call $input_size)) ${report}`, { before: '(global $g (mut i32) (i32.const 3))' }),
    ),
  ],
  [
    'a table',
    wasmStep(
      'convert',
      runModule(`(i32.store (i32.const 0) (ref.is_null (table.get $t (i32.const 0)))) (table.set $t (i32.const 0) (ref.func $f)) ${report}`, {
        before: '(table $t 1 funcref) (func $f) (elem declare func $f)',
      }),
    ),
  ],
];

describe('a step finds nothing of earlier messages, its own or of another tenant, and costs the same whatever ran before', { timeout: 30_000 }, () => {
  it.each(leaks)('%s', (_name, step) => {
    const executor = createExecutor({ engine, isUtf8 });
    const run = (tenantId: string, payloads: string[]) =>
      executor
        .run({ tenantId, steps: [step], messages: payloads.map((payload) => testInput(payload)), capture: false, limits: defaultStepLimits })
        .map(({ outcome, payload, steps }) => ({ outcome, payload: payload && [...payload].join(), instructions: steps[0]?.instructions }));
    const [first] = run('a', ['secret']);
    expect(first?.outcome).toBe('ok');
    expect(run('a', ['secret', 'secret', 'secret'])).toEqual([first, first, first]);
    run('a', ['another, longer secret']);
    expect(run('b', ['secret', 'secret'])).toEqual([first, first]);
    expect(run('a', ['secret'])).toEqual([first]);
  });

  it.each(leaks)('%s, whichever payload left it', (_name, step) => {
    const after = (payload: string) =>
      createExecutor({ engine, isUtf8 })
        .run({ tenantId: 'a', steps: [step], messages: [testInput(payload), testInput('x')], capture: false, limits: defaultStepLimits })
        .map(({ payload, steps }) => [payload && [...payload].join(), steps[0]?.instructions])[1];
    expect(after('long secret')).toEqual(after(''));
  });
});
