import { beforeAll, describe, expect, test } from 'vitest';
import { testInput, testLimits } from '../../test/make.ts';
import { prepareModule } from '../wasm-module.ts';
import { createWasmSandbox, type WasmSandbox } from '../wasm-sandbox.ts';
import { compileAssemblyScript } from './compile.ts';

const payloads = {
  good: JSON.stringify({ name: 'Ada', list: [1, 2.5, 'x'] }),
  'deep arrays': '['.repeat(100_000),
  'deep objects': '{"a":'.repeat(100_000),
  'huge number': `[${'9'.repeat(300_000)}]`,
  'huge exponent': '[1e999999999999999999999]',
  'number near the middle of two': `[9007199254740993.${'0'.repeat(100_000)}1]`,
  'many escapes': `["${'\\u0041'.repeat(50_000)}"]`,
  'one string': `"${'é'.repeat(200_000)}"`,
  'many keys': `{${Array.from({ length: 20_000 }, (_, i) => `"k${i}":${i}`).join()}}`,
  'half a character': `"${'\\ud800'}"`,
  'a NUL in a text': '"a\\u0000b"',
  'a NUL in the payload': '"a\0b"',
  nothing: '',
};

const step = `import { defineConvert, Json, JsonArray, JsonKind, json } from '@vrsky/sdk';
const kept: string[] = [];
defineConvert((msg, ctx) => {
  const wanted = msg.headers.get('do');
  if (wanted !== null) attack(wanted);
  const out = new JsonArray();
  visit(msg.json(), out);
  return json(out);
});
function visit(value: Json, out: JsonArray): void {
  switch (value.kind) {
    case JsonKind.Array: for (let i = 0; i < value.length; i++) visit(value.at(i), out); break;
    case JsonKind.Object: for (let i = 0; i < value.length; i++) { out.push(value.keyAt(i)); visit(value.at(i), out); } break;
    case JsonKind.Number: out.push(value.num()); break;
    case JsonKind.String: out.push(value.str()); break;
    default: out.push(value);
  }
}
function attack(what: string): void {
  if (what == 'loop') while (true) {}
  if (what == 'recursion') recurse(1);
  if (what == 'memory') { let all = 'x'; while (true) all += all; }
  if (what == 'grow') while (memory.grow(1) >= 0) {}
  if (what == 'arrays') while (true) kept.push('x');
  if (what == 'overwrite') memory.fill(0, 0xff, memory.size() << 16);
  if (what == 'wild pointer') store<u8>(0xfffffff0, 1);
  if (what == 'divide') store<i32>(8, 1 / load<i32>(1000));
  if (what == 'no class') changetype<Json>(12345).str('a');
}
function recurse(n: i32): i32 { return n + recurse(n + 1) * 2; }
`;

let sandbox: WasmSandbox;
let again: WasmSandbox;

beforeAll(async () => {
  const made = await compileAssemblyScript('convert', step);
  if (!made.ok) throw new Error(JSON.stringify(made.problems));
  const prepared = prepareModule(made.wasm, testLimits.memoryBytes);
  sandbox = createWasmSandbox(prepared);
  again = createWasmSandbox(prepared);
}, 60_000);

const run = (box: WasmSandbox, payload: string, attack?: string) => {
  const made = box.run('convert', testInput(payload, { headersJson: JSON.stringify(attack === undefined ? [] : [['do', attack]]) }), {
    ...testLimits,
    instructions: 400_000_000,
    depth: 100_000,
  });
  return { outcome: made.outcome, instructions: made.instructions, ...('reason' in made && { reason: made.reason }) };
};

describe('the same outcome and the same number of instructions every time, after anything else, in any instance', () => {
  test.each(Object.entries(payloads))('payload: %s', (_, payload) => {
    const first = run(sandbox, payload);
    run(sandbox, payloads.good);
    expect(run(sandbox, payload)).toEqual(first);
    expect(run(again, payload)).toEqual(first);
    expect(first.outcome).toBe(/^(\[{9}|\{"a":\{|"a\0b|$)/.test(payload) ? 'threw' : 'made');
  });

  const good = () => run(sandbox, payloads.good);
  test.each([
    ['loop', 'instructions_exhausted', undefined],
    ['recursion', 'stack_exhausted', undefined],
    ['memory', 'threw', 'The step needs more memory than it may have'],
    ['arrays', 'threw', 'The step needs more memory than it may have'],
    ['grow', 'made', undefined],
    ['wild pointer', 'trapped', expect.any(String)],
    ['divide', 'trapped', expect.any(String)],
    ['no class', 'trapped', expect.any(String)],
    ['overwrite', expect.stringMatching(/trapped|threw|made/), undefined],
  ])('step: %s', (attack, outcome, reason) => {
    const before = good();
    const first = run(sandbox, payloads.good, attack);
    expect(first.outcome).toEqual(outcome);
    if (reason !== undefined) expect(first.reason).toEqual(reason);
    expect(good()).toEqual(before);
    expect(run(sandbox, payloads.good, attack)).toEqual(first);
    expect(run(again, payloads.good, attack)).toEqual(first);
  });
});
