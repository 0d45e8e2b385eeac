/**
 * What a step costs: a 1 KB JSON mapping in TypeScript on the metered engine, with the whole heap restored before every message, beside
 * the same mapping in this process's own V8, in the same rounds: `npm run bench:logic [-- --rounds 30]`. CPU time, not wall time.
 */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { compileStep } from '@vrsky/logic/compile';
import { loadEngine } from '@vrsky/logic/engine';
import { createExecutor } from '@vrsky/logic/executor';
import { createLogicPool, type LogicMessage, type LogicStep } from '@vrsky/logic/pool';
import { defaultStepLimits } from '@vrsky/logic/step-limits';
import { printFigures, printTable } from '../report.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '30' } } });
const rounds = Number(values.rounds);

interface Order {
  id: string;
  customer: { first: string; last: string };
  lines: { sku: string; qty: number; price: number }[];
}

const mapping = `
interface Order { id: string; customer: { first: string; last: string }; lines: { sku: string; qty: number; price: number }[] }

export default function (message: Message) {
  const order = message.json<Order>();
  const lines = order.lines.map((line) => ({ sku: line.sku, amount: line.qty * line.price }));
  const total = lines.reduce((sum, line) => sum + line.amount, 0);
  return { orderId: order.id, customer: \`\${order.customer.first} \${order.customer.last}\`.toUpperCase(), total, lines };
}`;

const order = {
  id: 'A-1001',
  status: 'paid',
  customer: { first: 'Ada', last: 'Lovelace', email: 'ada@example.test', note: 'x'.repeat(190) },
  lines: Array.from({ length: 12 }, (_, i) => ({ sku: `SKU-${i}`, qty: i + 1, price: 9.99, text: `line text ${i}` })),
};
const payload = new TextEncoder().encode(JSON.stringify(order));

const decoder = new TextDecoder();
const encoder = new TextEncoder();
function native(bytes: Uint8Array): Uint8Array {
  const read = JSON.parse(decoder.decode(bytes)) as Order;
  const lines = read.lines.map((line) => ({ sku: line.sku, amount: line.qty * line.price }));
  const total = lines.reduce((sum, line) => sum + line.amount, 0);
  return encoder.encode(JSON.stringify({ orderId: read.id, customer: `${read.customer.first} ${read.customer.last}`.toUpperCase(), total, lines }));
}

async function compiled(kind: LogicStep['kind'], source: string): Promise<LogicStep> {
  const result = await compileStep({ kind, language: 'typescript', source });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return { stepId: kind, kind, format: result.format, code: result.code, sha256: result.sha256 };
}

/** Of the times of a figure: what else the machine does can only add to them. */
function lowerQuartile(times: number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 2] ?? Number.NaN;
}

function upperQuartile(rates: number[]): number {
  return rates.toSorted((a, b) => b - a)[rates.length >> 2] ?? Number.NaN;
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** CPU of the whole process, every thread of it, for one message. */
async function measure(messages: number, work: () => unknown): Promise<number> {
  const before = cpuUs();
  await work();
  return (cpuUs() - before) / messages;
}

const convert = await compiled('convert', mapping);
const filter = await compiled('filter', 'export default () => true');
const executor = createExecutor({ engine: await loadEngine(), isUtf8 });
const message: LogicMessage = {
  id: 'msg_1',
  customerId: 'cus_1',
  traceId: 't',
  pipelineId: 'pip_1',
  headers: [['x-shop', 'a']],
  contentType: 'application/json',
  payload,
  receivedAtMs: Date.now(),
};
const batch = new Array<LogicMessage>(64).fill(message);
const inputs = batch.map((item) => ({ ...item, headersJson: '[]' }));
const here = (step: LogicStep) => executor.run({ tenantId: 'a', steps: [step], messages: inputs, capture: false, limits: defaultStepLimits });

const instructions = here(convert)[0]?.steps[0]?.instructions ?? 0;
const expected = decoder.decode(native(payload));
const got = decoder.decode(here(convert)[0]?.payload);
if (got !== expected) throw new Error(`the step made ${got}, not ${expected}`);

const pool = createLogicPool({ workers: 1, log: (line) => process.stderr.write(`${line}\n`) });
const through = (step: LogicStep, batches: number) =>
  Promise.all(Array.from({ length: batches }, () => pool.run({ tenantId: 'a', steps: [step], messages: batch })));

// The engine's hot functions are optimised while it runs; measure what they are afterwards.
for (let i = 0; i < 60; i++) {
  here(convert);
  here(filter);
  for (let k = 0; k < 64; k++) native(payload);
}
await through(convert, 60);

const times = { native: [] as number[], convert: [] as number[], filter: [] as number[], pool: [] as number[], poolPerSecond: [] as number[] };
for (let round = 0; round < rounds; round++) {
  times.native.push(
    await measure(640, () => {
      for (let i = 0; i < 640; i++) native(payload);
    }),
  );
  times.convert.push(await measure(64, () => here(convert)));
  times.filter.push(await measure(64, () => here(filter)));
  const startedAt = performance.now();
  times.pool.push(await measure(64 * 8, () => through(convert, 8)));
  times.poolPerSecond.push((64 * 8 * 1000) / (performance.now() - startedAt));
}

const cold = await Promise.all(Array.from({ length: 20 }, (_, i) => compiled('convert', `${mapping}\n// ${i}\nexport const n = ${i};`)));
const coldMs: number[] = [];
for (const step of cold) {
  const startedAt = performance.now();
  executor.run({ tenantId: 'a', steps: [step], messages: inputs.slice(0, 1), capture: false, limits: defaultStepLimits });
  coldMs.push(performance.now() - startedAt);
}

const loop: LogicStep = {
  stepId: 'loop',
  kind: 'filter',
  format: 'script',
  code: '({ default: () => { for (;;); } })',
  sha256: createHash('sha256').update('loop').digest('hex'),
};
const loopMs: number[] = [];
for (let i = 0; i < 8; i++) {
  const startedAt = performance.now();
  executor.run({ tenantId: 'a', steps: [loop], messages: inputs.slice(0, 1), capture: false, limits: { ...defaultStepLimits, instructions: 100_000_000 } });
  loopMs.push(performance.now() - startedAt);
}
await pool[Symbol.asyncDispose]();

const us = (list: number[]): number => Math.round(lowerQuartile(list) * 10) / 10;
printTable(
  [`${payload.length} bytes of JSON, ${availableParallelism()} cores`, 'µs CPU a message', 'against V8'],
  [
    ['mapping in this process (V8), JSON in and out', String(us(times.native)), '1'],
    [
      `mapping as a TypeScript step (${instructions.toLocaleString('en')} instructions), heap restored`,
      String(us(times.convert)),
      (us(times.convert) / us(times.native)).toFixed(1),
    ],
    ['a filter that looks at nothing: what a step costs at least', String(us(times.filter)), (us(times.filter) / us(times.native)).toFixed(1)],
    ['the mapping through the worker pool, both threads', String(us(times.pool)), (us(times.pool) / us(times.native)).toFixed(1)],
  ],
);
console.log(`through the pool: ${Math.round(upperQuartile(times.poolPerSecond)).toLocaleString('en')} messages a second with one worker`);
console.log(`a step that a warm worker has not seen: ${lowerQuartile(coldMs).toFixed(2)} ms until its first message is through`);
console.log(`an endless loop is stopped after 100,000,000 instructions: ${lowerQuartile(loopMs).toFixed(1)} ms`);
printFigures('logic', {
  typescriptMapping: { value: us(times.convert), unit: 'µs CPU', goal: '<= 110' },
  typescriptAgainstV8: { value: us(times.convert) / us(times.native), unit: 'ratio' },
  emptyStep: { value: us(times.filter), unit: 'µs CPU' },
  throughPool: { value: us(times.pool), unit: 'µs CPU', goal: '<= 120' },
  messagesPerSecondAWorker: { value: Math.round(upperQuartile(times.poolPerSecond)), unit: '1/s' },
  coldStep: { value: lowerQuartile(coldMs), unit: 'ms' },
  loopOf100MStopped: { value: lowerQuartile(loopMs), unit: 'ms', goal: '<= 40' },
  instructions: { value: instructions, unit: 'instructions' },
});
