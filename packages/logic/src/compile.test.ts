import { isUtf8 } from 'node:buffer';
import * as sdk from '@vrsky/sdk';
import { describe, expect, it } from 'vitest';
import { testInput } from '../test/make.ts';
import { abiModule, runModule, wat } from '../test/wat.ts';
import { compileStep } from './compile.ts';
import { loadEngine } from './engine.ts';
import { createExecutor } from './executor.ts';
import { defaultStepLimits } from './step-limits.ts';

const executor = createExecutor({ engine: await loadEngine(), isUtf8 });

/** Compiles and runs a step on a message. */
async function run(kind: 'convert' | 'filter', source: string, payload: string) {
  const compiled = await compileStep({ kind, language: 'typescript', source });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  const [result] = executor.run({
    tenantId: 'a',
    steps: [{ stepId: 's', kind, ...compiled }],
    messages: [testInput(payload)],
    capture: false,
    limits: defaultStepLimits,
  });
  return { ...result, text: result?.payload && new TextDecoder().decode(result.payload) };
}

async function problems(kind: 'convert' | 'filter', source: string) {
  const compiled = await compileStep({ kind, language: 'typescript', source });
  return compiled.problems.map(({ line, column, endColumn, severity, message }) => ({ at: `${line}:${column}-${endColumn}`, severity, message }));
}

describe('compileStep', { timeout: 120_000 }, () => {
  it('takes TypeScript with the types of the SDK', async () => {
    const source = `import type { Message } from '@vrsky/sdk';

interface Order { id: string; lines: { qty: number; price: number }[] }
enum Size { Small = 'small', Large = 'large' }

export default function (message: Message) {
  const order = message.json<Order>();
  const total = order.lines.reduce((sum, line) => sum + line.qty * line.price, 0);
  return { orderId: order.id, total, size: total > 100 ? Size.Large : Size.Small };
}
`;
    expect(await run('convert', source, '{"id":"A","lines":[{"qty":3,"price":50}]}')).toMatchObject({
      outcome: 'ok',
      text: '{"orderId":"A","total":150,"size":"large"}',
    });
  });

  it('takes plain JavaScript, a global Message type, an async function and the helpers of the SDK', async () => {
    expect(await run('convert', 'export default function (message) { return message.json().a }', '{"a":[1]}')).toMatchObject({ text: '[1]' });
    expect(
      await run('filter', 'export default (m: Message) => m.json().paid === true || ("status is " + m.json().status + ", not paid")', '{"status":"open"}'),
    ).toMatchObject({ outcome: 'filtered', reason: 'status is open, not paid' });
    expect(await run('convert', 'export default async (m: Message) => { await null; return m.text() }', '{}')).toMatchObject({ text: '{}' });
    expect(
      await run('convert', `import { defineConvert, output } from '@vrsky/sdk';\nexport default defineConvert((m) => output(m.text(), 'text/csv'));`, 'a;b'),
    ).toMatchObject({ text: 'a;b', contentType: 'text/csv' });
    expect(
      await run('filter', `import { defineFilter } from '@vrsky/sdk';\nexport default defineFilter((m) => m.headers.get('x') === null);`, ''),
    ).toMatchObject({ outcome: 'ok' });
  });

  it('gives the context of the SDK: log, metadata, filter with a route, fail', async () => {
    const source = `import { defineConvert } from '@vrsky/sdk';

export default defineConvert((msg, ctx) => {
  const order = msg.json<Order>();
  if (order.status === 'stolen') return ctx.fail('call the police');
  if (order.status !== 'paid') return ctx.filter('not paid yet', { route: 'unpaid' });
  ctx.log('total', order.total);
  const { messageId, customerId, traceId, pipelineId, contentType, receivedAt } = ctx.metadata;
  return [messageId, customerId, traceId, pipelineId, contentType, receivedAt.toISOString()];
});
interface Order { status: string; total: number }
`;
    expect(await run('convert', source, '{"status":"paid","total":5}')).toMatchObject({
      text: '["msg_1","cus_1","0af7651916cd43dd8448eb211c80319c","pip_1","application/json","2026-01-02T03:04:05.000Z"]',
      steps: [{ logs: ['total 5'] }],
    });
    const filtered = await run('convert', source, '{"status":"open"}');
    expect(filtered).toMatchObject({ outcome: 'filtered', reason: 'not paid yet', steps: [{ route: 'unpaid' }] });
    expect(await run('convert', source, '{"status":"stolen"}')).toMatchObject({
      outcome: 'failed',
      code: 'threw',
      reason: 'call the police',
      steps: [{ line: 5 }],
    });
    const filter = `import { defineFilter } from '@vrsky/sdk';\nexport default defineFilter((msg, { filter }) => msg.text() === 'a' || filter('no a'));`;
    expect(await run('filter', filter, 'a')).toMatchObject({ outcome: 'ok' });
    expect(await run('filter', filter, 'b')).toMatchObject({ outcome: 'filtered', reason: 'no a' });
  });

  it('gives a step the names that the SDK exports, and nothing else to require', async () => {
    const source = (names: string) => `import * as sdk from '@vrsky/sdk';\nexport default () => ${names}`;
    expect(await run('convert', source("Object.keys(sdk).filter((name) => name !== 'default').sort().join()"), '')).toMatchObject({
      text: Object.keys(sdk).sort().join(),
    });
    const unchecked = '// @ts-nocheck\nconst fs = require("fs");\nexport default () => 1';
    expect(await problems('convert', unchecked)).toEqual([
      expect.objectContaining({ message: 'The code fails when it is loaded: A step can import only "@vrsky/sdk", not "fs"' }),
    ]);
  });

  it('makes the same bytes of the same source, without a path of this machine', async () => {
    const source = `import { output } from '@vrsky/sdk';\nexport default (m: Message) => output(m.text(), 'a/b');`;
    const [a, b] = [
      await compileStep({ kind: 'convert', language: 'typescript', source }),
      await compileStep({ kind: 'convert', language: 'typescript', source }),
    ];
    expect(a).toEqual(b);
    const map = a.ok ? atob(a.code.split('base64,')[1] ?? '') : '';
    expect(JSON.parse(map)).toMatchObject({ sources: ['step.ts'], names: [] });
  });

  it('shows a runtime error at its place in the source', async () => {
    const source = `import { defineConvert } from '@vrsky/sdk';

type Order = { customer?: { name: string } };

// a comment
function nameOf(order: Order): string {
  return order.customer!.name;
}

export default defineConvert((message) => {
  const order: Order = message.json();
  return nameOf(order);
});
`;
    const result = await run('convert', source, '{}');
    expect(result).toMatchObject({ outcome: 'failed', code: 'threw', reason: expect.stringMatching(/^TypeError: cannot read property 'name' of undefined/) });
    expect(result.steps?.[0]).toMatchObject({ line: 7, column: expect.any(Number) });
    expect((await run('convert', source, 'no json')).steps?.[0]).toMatchObject({ line: 11, reason: expect.stringContaining('The payload is not JSON') });
  });

  it('shows type and syntax errors at their line and column', async () => {
    expect(await problems('convert', 'const a: number = "x";\nexport default () => a')).toEqual([
      { at: '1:7-8', severity: 'error', message: "Type 'string' is not assignable to type 'number'." },
    ]);
    expect(await problems('convert', 'export default (m: Message) => ({\n  a: m.jsn(),\n})')).toEqual([
      { at: '2:8-11', severity: 'error', message: expect.stringContaining("Did you mean 'json'?") },
    ]);
    expect(await problems('convert', 'export default function ( {')).toEqual([{ at: '1:28-28', severity: 'error', message: "'}' expected." }]);
    expect(await problems('convert', 'export default () => { const ä = "😀"; return b }')).toEqual([
      { at: '1:47-48', severity: 'error', message: "Cannot find name 'b'." },
    ]);
  });

  it('refuses every import but the SDK, and says what to do', async () => {
    const message = (name: string): string =>
      `A step can import only "@vrsky/sdk", not "${name}". Put the code it needs into the step itself, or bundle it with the vrsky CLI.`;
    expect(await problems('convert', "import _ from 'lodash';\nimport fs from 'node:fs';\nexport { x } from './x';\nexport default () => import('y')")).toEqual(
      [
        { at: '1:15-23', severity: 'error', message: message('lodash') },
        { at: '2:16-25', severity: 'error', message: message('node:fs') },
        { at: '3:19-24', severity: 'error', message: message('./x') },
        { at: '4:29-32', severity: 'error', message: message('y') },
      ],
    );
  });

  it('says what a step must export and return', async () => {
    expect(await problems('convert', 'export const x = 1')).toEqual([
      { at: '1:1-1', severity: 'error', message: expect.stringContaining('needs a function as its default export') },
    ]);
    expect(await problems('convert', '')).toEqual([
      { at: '1:1-1', severity: 'error', message: expect.stringContaining('needs a function as its default export') },
    ]);
    expect(await problems('convert', 'const x = 1;\nexport default (m: Message) => {\n  m.json();\n}')).toEqual([
      {
        at: '2:1-33',
        severity: 'error',
        message: expect.stringMatching(/^A convert step returns the new message: text, bytes or a value for JSON\. Type 'void'/),
      },
    ]);
    expect(await problems('filter', 'export default (m: Message) => m.text().length')).toEqual([
      { at: '1:1-47', severity: 'error', message: expect.stringMatching(/^A filter returns true to keep the message, .* Type 'number'/) },
    ]);
  });

  it('refuses what the engine does not have', async () => {
    expect(await problems('convert', 'export default () => new Intl.NumberFormat("de").format(1)')).toEqual([
      { at: '1:26-30', severity: 'error', message: 'Intl is not available in a step' },
    ]);
    for (const name of ['fetch', 'process', 'setTimeout', 'require', 'document']) {
      expect(await problems('convert', `export default () => [${name}]`)).toEqual([
        expect.objectContaining({ message: expect.stringContaining(`Cannot find name '${name}'`) }),
      ]);
    }
  });

  it('runs the top level once and refuses what fails there', async () => {
    expect(await problems('convert', 'const table: unknown = JSON.parse("{");\nexport default () => table as object')).toEqual([
      { at: '1:34-34', severity: 'error', message: expect.stringMatching(/^The code fails when it is loaded: SyntaxError/) },
    ]);
    expect(await problems('convert', 'for (;;);\nexport default () => 1')).toEqual([
      expect.objectContaining({ message: expect.stringContaining('more than 2,000,000,000 instructions') }),
    ]);
    expect(await problems('convert', 'const x = await Promise.resolve(1);\nexport default () => x')).toEqual([
      { at: '1:11-16', severity: 'error', message: 'A step cannot wait at its top level: use await inside of its function' },
    ]);
  });

  it('takes a WebAssembly module in base64 as it is, when it is a step', async () => {
    const step = (module: Uint8Array, lines = '') => ({
      kind: 'convert' as const,
      language: 'wasm' as const,
      source: Buffer.from(module).toString('base64') + lines,
    });
    const module = runModule('(local.set $i (call $input_size)) (call $input_read (i32.const 0)) (call $output (i32.const 0) (local.get $i)) (i32.const 1)');
    const compiled = await compileStep(step(module, '\n'));
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    expect(compiled).toMatchObject({ format: 'wasm', code: Buffer.from(module).toString('base64') });
    const [result] = executor.run({
      tenantId: 'a',
      steps: [{ stepId: 's', kind: 'convert', ...compiled }],
      messages: [testInput('as it came')],
      capture: false,
      limits: defaultStepLimits,
    });
    expect(new TextDecoder().decode(result?.payload)).toBe('as it came');
    const refused = async (source: string) => (await compileStep({ kind: 'convert', language: 'wasm', source })).problems.map(({ message }) => message);
    expect(await refused('{}')).toEqual(['The module is not in base64']);
    expect(await refused('aGVsbG8=')).toEqual(['The module cannot be used: this is not a valid WebAssembly module']);
    expect(await refused(step(wat('(module (memory (export "memory") 1))')).source)).toEqual(['The module does not export the function vrsky_run_v1']);
    expect(await refused(step(abiModule('(func (export "vrsky_run_v1") (result i32) i32.const 0) (func (export "_initialize") unreachable)')).source)).toEqual([
      '_initialize failed: The module stopped itself (unreachable)',
    ]);
  });

  it('refuses code that is too long', async () => {
    expect(await problems('convert', 'x'.repeat(1_048_577))).toEqual([
      { at: '1:1-1', severity: 'error', message: 'The code has 1,048,577 characters; at most 1,048,576 are allowed' },
    ]);
  });

  it('compiles many at a time', async () => {
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) => compileStep({ kind: 'convert', language: 'typescript', source: `export default () => ${i}` })),
    );
    expect(new Set(all.map((compiled) => compiled.ok && compiled.sha256)).size).toBe(20);
  });
});
