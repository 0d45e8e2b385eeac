import { wasm } from '@vrsky/metering/webassembly';
import { expect, test } from 'vitest';
import { runModule } from './abi-host.test-support.ts';
import { compileAssemblyScript } from './compile.ts';

async function compiled(kind: 'convert' | 'filter', source: string): Promise<Uint8Array> {
  const result = await compileAssemblyScript(kind, source);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.wasm;
}

const echo = `import { defineConvert, json } from '@vrsky/sdk';\ndefineConvert((msg, ctx) => json(msg.json()));\n`;

test('a step becomes a module that asks only the platform and shows only what the ABI wants', async () => {
  const module = new wasm.Module(await compiled('convert', echo));
  expect(new Set(wasm.Module.imports(module).map(({ module: from }) => from))).toEqual(new Set(['vrsky']));
  expect(
    wasm.Module.exports(module)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['_initialize', 'memory', 'vrsky_run_v1']);
});

test('equal sources give equal bytes, whatever was compiled before', async () => {
  const first = await compiled('convert', echo);
  await compiled('filter', `import { defineFilter } from '@vrsky/sdk';\ndefineFilter((msg) => msg.json().get('ok').exists);\n`);
  expect(Buffer.from(await compiled('convert', echo)).equals(first)).toBe(true);
});

test('the order mapping gives what JavaScript gives', async () => {
  const module = new wasm.Module(
    await compiled(
      'convert',
      `import { defineConvert, json, JsonArray, JsonObject } from '@vrsky/sdk';

export default defineConvert((msg, ctx) => {
  const order = msg.json();
  const lines = order.get('lines');
  const out = new JsonArray();
  let total = 0.0;
  for (let i = 0; i < lines.length; i++) {
    const line = lines.at(i);
    const amount = line.num('qty') * line.num('price');
    total += amount;
    out.object().set('sku', line.get('sku')).set('amount', amount);
  }
  const customer = \`\${order.get('customer').str('first')} \${order.get('customer').str('last')}\`;
  return json(new JsonObject().set('id', order.str('id')).set('customer', customer.toUpperCase()).set('total', total).set('lines', out));
});
`,
    ),
  );
  const order = {
    id: 'A-1001',
    customer: { first: 'Ada', last: 'Łovelace' },
    lines: Array.from({ length: 12 }, (_, i) => ({ sku: `SKU-"${i}"`, qty: i + 1, price: 9.99 / (i + 1) })),
  };
  const lines = order.lines.map(({ sku, qty, price }) => ({ sku, amount: qty * price }));
  const total = lines.reduce((sum, { amount }) => sum + amount, 0);
  const run = runModule(module, { payload: JSON.stringify(order) });
  expect(run).toMatchObject({ outcome: 'converted', contentType: 'application/json', pages: 1 });
  expect(run.text).toBe(JSON.stringify({ id: order.id, customer: 'ADA ŁOVELACE', total, lines }));
});
