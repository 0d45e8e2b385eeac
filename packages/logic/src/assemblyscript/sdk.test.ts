import { type WasmModule, wasm } from '@vrsky/metering/webassembly';
import { expect, test } from 'vitest';
import { type HostMessage, type HostRun, runModule } from './abi-host.test-support.ts';
import { compileAssemblyScript } from './compile.ts';

const imports = `import { bytes, Context, defineConvert, defineFilter, Json, JsonArray, JsonObject, json, Message, pass, text, TextWriter } from '@vrsky/sdk';\n`;

async function moduleOf(code: string, kind: 'convert' | 'filter' = 'convert'): Promise<WasmModule> {
  const define = kind === 'convert' ? 'defineConvert' : 'defineFilter';
  const source = code.includes('export default') ? code : `export default ${define}((msg, ctx) => {\n${code}\n});\n`;
  const result = await compileAssemblyScript(kind, imports + source);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return new wasm.Module(result.wasm);
}

async function run(code: string, message: HostMessage | string = '{}', kind: 'convert' | 'filter' = 'convert'): Promise<HostRun> {
  return runModule(await moduleOf(code, kind), typeof message === 'string' ? { payload: message } : message);
}

test('the message and its metadata', async () => {
  const made = await run(
    `const m = ctx.metadata;
  return text([msg.id, msg.customerId, msg.traceId, msg.contentType, m.messageId, m.customerId, m.traceId, m.pipelineId, m.contentType,
    msg.receivedAt.toISOString(), m.receivedAt.getTime().toString(), Date.now().toString(), msg.text(), msg.bytes().length.toString()].join(' '));`,
    { id: 'm', customerId: 'c', traceId: 't', contentType: 'text/ü', pipelineId: 'p', receivedAtMs: 86_400_000, payload: '\ufeffhé😀' },
  );
  expect(made.text).toBe('m c t text/ü m c t p text/ü 1970-01-02T00:00:00.000Z 86400000 86400000 hé😀 10');
  expect(made.contentType).toBeUndefined();
});

test('headers, whatever the case of their names', async () => {
  const headers: [string, string][] = [
    ['X-Shop', 'a'],
    ['x-empty', ''],
    ['x-shop', 'ü'],
  ];
  const made = await run(
    `const h = msg.headers;
  let all = '';
  for (let i = 0; i < h.names.length; i++) all += h.names[i] + '=' + h.values[i] + ';';
  const none = h.get('none');
  return text([h.get('x-SHOP')!, h.get('X-Empty')!, none === null ? 'null' : none, h.has('X-SHOP').toString(), h.has('y').toString(), all].join('|'));`,
    { headers },
  );
  expect(made.text).toBe('a, ü||null|true|false|X-Shop=a;x-empty=;x-shop=ü;');
  expect((await run(`return text(msg.headers.names.length.toString());`, {})).text).toBe('0');
});

test('the log', async () => {
  const { logs } = await run(`ctx.log('total', 1.5, true, msg.json());
  ctx.log(30.0, -0.0, NaN);
  ctx.log(<u64>18446744073709551615, [1, 2], 'é\\0\\n');
  console.log(\`\${0.1 + 0.2} \${30.0} \${1e21}\`);
  return pass();`);
  expect(logs).toEqual(['total 1.5 true {}', '30 0 null', '18446744073709551615 [1,2] é\0\n', '0.30000000000000004 30 1e+21']);
});

test('what comes of a message', async () => {
  expect(await run('return pass();')).toMatchObject({ outcome: 'pass' });
  expect(await run("return text('a\\0é\\uD83D\\uDE00\\uD83D', 'text/plain');")).toMatchObject({
    outcome: 'converted',
    text: 'a\0é😀\ufffd',
    contentType: 'text/plain',
  });
  expect(await run("const b = new Uint8Array(3); b[1] = 255; return bytes(b, 'application/octet-stream');")).toMatchObject({
    output: Uint8Array.of(0, 255, 0),
    contentType: 'application/octet-stream',
  });
  expect(await run("return ctx.filter('not päid', { route: 'unpaid' });")).toMatchObject({ outcome: 'filtered', reason: 'not päid', route: 'unpaid' });
  expect(await run("return ctx.filter('');")).toMatchObject({ outcome: 'filtered', reason: 'The step filtered the message and gave no reason' });
  expect(await run("ctx.fail('no gööd'); return pass();")).toMatchObject({ outcome: 'failed', reason: 'no gööd' });
  expect(await run('return 1;')).toMatchObject({ outcome: 'failed', reason: 'A convert step returns json(…), text(…), bytes(…), pass() or ctx.filter(…)' });
});

test('what comes of a filter', async () => {
  expect(await run("return msg.json().str('s') == 'paid';", '{"s":"paid"}', 'filter')).toMatchObject({ outcome: 'pass' });
  expect(await run("return msg.json().str('s') == 'paid';", '{"s":"open"}', 'filter')).toMatchObject({
    outcome: 'filtered',
    reason: 'The filter returned false',
  });
  expect(await run("return ctx.filter('no');", '', 'filter')).toMatchObject({ outcome: 'filtered', reason: 'no' });
  expect(await run('return 7;', '', 'filter')).toMatchObject({ outcome: 'failed', reason: 'A filter returns true, false or ctx.filter(…)' });
});

test('reading JSON: kinds, what is missing, and where something is not as expected', async () => {
  const payload = JSON.stringify({
    id: 'A',
    n: 1.5,
    big: 9007199254740993n.toString(),
    list: [{ sku: 'x', qty: 2 }, { sku: 5 }],
    none: null,
    yes: true,
    'a b': {},
  });
  const expected: [expression: string, text: string][] = [
    ["[o.kind, o.get('id').kind, o.get('n').kind, o.get('list').kind, o.get('none').kind, o.get('yes').kind, o.get('no').kind].join(',')", '6,4,3,5,1,2,0'],
    ["o.length.toString() + ' ' + o.get('list').length.toString() + ' ' + o.keys().join('+')", '7 2 id+n+big+list+none+yes+a b'],
    ["[o.has('none'), o.has('no'), o.get('none').isNull, o.get('none').exists, o.get('no').get('x').at(3).isNull].join(' ')", 'true false true true true'],
    ["o.get('no') || o.at(9) ? 'there' : 'missing'", 'missing'],
    ["[o.strOr('none', 'd'), o.numOr('no', 2.5).toString(), o.intOr('no', -3).toString(), o.strOr('id', 'd')].join()", 'd,2.5,-3,A'],
    ["o.get('list').toString() + o.get('list').at(1).get('sku').toString()", '[{"sku":"x","qty":2},{"sku":5}]5'],
    ["o.str('no')", 'no is missing, a string was expected'],
    ["o.get('list').at(1).str('sku')", 'list[1].sku is a number, a string was expected'],
    ["o.get('list').at(1).num('qty').toString()", 'list[1].qty is missing, a number was expected'],
    ["o.get('list').at(9).num('qty').toString()", 'A value is missing, a number was expected; the last one that was not found is list[9]'],
    ["o.get('id').str('x')", 'id is a string, an object was expected'],
    ["o.int('n').toString()", 'n is 1.5, an integer was expected'],
    ['o.str()', 'The value is an object, a string was expected'],
  ];
  const cases = expected.map(([expression], i) => `case ${i}: return text(${expression});`).join('\n');
  const module = await moduleOf(`const o = msg.json();\n  switch (i32.parse(msg.id)) {\n${cases}\n}\n  return pass();`);
  for (const [i, [expression, text]] of expected.entries()) {
    const made = runModule(module, { id: String(i), payload });
    expect(made.text ?? made.reason, expression).toBe(text);
  }
});

test('integers of 64 bits are read and written whole', async () => {
  const echo = await moduleOf(`const out = new JsonArray();
  const list = msg.json();
  for (let i = 0; i < list.length; i++) out.push(list.at(i).int());
  return json(out);`);
  const of = (payload: string) => runModule(echo, { payload });
  expect(of('[0,-1,9223372036854775807,-9223372036854775808,1e3,2.0,-0]').text).toBe('[0,-1,9223372036854775807,-9223372036854775808,1000,2,0]');
  for (const text of ['9223372036854775808', '-9223372036854775809', '1e19', '0.5', `1${'0'.repeat(100_000)}`])
    expect(of(`[${text}]`).reason).toContain('an integer was expected');
});

test('writing JSON: objects and arrays in each other, values as they were, anything that has a place in JSON', async () => {
  const made = await run(
    `const order = msg.json();
  const out = new JsonObject();
  out.set('raw', order.get('raw')).set('i', <i8>-5).set('u', <u64>18446744073709551615).set('f', 0.1).set('b', false).setNull('n');
  const list = out.array('list');
  list.object().set('a', 1).object('deep').array('er').push('x').pushNull();
  list.array();
  list.push(['p', 'q']).push(new JsonObject().set('own', [1.5])).push(order.get('none'));
  out.set('é"\\n', 'after');
  return json(out);`,
    '{"raw": [1, {"x" : 1.50}]}',
  );
  expect(made.text).toBe(
    '{"raw":[1, {"x" : 1.50}],"i":-5,"u":18446744073709551615,"f":0.1,"b":false,"n":null,"list":[{"a":1,"deep":{"er":["x",null]}},[],["p","q"],{"own":[1.5]},null],"é\\"\\n":"after"}',
  );
  expect(made.reason).toBeUndefined();
  expect((await run("return json(['a', 'b']);")).text).toBe('["a","b"]');
  expect((await run('return json(msg.json());', ' { "a" : 1 } ')).text).toBe('{ "a" : 1 }');
});

test('what cannot be written is refused, not written wrongly', async () => {
  expect(await run("const o = new JsonObject(); const a = o.array('a'); o.set('b', 1); a.push(1); return json(o);")).toMatchObject({
    outcome: 'failed',
    reason: 'Something was added to an object or array after what it lies in went on',
  });
  expect(await run("const o = new JsonObject(); o.set('a', o); return json(o);")).toMatchObject({ outcome: 'failed' });
  expect(await run("const o = new JsonObject(); return json(o.object('a'));")).toMatchObject({
    outcome: 'failed',
    reason: expect.stringContaining('Only a whole object'),
  });
});

test('a table is written line by line, without a new text for every part', async () => {
  const made = await run(`const out = new TextWriter();
  for (let i = 0; i < 20000; i++) out.write('line ').write(i).write(';').write(i / 4).line();
  return text(out, 'text/csv');`);
  expect(made.text).toBe(Array.from({ length: 20_000 }, (_, i) => `line ${i};${Math.trunc(i / 4)}\n`).join(''));
  expect(made.pages).toBeLessThan(32);
});

test('what the step throws, and what the language checks, names the line of the step', async () => {
  const source = `export default defineConvert((msg, ctx) => {
  const list = [1, 2];
  if (msg.text() == 'throw') throw new Error('bäd');
  if (msg.text() == 'assert') assert(list.length == 3, 'three wanted');
  return text(list[msg.text().length].toString());
});`;
  expect((await run(source, 'throw')).reason).toBe('bäd (step.ts:4:30)');
  expect((await run(source, 'assert')).reason).toBe('three wanted (step.ts:5:31)');
  expect((await run(source, 'index out of range')).reason).toBe('Index out of range');
});

test('code at the top level runs once, before the first message', async () => {
  const module = await moduleOf(`const names = new Map<string, string>();
names.set('a', 'Ada');
let calls = 0;
export default defineConvert((msg, ctx) => text(\`\${names.get(msg.text())} \${++calls}\`));`);
  expect(runModule(module, { payload: 'a' }).text).toBe('Ada 1');
});

test('random numbers are those of the platform', async () => {
  const code = "return text(Math.random().toString() + ' ' + Math.random().toString());";
  const [first, second] = [await run(code), await run(code)];
  expect(first.text).toMatch(/^0\.\d+ 0\.\d+$/);
  expect(second.text).toBe(first.text);
});

test('a payload that is no JSON or no text fails the message, or can be asked before', async () => {
  expect((await run('return json(msg.json());', '{"a":1,}')).reason).toBe('The payload is not JSON: a key in double quotes was expected at byte 7');
  expect((await run('return json(msg.json());', '')).reason).toBe('The payload is empty, so it is not JSON');
  expect((await run('return json(msg.json());', '{"a":')).reason).toBe('The payload is not JSON: it ends too early at byte 5');
  expect((await run("return msg.tryJson() ? pass() : text('none');", '{')).text).toBe('none');
  expect((await run('return text(msg.text());', { payload: Uint8Array.of(0x61, 0xff) })).reason).toBe(
    'The payload is not UTF-8 text: read it with msg.bytes()',
  );
  expect((await run("return json(Json.parse('[1, 2'));")).reason).toBe('The text is not JSON: it ends too early at byte 5');
  expect((await run("return json(Json.parse('{\"é\": 2}').get('é'));")).text).toBe('2');
});
