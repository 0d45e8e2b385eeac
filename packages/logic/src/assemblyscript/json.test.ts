import { type WasmModule, wasm } from '@vrsky/metering/webassembly';
import { beforeAll, describe, expect, test } from 'vitest';
import { type HostRun, runModule } from './abi-host.test-support.ts';
import { compileAssemblyScript } from './compile.ts';
import { createRandom, randomNumberText, randomValue } from './random-json.test-support.ts';

/** Reads every value with the reader and writes it with the writer, in an array. */
const rewriting = `import { defineConvert, json, Json, JsonArray, JsonKind, JsonObject } from '@vrsky/sdk';

defineConvert((msg) => {
  const out = new JsonArray();
  push(out, msg.json());
  return json(out);
});

function push(out: JsonArray, value: Json): void {
  switch (value.kind) {
    case JsonKind.Null: out.pushNull(); break;
    case JsonKind.Boolean: out.push(value.bool()); break;
    case JsonKind.Number: out.push(value.num()); break;
    case JsonKind.String: out.push(value.str()); break;
    case JsonKind.Array: {
      const inner = out.array();
      for (let i = 0; i < value.length; i++) push(inner, value.at(i));
      break;
    }
    default: fill(out.object(), value);
  }
}

function fill(out: JsonObject, object: Json): void {
  for (let i = 0; i < object.length; i++) {
    const key = object.keyAt(i);
    const value = object.at(i);
    switch (value.kind) {
      case JsonKind.Null: out.setNull(key); break;
      case JsonKind.Boolean: out.set(key, value.bool()); break;
      case JsonKind.Number: out.set(key, value.num()); break;
      case JsonKind.String: out.set(key, value.str()); break;
      case JsonKind.Array: {
        const inner = out.array(key);
        for (let i = 0; i < value.length; i++) push(inner, value.at(i));
        break;
      }
      default: fill(out.object(key), value);
    }
  }
}
`;

let rewrite: (payload: string | Uint8Array) => HostRun;

beforeAll(async () => {
  const module = await moduleOf(rewriting);
  rewrite = (payload) => runModule(module, { payload });
}, 60_000);

async function moduleOf(source: string): Promise<WasmModule> {
  const result = await compileAssemblyScript('convert', source);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return new wasm.Module(result.wasm);
}

/** What JavaScript makes of the bytes, or null when it refuses them. */
function inJavaScript(payload: string | Uint8Array): string | null {
  try {
    return JSON.stringify([JSON.parse(typeof payload === 'string' ? payload : new TextDecoder('utf-8', { fatal: true }).decode(payload))]);
  } catch {
    return null;
  }
}

function expectAsJavaScript(payload: string | Uint8Array): void {
  const expected = inJavaScript(payload);
  const run = rewrite(payload);
  const name = typeof payload === 'string' ? payload : Buffer.from(payload).toString('hex');
  if (expected === null) expect(run.reason, name).toMatch(/^The payload is (not JSON: .* at byte \d+|empty, so it is not JSON)$/);
  else expect(run.text, `${name} → ${run.reason}`).toBe(expected);
}

const bytes = (...parts: (string | number)[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part))));

describe('what is JSON and what it says is the same as in JavaScript', () => {
  test.each([
    [
      'values',
      ['null', 'true', 'false', '0', '"a"', '[]', '{}', ' \t\r\n1\t\r\n ', '[[[[[]]]]]', '[{}]', '{"a":{}}', '{"a":[{"b":[]}]}', '[1,"a",null,true,{}]'],
    ],
    [
      'no values',
      [
        '',
        ' ',
        'nul',
        'nulll',
        'tru',
        'True',
        'fals',
        'falsey',
        'undefined',
        'NaN',
        'Infinity',
        '-Infinity',
        "'a'",
        'a',
        '\u00a01',
        '\u20281',
        '/**/1',
        '1 //',
        '\0',
      ],
    ],
    ['arrays', ['[1]', '[ 1 , 2 ]', '[', ']', '[1', '[1,', '[1,]', '[,1]', '[,]', '[1 2]', '[1]]', '[1}', '[1:2]', '[[]', '[""', '[1,,2]', '[-]', '[*]']],
    [
      'objects',
      [
        '{"a":1}',
        '{ "a" : 1 , "b" : 2 }',
        '{',
        '}',
        '{"a"',
        '{"a":',
        '{"a":1',
        '{"a":1,',
        '{"a":1,}',
        '{,}',
        '{"a" 1}',
        '{"a":}',
        '{a:1}',
        "{'a':1}",
        '{1:1}',
        '{"a":1]',
        '{"a":1}}',
        '{"a","b"}',
        '{"a":1 "b":2}',
        '{null:1}',
        '{"":0}',
        '{"a":"b"}/**/',
      ],
    ],
    [
      'numbers',
      [
        '-0',
        '1',
        '-1',
        '10',
        '123456789',
        '1.5',
        '-1.5',
        '1e3',
        '1E3',
        '1e+3',
        '1e-3',
        '0e1',
        '0.1e1',
        '1.0',
        '20E1',
        '-0.0',
        '0.0000001',
        '1e400',
        '-1e400',
        '1e-400',
        '01',
        '-01',
        '00',
        '1.',
        '.1',
        '-.1',
        '-',
        '+1',
        '1e',
        '1e+',
        '1.e1',
        '1e1.5',
        '0x1',
        '1_000',
        '1a',
        '--1',
        '1-1',
        '1+1',
        '0.3e',
        '2.e+3',
        '9.e+',
        '\uff11',
      ],
    ],
    [
      'strings',
      [
        '""',
        '"\\""',
        '"\\\\"',
        '"\\/"',
        '"\\b\\f\\n\\r\\t"',
        '"\\u0041"',
        '"\\u00e9\\u20AC"',
        '"\\ud83d\\ude00"',
        '"\\ud83d"',
        '"\\ude00\\ud83d"',
        '"\\u0000"',
        '"é€😀"',
        '"\u2028\u2029"',
        '"\u007f"',
        '"',
        '"a',
        '"\\',
        '"\\"',
        '"\\x41"',
        '"\\a"',
        '"\\u"',
        '"\\u00"',
        '"\\u004"',
        '"\\u00g0"',
        '"\\U0041"',
        '"\n"',
        '"\t"',
        '"\0"',
        '"\u001f"',
        '"a"b',
        '"\\u{41}"',
        '"\\ud83d\\u"',
        '["\\n]',
      ],
    ],
    [
      'long strings',
      [15, 16, 17, 31, 32, 33, 100].flatMap((n) =>
        ['x', 'é', '\\n', '"', '€\\"'].flatMap((end) => [`"${'a'.repeat(n)}${end}"`, `["${'a'.repeat(n)}${end}","b"]`]),
      ),
    ],
  ])('%s', (_, texts) => {
    for (const text of texts) expectAsJavaScript(text);
  });

  test('byte sequences that are not UTF-8 are refused, a byte order mark is left out', () => {
    for (const sequence of [
      [0x80],
      [0xc0, 0x80],
      [0xc1, 0xbf],
      [0xe0, 0x80, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf0, 0x80, 0x80, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0xff],
      [0xfe],
      [0xe2, 0x82],
      [0xf0, 0x9f, 0x98],
      [0xc3],
    ]) {
      expectAsJavaScript(bytes('"', ...sequence, '"'));
      expectAsJavaScript(bytes('"', ...sequence));
      expectAsJavaScript(bytes(...sequence));
      expectAsJavaScript(bytes('{"', ...sequence, '":1}'));
    }
    for (const sequence of [
      [0xc2, 0x80],
      [0xdf, 0xbf],
      [0xe0, 0xa0, 0x80],
      [0xed, 0x9f, 0xbf],
      [0xee, 0x80, 0x80],
      [0xef, 0xbf, 0xbf],
      [0xf0, 0x90, 0x80, 0x80],
      [0xf4, 0x8f, 0xbf, 0xbf],
    ]) {
      expectAsJavaScript(bytes('"', ...sequence, '"'));
      expectAsJavaScript(bytes('{"', ...sequence, 'a":1}'));
    }
    expectAsJavaScript(bytes(0xef, 0xbb, 0xbf, '[1]'));
    expectAsJavaScript(bytes(0xef, 0xbb, 0xbf));
    expectAsJavaScript(bytes('[', 0xef, 0xbb, 0xbf, ']'));
    expectAsJavaScript(bytes(0xff, 0xfe, '1', 0));
  });

  test('random documents', () => {
    const random = createRandom(20_261_125);
    for (let i = 0; i < 1_500; i++) {
      const value = randomValue(random, 4);
      expectAsJavaScript(JSON.stringify(value));
      if (i % 5 === 0) expectAsJavaScript(JSON.stringify(value, null, random.pick(['  ', '\t', ' \n\r'])));
    }
  });

  test('random damage to documents', () => {
    const random = createRandom(4);
    const pieces = ['"', '\\', '{', '}', '[', ']', ',', ':', '0', '-', '.', 'e', 'u', ' ', '\n', '\0', 'é', '\x80', 'true', 'null', '\\u12', '\\ud800'];
    for (let i = 0; i < 3_000; i++) {
      const document = Buffer.from(JSON.stringify(randomValue(random, 3)));
      const at = random.below(document.length + 1);
      const dropped = random.below(3);
      const put = random.below(2) === 0 ? Buffer.from(random.pick(pieces)) : Buffer.from(random.pick(pieces), 'latin1');
      expectAsJavaScript(Buffer.concat([document.subarray(0, at), put, document.subarray(at + dropped)]));
    }
  });

  test('numbers, read and written', () => {
    const random = createRandom(53);
    const texts = [
      '5e-324',
      '4.9406564584124654e-324',
      '2.4703282292062327e-324',
      '2.4703282292062328e-324',
      '2.2250738585072011e-308',
      '2.2250738585072014e-308',
      '1.7976931348623157e308',
      '1.7976931348623158e308',
      '1.7976931348623159e308',
      '9007199254740991',
      '9007199254740992',
      '9007199254740993',
      '9007199254740993.0000000000000000000000000000000000000001',
      '18446744073709551615',
      '18446744073709551616',
      '1e21',
      '123456789012345680000',
      '1e-6',
      '1e-7',
      '0.000001234',
      '8.5',
      '0.1',
      '0.30000000000000004',
      '1e23',
      '8.41e21',
      '2e-44',
      `0.${'0'.repeat(400)}1`,
      `1${'0'.repeat(400)}`,
      `1${'0'.repeat(400)}e-400`,
      `0.${'0'.repeat(400)}1e401`,
      '1e99999999999999999999',
      '1e-99999999999999999999',
      '0e99999999999999999999',
      `${'9'.repeat(800)}e-800`,
      '9.5367431640625e-7',
      '4503599627370496.5',
      '4503599627370497.5',
      '4503599627370495.5',
      '2.2250738585072012e-308',
    ];
    for (let i = 0; i < 12_000; i++) texts.push(randomNumberText(random));
    for (let i = 0; i < texts.length; i += 500) expectAsJavaScript(`[${texts.slice(i, i + 500).join(',')}]`);
  });

  test('of a key that is there twice, both are written and the last one is found', async () => {
    const module = await moduleOf(`import { defineConvert, text } from '@vrsky/sdk';
defineConvert((msg) => text(msg.json().get('a').toString()));`);
    expect(runModule(module, { payload: '{"a":1,"b":2,"a":{"c":3}}' }).text).toBe('{"c":3}');
    expect(runModule(module, { payload: '{"a":1,"\\u0061":2}' }).text).toBe('2');
    expect(runModule(module, { payload: '{"\\u0061":1,"b":2}' }).text).toBe('1');
  });
});

test('a thousand levels can be nested, not one more', () => {
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  expect(rewrite(nested(1000)).text).toBe(`[${nested(1000)}]`);
  expect(rewrite(nested(1001)).reason).toBe('The payload is not JSON: it is nested too deeply at byte 1000');
  expect(rewrite('['.repeat(100_000)).reason).toBe('The payload is not JSON: it is nested too deeply at byte 1000');
  expect(rewrite('{"a":'.repeat(100_000)).reason).toBe('The payload is not JSON: it is nested too deeply at byte 5000');
});

test('a megabyte is read and written, in memory that grows', () => {
  const large = JSON.stringify(
    Array.from({ length: 9_000 }, (_, i) => ({ id: i, name: `Näme "${i}"`, values: [i / 7, -i, null, true], text: 'x'.repeat(i % 60) })),
  );
  expect(large.length).toBeGreaterThan(1_000_000);
  const run = rewrite(large);
  expect(run.text).toBe(`[${large}]`);
  expect(run.pages).toBeLessThanOrEqual(256);
  for (const many of ['1,', '[],', '{},', '"",', '{"":0},']) {
    const text = `[${many.repeat(Math.floor(700_000 / many.length)).slice(0, -1)}]`;
    const tight = rewrite(text);
    expect(tight.text, tight.reason).toBe(`[${text}]`);
    expect(tight.pages).toBeLessThanOrEqual(256);
  }
});
