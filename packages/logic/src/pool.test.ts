import { isUtf8 } from 'node:buffer';
import { afterAll, describe, expect, it } from 'vitest';
import { mapping, order, testMessage, testStep } from '../test/make.ts';
import { runModule, wasmStep, wat } from '../test/wat.ts';
import { loadEngine } from './engine.ts';
import { createExecutor } from './executor.ts';
import { createLogicPool } from './pool.ts';
import { defaultStepLimits } from './step-limits.ts';
import type { LogicMessage, LogicResult, LogicStep } from './types.ts';

const log: string[] = [];
const pool = createLogicPool({ workers: 2, log: (line) => log.push(line) });
await pool.start?.(new AbortController().signal);
afterAll(() => pool[Symbol.asyncDispose]());

const text = (result: LogicResult | undefined): string =>
  result?.outcome === 'ok' ? new TextDecoder().decode(result.payload) : `${result?.outcome}: ${result?.reason}`;
const convert = testStep('convert', mapping);
const paid = testStep('filter', 'const { status } = message.json(); return status === "paid" || ("status is " + status + ", not paid")');
const batch = (count: number, payload = order): LogicMessage[] => Array.from({ length: count }, (_, i) => testMessage(payload, { id: `msg_${i}` }));

describe('a run', { timeout: 60_000 }, () => {
  it('takes a batch through all steps in order: each gets what the one before it made', async () => {
    const steps = [
      testStep('convert', 'return { n: message.json().n + 1 }'),
      testStep('filter', 'return message.json().n !== 3 || "three"'),
      testStep('convert', 'return { n: message.json().n * 10, id: message.id }'),
    ];
    const messages = [1, 2, 3].map((n) => testMessage(JSON.stringify({ n }), { id: `m${n}` }));
    const results = await pool.run({ tenantId: 'a', steps, messages });
    expect(results.map(text)).toEqual(['{"n":20,"id":"m1"}', 'filtered: three', '{"n":40,"id":"m3"}']);
    expect(results[1]).toMatchObject({ outcome: 'filtered', code: 'filtered', steps: [{ result: 'ok' }, { result: 'filtered', reason: 'three' }] });
    expect(results[0]?.steps.every((run) => run.instructions > 1_000 && run.durationUs >= 0)).toBe(true);
  });

  it('gives a message that only filters saw back as it came', async () => {
    const message = testMessage(order, { contentType: 'application/vnd.shop+json' });
    const [result] = await pool.run({ tenantId: 'a', steps: [paid], messages: [message] });
    expect(result).toMatchObject({ outcome: 'ok', contentType: 'application/vnd.shop+json' });
    expect(result?.outcome === 'ok' && result.payload).toEqual(message.payload);
  });

  it('keeps the content type of text and an empty one, and says what JSON is', async () => {
    const results = await pool.run({
      tenantId: 'a',
      steps: [testStep('convert', 'return message.text() || { empty: true }')],
      messages: [testMessage('a', { contentType: '' }), testMessage('b', { contentType: 'text/plain' }), testMessage('')],
    });
    expect(results.map((result) => [text(result), result.outcome === 'ok' && result.contentType])).toEqual([
      ['a', ''],
      ['b', 'text/plain'],
      ['{"empty":true}', 'application/json'],
    ]);
  });

  it('sends on no content type that would be more than one header', async () => {
    const typed = (contentType: string) =>
      testStep('convert', `return { [Symbol.for('vrsky.output')]: true, body: 'x', contentType: ${JSON.stringify(contentType)} }`);
    const module = runModule('(call $output (i32.const 0) (i32.const 1)) (call $content_type (i32.const 0) (i32.const 6)) (i32.const 1)', {
      before: '(data (i32.const 0) "a/b\\r\\nc")',
    });
    const run = async (step: LogicStep) => {
      const [result] = await pool.run({ tenantId: 'a', steps: [step], messages: [testMessage('')] });
      return result?.outcome === 'ok' ? result.contentType : result?.code;
    };
    expect(await run(typed('text/csv; charset=utf-8'))).toBe('text/csv; charset=utf-8');
    for (const step of [typed('a/b\r\nx-admin: 1'), typed('ä'), typed('x'.repeat(201)), wasmStep('convert', module)])
      expect(await run(step)).toBe('bad_output');
  });

  it('knows a filter from a convert step with the same code', async () => {
    const body = 'return message.text()';
    const run = async (kind: 'convert' | 'filter') =>
      text((await pool.run({ tenantId: 'same', steps: [testStep(kind, body)], messages: [testMessage('no')] }))[0]);
    expect([await run('convert'), await run('filter'), await run('convert')]).toEqual(['no', 'filtered: no', 'no']);
  });

  it('gives messages back without steps', async () => {
    const messages = batch(2);
    expect((await pool.run({ tenantId: 'a', steps: [], messages })).map(text)).toEqual([order, order]);
  });

  it('returns outputs of every step only when asked to, and logs always', async () => {
    const steps = [
      testStep('convert', 'console.log("at", message.id); return message.text() + "1"'),
      testStep('filter', 'return true'),
      testStep('convert', 'return message.text() + "2"'),
    ];
    const [plain] = await pool.run({ tenantId: 'a', steps, messages: [testMessage('x')] });
    expect(plain?.steps.map((run) => [run.logs, run.output])).toEqual([
      [['at msg_1'], undefined],
      [[], undefined],
      [[], undefined],
    ]);
    const [captured] = await pool.run({ tenantId: 'a', steps, messages: [testMessage('x')], capture: true });
    expect(captured?.steps.map((run) => run.output && new TextDecoder().decode(run.output.payload))).toEqual(['x1', 'x1', 'x12']);
  });

  it('handles more messages than fit one job, in order, for many tenants at a time', async () => {
    const steps = [testStep('convert', 'return message.id')];
    const all = await Promise.all(['a', 'b', 'c', 'd'].map((tenantId) => pool.run({ tenantId, steps, messages: batch(150, '{}') })));
    for (const results of all) expect(results.map(text)).toEqual(batch(150).map(({ id }) => id));
  });

  it('counts the same in both workers, in this thread, alone and in a batch', async () => {
    const messages = batch(40);
    const counts = new Set<string>();
    const note = (results: { steps: { instructions: number }[] }[]): void =>
      results.forEach((result) => void counts.add(result.steps.map((run) => run.instructions).join()));
    await Promise.all(Array.from({ length: 8 }, () => pool.run({ tenantId: 'a', steps: [convert], messages }).then(note)));
    note(await pool.run({ tenantId: 'b', steps: [convert], messages: [messages[0] as LogicMessage] }));
    const executor = createExecutor({ engine: await loadEngine(), isUtf8 });
    note(
      executor.run({
        tenantId: 'a',
        steps: [convert],
        messages: messages.slice(0, 3).map((message) => ({ ...message, headersJson: '[]' })),
        capture: false,
        limits: defaultStepLimits,
      }),
    );
    expect([...counts]).toHaveLength(1);
  });
});

describe('a WebAssembly step', { timeout: 60_000 }, () => {
  const echo = runModule('(local.set $i (call $input_size)) (call $input_read (i32.const 0)) (call $output (i32.const 0) (local.get $i)) (i32.const 1)');

  it('runs between TypeScript steps, in both workers, with the same count', async () => {
    const steps = [
      testStep('convert', 'return message.text() + "!"'),
      { ...wasmStep('convert', echo), stepId: 'wasm' },
      testStep('filter', 'return message.text().endsWith("!")'),
    ];
    const runs = await Promise.all(Array.from({ length: 6 }, (_, i) => pool.run({ tenantId: `wasm ${i % 3}`, steps, messages: batch(100, 'hello') })));
    expect(new Set(runs.flat().map(text))).toEqual(new Set(['hello!']));
    expect(new Set(runs.flat().map((result) => result.steps[1]?.instructions)).size).toBe(1);
    expect(runs[0]?.[0]?.steps.map((run) => [run.stepId, run.split !== undefined])).toEqual([
      ['convert', true],
      ['wasm', false],
      ['filter', true],
    ]);
  });

  it('that cannot be used fails every message with the reason', async () => {
    const broken = wasmStep('convert', wat('(module (memory (export "memory") 1))'));
    const results = await pool.run({ tenantId: 'a', steps: [broken], messages: batch(2, '{}') });
    expect(results.map((result) => result.outcome === 'failed' && [result.code, result.reason])).toEqual([
      ['load_failed', 'The module does not export the function vrsky_run_v1'],
      ['load_failed', 'The module does not export the function vrsky_run_v1'],
    ]);
  });

  it('has the memory that its plan gives it', async () => {
    const grow = wasmStep(
      'filter',
      runModule('(call $reason (i32.const 0) (i32.const 1)) (select (i32.const 2) (i32.const 0) (i32.lt_s (memory.grow (i32.const 32)) (i32.const 0)))'),
    );
    const run = async (memoryBytes: number) => (await pool.run({ tenantId: 'a', steps: [grow], messages: batch(1), limits: { memoryBytes } }))[0]?.outcome;
    expect([await run(1_048_576), await run(4_194_304), await run(1_048_576)]).toEqual(['filtered', 'ok', 'filtered']);
  });
});

describe('a step that fails', { timeout: 60_000 }, () => {
  it('fails its own message with code and reason, and none beside it', async () => {
    const body =
      'const { do: what } = message.json(); if (what === "throw") throw new Error("no stock"); if (what === "loop") for (;;); if (what === "big") return "x".repeat(1e8); if (what === "regex") return /^(a+)+$/.test("a".repeat(40) + "!"); return what';
    const messages = ['fine', 'throw', 'fine', 'loop', 'big', 'regex', 'fine'].map((what) => testMessage(JSON.stringify({ do: what })));
    const results = await pool.run({ tenantId: 'a', steps: [testStep('convert', body)], messages });
    expect(results.map((result) => (result.outcome === 'ok' ? 'ok' : `${result.code}: ${result.reason}`))).toEqual([
      'ok',
      'threw: no stock',
      'ok',
      'instructions_exhausted: The step used more than 20,000,000 instructions and was stopped',
      'memory_exhausted: The step needed more than 16 MiB of memory and was stopped',
      'instructions_exhausted: The step used more than 20,000,000 instructions and was stopped',
      'ok',
    ]);
  });

  it('may use more instructions on a longer message', async () => {
    const long = JSON.stringify(Array.from({ length: 3_000 }, (_, i) => ({ id: i, text: 'x'.repeat(90) })));
    const [result] = await pool.run({
      tenantId: 'a',
      steps: [testStep('convert', 'return message.json().map((item) => ({ ...item, text: item.text.toUpperCase() }))')],
      messages: [testMessage(long)],
    });
    expect(result?.outcome).toBe('ok');
    expect(result?.steps[0]?.instructions).toBeGreaterThan(20_000_000);
  });

  it('fails every message when its code does not load', async () => {
    const broken = { ...testStep('convert', ''), code: '(() => { throw new Error("no table") })()', sha256: 'broken' };
    const results = await pool.run({ tenantId: 'a', steps: [broken], messages: batch(2, '{}') });
    expect(results.map((result) => result.outcome === 'failed' && [result.code, result.reason])).toEqual([
      ['load_failed', 'no table'],
      ['load_failed', 'no table'],
    ]);
  });

  it('is stopped with its worker when its instructions do not stop it; the others of the batch are run by another', async () => {
    await using small = createLogicPool({ workers: 1, log: (line) => log.push(line) });
    const steps = [
      testStep('convert', 'return message.text()'),
      { ...testStep('filter', 'if (message.id === "msg_3") for (;;); return true'), stepId: 'hangs' },
    ];
    const results = await small.run({ tenantId: 'a', steps, messages: batch(6, '{}'), limits: { instructions: 1e15, wallMs: 500 } });
    expect(results.map((result) => result.outcome)).toEqual(['ok', 'ok', 'ok', 'failed', 'ok', 'ok']);
    expect(results[3]).toMatchObject({ code: 'stopped', stepId: 'hangs', reason: expect.stringContaining('did not come to an end') });
    expect(small.stats()).toMatchObject({ replaced: 1, pending: 0, messages: 6 });
    expect(log).toContain('logic worker lost: a step ran longer than it may on one message');
  });
});

describe('isolation', { timeout: 60_000 }, () => {
  it('shows nothing of a message to the next, nor of a tenant to another that runs the same code', async () => {
    const spy = testStep(
      'convert',
      'const seen = [globalThis.n ?? 0, {}.leak ?? 0]; globalThis.n = message.id; Object.prototype.leak = message.id; return seen',
    );
    for (const tenantId of ['a', 'b', 'a']) {
      const results = await pool.run({ tenantId, steps: [spy], messages: batch(10, '{}') });
      expect(new Set(results.map(text))).toEqual(new Set(['[0,0]']));
    }
  });

  it('lets another tenant in between the parts of a long batch', async () => {
    await using small = createLogicPool({ workers: 1, log: () => undefined });
    const busy = small.run({ tenantId: 'busy', steps: [testStep('filter', 'for (;;);')], messages: batch(200, '{}') });
    const order: string[] = [];
    await Promise.all([
      busy.then(() => order.push('busy')),
      small.run({ tenantId: 'quick', steps: [testStep('filter', 'return true')], messages: batch(1, '{}') }).then(() => order.push('quick')),
    ]);
    expect(order).toEqual(['quick', 'busy']);
  });
});

describe('life', { timeout: 60_000 }, () => {
  it('starts with the first run, drains what runs, and refuses more when closed', async () => {
    const own = createLogicPool({ workers: 1, log: () => undefined });
    const run = own.run({ tenantId: 'a', steps: [paid], messages: batch(200) });
    await own.drain?.(new AbortController().signal);
    expect(own.stats().pending).toBe(0);
    expect(await run).toHaveLength(200);
    await own[Symbol.asyncDispose]();
    await expect(own.run({ tenantId: 'a', steps: [paid], messages: batch(1) })).rejects.toMatchObject({ code: 'LOGIC.CLOSED' });
  });

  it('rejects what waits when it is closed', async () => {
    const own = createLogicPool({ workers: 1, log: () => undefined });
    const run = own.run({ tenantId: 'a', steps: [testStep('filter', 'for (;;);')], messages: batch(500) });
    const rejected = expect(run).rejects.toMatchObject({ code: 'LOGIC.CLOSED' });
    await own.start?.(new AbortController().signal);
    await own[Symbol.asyncDispose]();
    await rejected;
  });

  it('takes no more than it can hold', async () => {
    const own = createLogicPool({ workers: 1, log: () => undefined });
    const message = testMessage('{}');
    const run = (tenantId: string, count: number) => own.run({ tenantId, steps: [paid], messages: new Array(count).fill(message) });
    const closed = { code: 'LOGIC.CLOSED' };
    const accepted = [expect(run('a', 8_192)).rejects.toMatchObject(closed)];
    const busy = { code: 'LOGIC.BUSY', kind: 'exhausted' };
    await expect(run('a', 1)).rejects.toMatchObject(busy); // one tenant does not fill it
    accepted.push(expect(run('b', 8_192)).rejects.toMatchObject(closed));
    await expect(run('c', 1)).rejects.toMatchObject(busy);
    await own[Symbol.asyncDispose]();
    await Promise.all(accepted);
  });

  it('forgets steps it has not run for long, and runs them again', async () => {
    const steps = Array.from({ length: 300 }, (_, i) => testStep('convert', `return ${i}`));
    for (const step of steps) await pool.run({ tenantId: 'many', steps: [step], messages: batch(1, '{}') });
    expect(text((await pool.run({ tenantId: 'many', steps: [steps[0] as (typeof steps)[0]], messages: batch(1, '{}') }))[0])).toBe('0');
  });
});
