import { describe, expect, it } from 'vitest';
import { bundled, newSandbox, shown, testInput, testLimits } from '../test/make.ts';
import { createJsonReader } from './json-reader.ts';
import { createRandom } from './random.ts';

// What passes between a step and the platform as JSON is what the engine's own JSON.parse and JSON.stringify would have made of it.

const sandbox = await newSandbox();
const reader = createJsonReader();
const encoder = new TextEncoder();

function convert(body: string, payload: string | Uint8Array = '{}', limits = testLimits) {
  return sandbox.run(sandbox.load('convert', bundled(body)), testInput(payload), { ...limits, instructions: 400_000_000 });
}

/** What comes out, with the result written by the platform, and by the engine. */
function both(value: string, before = ''): { ours: unknown; theirs: unknown } {
  const ours = shown(convert(`${before}; return ${value}`));
  const theirs = shown(convert(`${before}; const text = JSON.stringify(${value}); if (text === undefined) return undefined; return text`));
  return { ours: ours.payload ?? ours.reason, theirs: theirs.payload ?? theirs.reason };
}

const pick = <T>(random: () => number, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
const strings = [
  '',
  'a',
  'ü',
  'naïve ÿ',
  '日本',
  '😀 x',
  '\u2028',
  'quo"te',
  'back\\slash',
  'line\nbreak\t',
  '\u0000\u001f',
  '\ud800',
  '\udc00x',
  'y'.repeat(200),
];
const names = [
  'id',
  'name',
  'a b',
  'ü',
  '日',
  '',
  '__proto__',
  'constructor',
  '0',
  '7',
  '4294967295',
  'toString',
  'length',
  'quo"te',
  'toJson',
  'x'.repeat(70),
];
const numbers = ['0', '-0', '1', '-1', '9.99', '1e3', '1E-7', '123456789', '1234567890', '-2147483648', '2147483647', '4294967296', '0.1', '1e400', '-1e-400'];
const moreNumbers = ['123456789012345678901234567890', '0.30000000000000004', '5e-324', '1.7976931348623157e308', '100000000000000.5', '9007199254740993'];

function randomJson(random: () => number, depth: number): string {
  const space = () => pick(random, ['', '', '', ' ', '\n\t', '\r ']);
  const text = (value: string) =>
    random() < 0.2 ? `"${[...value].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"` : JSON.stringify(value);
  const kind = random() * (depth > 4 ? 5 : 9);
  const items = (make: () => string) => Array.from({ length: Math.floor(random() * 5) }, () => `${space()}${make()}${space()}`).join(',');
  if (kind < 1) return pick(random, ['null', 'true', 'false']);
  if (kind < 3) return pick(random, [...numbers, ...moreNumbers, String(Math.floor(random() * 1e6) / 100), String(random())]);
  if (kind < 5) return text(pick(random, strings));
  if (kind < 7) return `[${items(() => randomJson(random, depth + 1)) || space()}]`;
  return `{${items(() => `${text(pick(random, names))}${space()}:${space()}${randomJson(random, depth + 1)}`) || space()}}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

describe('reading JSON', () => {
  it('gives a step what JSON.parse gives, for random JSON', () => {
    const random = createRandom('reading');
    const image = sandbox.load('convert', bundled('return JSON.stringify(message.json())'));
    for (let i = 0; i < 2_000; i++) {
      const json = randomJson(random, 0);
      const got = shown(sandbox.run(image, testInput(json), testLimits));
      expect(got.payload ?? got, json).toBe(JSON.stringify(JSON.parse(json)));
    }
  });

  it('takes what JSON.parse takes and nothing else, for random JSON with damage', () => {
    const random = createRandom('damage');
    let refused = 0;
    for (let i = 0; i < 50_000; i++) {
      const json = randomJson(random, 2);
      const at = Math.floor(random() * (json.length + 1));
      const damaged =
        json.slice(0, at) + pick(random, ['', '', '"', '\\', ',', '}', ']', '{', '[', ':', '0', '-', '.', 'e', ' ', '\u0001', 'u', 'tru']) + json.slice(at + 1);
      const isJson = parsed(damaged) !== undefined;
      if (!isJson) refused++;
      expect(reader.read(encoder.encode(damaged)) >= 0, damaged).toBe(isJson);
    }
    expect(refused).toBeGreaterThan(10_000);
  });

  it('keeps a name that is written twice as the last, and __proto__ as a name', () => {
    expect(shown(convert('const v = message.json(); return [v, Object.keys(v), v.x]', '{"a":1,"__proto__":{"x":1},"a":2}')).payload).toBe(
      '[{"a":2,"__proto__":{"x":1}},["a","__proto__"],null]',
    );
  });

  it('reads many names, more than are remembered', () => {
    const json = JSON.stringify(Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`name ${i % 4_000} ü`.slice(0, i % 2 ? 20 : -2), i])));
    expect(shown(convert('return JSON.stringify(message.json())', json)).payload).toBe(json);
  });

  it('reads JSON after a byte order mark, and JSON as deep as the engine can', () => {
    expect(shown(convert('return message.json()', '\ufeff[1]')).payload).toBe('[1]');
    for (const depth of [99, 100, 101, 300])
      expect(shown(convert('return JSON.stringify(message.json())', '['.repeat(depth) + ']'.repeat(depth))).payload).toBe(
        '['.repeat(depth) + ']'.repeat(depth),
      );
  });

  it('says what the engine says of what is no JSON', () => {
    expect(shown(convert('return message.json()', '{"a":1,}')).reason).toMatch(/^SyntaxError: The payload is not JSON: /);
    expect(shown(convert('return message.json()', '"\u0000"')).outcome).toBe('threw');
    expect(shown(convert('return message.json()', Uint8Array.of(0x22, 0xff, 0x22))).reason).toBe(
      'TypeError: The payload is not UTF-8 text: read it with msg.bytes()',
    );
  });

  it('is paid for by the byte, however often', () => {
    const of = (times: number) => convert(`for (let i = 0; i < ${times}; i++) message.json(); return 'x'`, `"${'x'.repeat(10_000)}"`).instructions;
    expect(of(3) - of(2)).toBeGreaterThan(160_000);
    expect(convert('for (;;) message.json()', `"${'x'.repeat(10_000)}"`)).toMatchObject({ outcome: 'instructions_exhausted' });
  });
});

describe('writing JSON', () => {
  it('writes what JSON.stringify writes, for random values', () => {
    const random = createRandom('writing');
    for (let i = 0; i < 1_000; i++) {
      const value = randomJson(random, 0).replace(/"__proto__"(\s*):/g, '["__proto__"]$1:');
      const { ours, theirs } = both(`[${value}]`);
      expect(ours, value).toBe(theirs);
    }
  });

  it.each([
    '{ a: undefined, b: () => 1, c: Symbol("c"), [Symbol("d")]: 1, e: 1 }',
    '[undefined, () => 1, Symbol("c"), , 1]',
    '{ a: NaN, b: -Infinity, c: -0, d: 1e21, e: 1 / 3, f: 0x7fffffff, g: -0x80000000, h: 2 ** 53 }',
    '{ d: new Date(5), at: [new Date(NaN)] }',
    'new Date(5)',
    '{ m: new Map([[1, 2]]), s: new Set([1]), r: /x/g, e: new Error("x"), p: Promise.resolve(1), b: new Uint8Array(2), n: new Number(4), t: new String("s"), f: new Boolean(false) }',
    '{ get a() { return 5; }, b: 1 }',
    'Object.defineProperty({ b: 1 }, "a", { value: 1, enumerable: false })',
    'Object.defineProperty({ b: 1 }, "toJSON", { value: () => 7, enumerable: false })',
    '{ toJSON: () => ({ x: 1 }) }',
    '[{ toJSON: 5 }, { toJSON: (key) => key }]',
    'new (class A { x = 1; #y = 2; get z() { return 3; } })()',
    '[new (class A { toJSON() { return "made"; } })()]',
    'Object.create({ inherited: 1 }, { own: { value: 1, enumerable: true } })',
    'Object.assign(Object.create(null), { a: 1 })',
    'Object.assign([1, 2], { extra: 3 })',
    'Object.assign([1, 2], { toJSON: () => "made" })',
    'Object.setPrototypeOf([1, 2], { toJSON: () => "made" })',
    'Object.setPrototypeOf({ a: 1 }, Array.prototype)',
    'Object.setPrototypeOf([1], Object.prototype)',
    'Object.freeze({ a: [1], b: Object.seal({ c: 1 }) })',
    'new Proxy({ a: 1 }, { get: () => 9 })',
    'new Proxy([1, 2], {})',
    '(function () { return arguments; })(1, 2)',
    '{ 10: "a", 9: "b", x: "c", "01": "d", 4294967294: "e", "-1": "f" }',
    '{ "2x": 1 }',
    '"text"',
    '["😀", "\\ud800", "\\udc00\\ud800", "ü\\u0007\\u2028", "\\ud83d" + "\\ude00"]',
    '{ n: 10n }',
    '(() => { const a = []; a.push(a); return a; })()',
    '(() => { const o = { x: 1, y: 2, z: 3 }; delete o.y; o.w = 4; return o; })()',
    '(() => { const a = [1, 2, 3]; a.length = 5; a.pop(); a.shift(); return a; })()',
    '(() => { const a = [1, 2, 3]; a.length = 2; return a; })()',
    '(() => { const a = []; a[3] = 1; return a; })()',
    '(() => { const a = [1, 2]; delete a[0]; return a; })()',
    '(() => { let s = ""; for (let i = 0; i < 2000; i++) s += "part " + i; return { s, t: s + s }; })()',
    '(() => { let v = 1; for (let i = 0; i < 99; i++) v = [v]; return v; })()',
    '(() => { let v = 1; for (let i = 0; i < 150; i++) v = { v }; return v; })()',
    '(() => { const one = { x: [1] }; return [one, one, { one }]; })()',
    '[function () {}, class {}, undefined, null, true, false]',
    '{ f: Object.assign(() => 1, { toJSON: () => "function" }) }',
    '[Math, JSON, globalThis.console, Reflect]',
    'Array.from({ length: 300 }, (_, i) => ({ i, s: "v" + i, f: i / 7 }))',
    'JSON.parse(\'{"__proto__":1,"a":[]}\')',
  ])('writes %s as JSON.stringify does', (value) => {
    const { ours, theirs } = both(value.startsWith('{') ? `(${value})` : value);
    expect(ours).toBe(
      value === '"text"' ? 'text' : String(theirs).replace(/^(TypeError|RangeError|InternalError): /, 'The result cannot be written as JSON: $&'),
    );
  });

  it('knows a toJSON that a step gives to all objects, arrays or texts', () => {
    expect(both('({ a: 1 })', 'Object.prototype.toJSON = function () { return "all" }')).toEqual({ ours: '"all"', theirs: '"all"' });
    expect(both('[[1]]', 'Array.prototype.toJSON = function () { return "all" }')).toEqual({ ours: '"all"', theirs: '"all"' });
    expect(both('["a"]', 'String.prototype.toJSON = function () { return "no" }').ours).toBe('["a"]');
  });

  it('writes a function that is a property of a plain object as nothing', () => {
    expect(shown(convert('return { f() {}, a: 1 }')).payload).toBe('{"a":1}');
  });

  it('is paid for by the byte, and stops a result that would never end', () => {
    const long = convert('return ["x".repeat(10_000)]');
    const short = convert('return ["x".repeat(5_000)]');
    expect(long.instructions - short.instructions).toBeGreaterThan(80_000);
    // 2 to the power of 60 items, in 60 arrays.
    const endless = 'let v = [1]; for (let i = 0; i < 60; i++) v = [v, v]; return v';
    expect(convert(endless)).toMatchObject({ outcome: 'instructions_exhausted' });
  });

  it('says how large a result is that may not be so large', () => {
    const limits = { ...testLimits, outputBytes: 1_000 };
    expect(convert('return ["x".repeat(2_000), 1]', '{}', limits)).toMatchObject({ outcome: 'output_too_large', bytes: 2_006 });
    expect(convert('return Array.from({ length: 3_000 }, () => 1)', '{}', limits)).toMatchObject({ outcome: 'output_too_large', bytes: 6_001 });
  });
});
