import { expect, test } from 'vitest';
import { compileAssemblyScript } from './compile.ts';

const imports = "import { Context, defineConvert, defineFilter, Json, JsonObject, json, Message, pass, text } from '@vrsky/sdk';\n";
const body = (code: string): string => `${imports}export default defineConvert((msg, ctx) => {\n  ${code}\n  return pass();\n});\n`;

async function problems(source: string, kind: 'convert' | 'filter' = 'convert') {
  const result = await compileAssemblyScript(kind, source);
  return result.problems.map(({ line, column, severity, message }) => `${line}:${column} ${severity} ${message}`);
}

test.each([
  ['closures', 'let n = 0; [1, 2].forEach((x) => { n += x; });', '3:38', 'AssemblyScript has no closures. Use a for loop'],
  ['any', 'const x: any = msg.json();', '3:12', 'no "any": every value has one type'],
  ['union types', 'let x: string | i32;', '3:19', 'no union types, but for "T | null"'],
  ['JSON.parse', 'const x = JSON.parse(msg.text());', '3:13', 'msg.json()'],
  ['members of JSON as properties', 'ctx.log(msg.json().id);', '3:22', "Members of a JSON object are read by their key: .get('id')"],
  ['functions of arrays on JSON', "msg.json().get('a').map((x) => x);", '3:23', 'with list.at(i)'],
  ['objects without a class', 'return json({ id: 1 });', '3:15', 'new JsonObject().set'],
  ['for…of', 'for (const x of [1]) ctx.log(x);', '3:3', 'write for (let i = 0;'],
  ['try and catch', 'try { msg.json(); } catch (e) {}', '3:3', 'Ask beforehand, with msg.tryJson()'],
  ['await', 'await msg;', '3:3', 'A step cannot await'],
  ['destructuring', 'const { a } = msg;', '3:3', 'no destructuring'],
  ['spread', 'const x = [...[1], 2];', '3:14', 'no spread operator'],
  ['regular expressions', "if (/a/.test('a')) return pass();", '3:7', 'no regular expressions'],
  ['optional chaining', 'msg?.json();', '3:7', 'no "?."'],
  ['the ?? operator', "const x = msg.headers.get('a') ?? 'b';", '3:35', 'no "??"'],
  ['what may be null', "const x: string = msg.headers.get('a');", '3:21', 'It may be null'],
  ['fetch', "fetch('http://a');", '3:3', 'no network'],
  ['undefined', "if (msg.json().get('a') === undefined) return pass();", '3:31', 'has no undefined'],
  ['bigint', 'const x: i64 = 1n;', '3:19', 'without an n'],
  ['mixed numbers', "const x = msg.json().int('a') * 1.5;", '3:13', '<f64>(…)'],
  ['a result of another type', "return 'x';", '3:10', 'A step returns json(…), text(…)'],
  ['functions without types', "const x = ['a'].map((s) => s.length);", '3:23', 'those of its parameters and of its result'],
])('%s: says where, and what to write instead', async (_, code, place, words) => {
  const found = await problems(body(code));
  expect(
    found.some((problem) => problem.startsWith(`${place} error `) && problem.includes(words)),
    found.join('\n'),
  ).toBe(true);
});

test('a value that is no JSON is refused at the call in the step, not in the library', async () => {
  expect(await problems(`${imports}class A {}\ndefineConvert(() => {\n  return json(new JsonObject().set('a', new A()));\n});\n`)).toEqual([
    expect.stringMatching(/^4:15 error This type cannot be written as JSON: take a string/),
  ]);
});

test('a step defines itself once, as what it is', async () => {
  expect(await problems(imports)).toEqual(['1:1 error The code needs a call at its top level: defineConvert((msg, ctx) => { … })']);
  expect(await problems('import { defineFilter } from "@vrsky/sdk";\ndefineFilter(() => true);\n')).toEqual([
    '2:1 error This is a convert step: it needs defineConvert(…), not defineFilter(…)',
  ]);
  expect(await problems(`${imports}defineFilter(() => true);\ndefineFilter(() => true);\n`, 'filter')).toEqual([
    '3:1 error A step has one defineFilter(…): this is another one',
  ]);
  expect(await problems(`${imports}function f(): void { defineConvert(() => pass()); }\n`)).toEqual([
    expect.stringContaining('The code needs a call at its top level'),
  ]);
  expect(await problems(`${imports}\nexport default (msg: Message) => pass();\n`)).toEqual([
    '3:1 error A step is defined with export default defineConvert((msg, ctx) => { … })',
  ]);
  expect(await problems('import { defineConvert as define, pass } from "@vrsky/sdk";\ndefine(() => pass());\n')).toEqual([]);
  expect(await problems('import * as sdk from "@vrsky/sdk";\nexport default sdk.defineConvert(() => sdk.pass());\n')).toEqual([]);
});

test('a step imports the SDK and nothing else, of the language neither', async () => {
  const refused = 'A step can import only "@vrsky/sdk", not';
  expect(await problems(`${imports}import { x } from 'lodash';\ndefineConvert(() => pass());`)).toEqual([
    expect.stringContaining(`2:19 error ${refused} "lodash"`),
  ]);
  expect(await problems(`${imports}export * from './entry';\ndefineConvert(() => pass());`)).toEqual([expect.stringContaining(refused)]);
  expect(await problems(`${imports}import { output } from '@vrsky/sdk/vrsky';\ndefineConvert(() => pass());`)).toEqual([expect.stringContaining(refused)]);
  expect(await problems(`${imports}import { decode } from 'util/uri';\ndefineConvert(() => pass());`)).toEqual([expect.stringContaining(refused)]);
});

test('a step cannot declare functions that the platform does not have', async () => {
  expect(await problems(`${imports}declare function open(at: i32): i32;\ndefineConvert(() => { open(1); return pass(); });`)).toEqual([
    '2:18 error The platform has no function "open" in a module "step": a step cannot declare one',
  ]);
  expect(
    await problems(`${imports}@external("wasi", "fd_write")\ndeclare function open(at: i32): i32;\ndefineConvert(() => { open(1); return pass(); });`),
  ).toEqual([expect.stringContaining('The platform has no function "fd_write" in a module "wasi"')]);
});

test('code that the compiler cannot take leaves it able to compile the next step', async () => {
  const nested = `${imports}defineConvert(() => { const x = ${'('.repeat(20_000)}1${')'.repeat(20_000)}; return pass(); });`;
  expect((await problems(nested))[0]).toContain('The AssemblyScript compiler gave up on this code');
  expect(await problems(body('ctx.log("a");'))).toEqual([]);
});
