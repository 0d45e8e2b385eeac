/**
 * What a step costs: a 1 KB JSON mapping in TypeScript and in AssemblyScript, metered, with everything put back before every message, beside
 * the same mapping in this process's own V8, in the same rounds: `npm run bench:logic [-- --rounds 60]`. CPU time where it says so. And what
 * one tenant's attacks do to another's waiting time.
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
import { fromBase64, prepareModule } from '@vrsky/logic/wasm-module';
import { LatencyHistogram, printFigures, printTable } from '../report.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '60' } } });
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

const fastMapping = `
import { defineConvert, json, JsonArray, JsonObject } from '@vrsky/sdk';

export default defineConvert((msg) => {
  const order = msg.json();
  const read = order.get('lines');
  const lines = new JsonArray();
  let total = 0.0;
  for (let i = 0; i < read.length; i++) {
    const line = read.at(i);
    const amount = line.num('qty') * line.num('price');
    total += amount;
    lines.object().set('sku', line.get('sku')).set('amount', amount);
  }
  const customer = order.get('customer');
  const name = (customer.str('first') + ' ' + customer.str('last')).toUpperCase();
  return json(new JsonObject().set('orderId', order.get('id')).set('customer', name).set('total', total).set('lines', lines));
});`;

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

async function compiled(kind: LogicStep['kind'], source: string, language: 'typescript' | 'assemblyscript' = 'typescript'): Promise<LogicStep> {
  const result = await compileStep({ kind, language, source });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return { stepId: kind, kind, format: result.format, code: result.code, sha256: result.sha256 };
}

/** Of the times of a figure, the one that a tenth is below: what else the machine does can only add to them. */
function lowest(times: number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 10)] ?? Number.NaN;
}

function highest(rates: number[]): number {
  return rates.toSorted((a, b) => b - a)[Math.floor(rates.length / 10)] ?? Number.NaN;
}

/** The median of ratios to V8's time in the same round, when the machine was as fast. */
function againstV8(list: number[]): number {
  return list.map((value, round) => value / (times.native[round] ?? Number.NaN)).toSorted((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
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
const fast = await compiled('convert', fastMapping, 'assemblyscript');
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

const expected = decoder.decode(native(payload));
function instructionsOf(step: LogicStep): number {
  const got = decoder.decode(here(step)[0]?.payload);
  if (got !== expected) throw new Error(`the step made ${got}, not ${expected}`);
  return here(step)[0]?.steps[0]?.instructions ?? 0;
}
const instructions = { typescript: instructionsOf(convert), assemblyscript: instructionsOf(fast) };

const pool = createLogicPool({ workers: 1, log: (line) => process.stderr.write(`${line}\n`) });
const batchesAtOnce = 8;
const through = (step: LogicStep) => Promise.all(Array.from({ length: batchesAtOnce }, () => pool.run({ tenantId: 'a', steps: [step], messages: batch })));

// Hot functions are optimised while they run, the engine's a few at a time over some 20,000 messages; measure what they are afterwards.
for (let i = 0; i < 300; i++) {
  here(convert);
  here(filter);
  for (let k = 0; k < 16; k++) here(fast);
  for (let k = 0; k < 64; k++) native(payload);
}
for (let i = 0; i < 40; i++) {
  await through(convert);
  await through(fast);
}

const times = { native: [] as number[], convert: [] as number[], fast: [] as number[], filter: [] as number[], pool: [] as number[], fastPool: [] as number[] };
const perSecond = { convert: [] as number[], fast: [] as number[] };
/** Times enough messages for the clock's grain. */
async function throughPool(step: LogicStep, times: number[], rates: number[], repeats: number): Promise<void> {
  const messages = batch.length * batchesAtOnce * repeats;
  const startedAt = performance.now();
  times.push(
    await measure(messages, async () => {
      for (let i = 0; i < repeats; i++) await through(step);
    }),
  );
  rates.push((messages * 1000) / (performance.now() - startedAt));
}
for (let round = 0; round < rounds; round++) {
  times.native.push(
    await measure(640, () => {
      for (let i = 0; i < 640; i++) native(payload);
    }),
  );
  times.convert.push(
    await measure(320, () => {
      for (let i = 0; i < 5; i++) here(convert);
    }),
  );
  times.fast.push(
    await measure(640, () => {
      for (let i = 0; i < 10; i++) here(fast);
    }),
  );
  times.filter.push(await measure(64, () => here(filter)));
  await throughPool(convert, times.pool, perSecond.convert, 1);
  await throughPool(fast, times.fastPool, perSecond.fast, 4);
}
await pool[Symbol.asyncDispose]();

/** From a step that a warm thread has not seen to its first result, and what the thread keeps of it. */
async function coldSteps(steps: LogicStep[], held: (memory: NodeJS.MemoryUsage) => number): Promise<{ ms: number; bytes: number }> {
  const prepared = steps.map((step) =>
    step.format === 'wasm' ? { ...step, prepared: prepareModule(fromBase64(step.code), defaultStepLimits.memoryBytes) } : step,
  );
  const heldBefore = held(memoryUsage());
  const times = prepared.map((step) => {
    const startedAt = performance.now();
    executor.run({ tenantId: 'a', steps: [step], messages: inputs.slice(0, 1), capture: false, limits: defaultStepLimits });
    return performance.now() - startedAt;
  });
  return { ms: lowest(times), bytes: (held(memoryUsage()) - heldBefore) / steps.length };
}
// All of a script's image is in buffers.
const coldScripts = await coldSteps(
  await Promise.all(Array.from({ length: 100 }, (_, i) => compiled('convert', `${mapping}\nexport const n = ${i};`))),
  ({ heapUsed, arrayBuffers }) => heapUsed + arrayBuffers,
);
const fastBytes = fromBase64(fast.code);
const coldModules = await coldSteps(
  Array.from({ length: 100 }, (_, i) => {
    // A custom section makes it another module, with another hash.
    const code = Buffer.concat([fastBytes, Uint8Array.of(0, 3, 1, 0x6e, i)]).toString('base64');
    return { ...fast, code, sha256: createHash('sha256').update(code).digest('hex') };
  }),
  // A module has an instance, whose memory takes the pages that were touched.
  ({ rss }) => rss,
);

const loop: LogicStep = {
  stepId: 'loop',
  kind: 'filter',
  format: 'script',
  code: '({ default: () => { for (;;); } })',
  sha256: createHash('sha256').update('loop').digest('hex'),
};
const loopMs = Array.from({ length: 8 }, () => {
  const startedAt = performance.now();
  executor.run({ tenantId: 'a', steps: [loop], messages: inputs.slice(0, 1), capture: false, limits: { ...defaultStepLimits, instructions: 100_000_000 } });
  return performance.now() - startedAt;
});

const neighbour = await besideAttacks();

/** How long one tenant waits for a message at 200 a second, alone and while another runs endless loops as fast as it may. */
async function besideAttacks(): Promise<{ aloneMs: number; attackedMs: number; replaced: number }> {
  const shared = createLogicPool({ workers: 2, log: (line) => process.stderr.write(`${line}\n`) });
  const victim = () => shared.run({ tenantId: 'victim', steps: [convert], messages: [message] });
  const seconds = 4;
  const listen = async (waits: LatencyHistogram): Promise<void> => {
    const pending: Promise<unknown>[] = [];
    for (const endsAt = performance.now() + seconds * 1_000; performance.now() < endsAt; await pause(5)) {
      const startedAt = performance.now();
      pending.push(victim().then(() => waits.record((performance.now() - startedAt) * 1_000)));
    }
    await Promise.all(pending);
  };
  for (let i = 0; i < 400; i++) await victim();
  const alone = new LatencyHistogram();
  const attacked = new LatencyHistogram();
  for (let turn = 0; turn < 2; turn++) {
    await listen(alone);
    let attacks = true;
    const attacker = (async () => {
      while (attacks) await Promise.all(Array.from({ length: 4 }, () => shared.run({ tenantId: 'attacker', steps: [loop], messages: batch })));
    })();
    await pause(1_000);
    await listen(attacked);
    attacks = false;
    await attacker;
  }
  const { replaced } = shared.stats();
  await shared[Symbol.asyncDispose]();
  return { aloneMs: alone.percentileMs(99), attackedMs: attacked.percentileMs(99), replaced };
}

const us = (list: number[]): number => Math.round(lowest(list) * 10) / 10;
const row = (name: string, list: number[]): string[] => [name, String(us(list)), againstV8(list).toFixed(1)];
printTable(
  [`${payload.length} bytes of JSON, ${availableParallelism()} cores`, 'µs CPU a message', 'against V8'],
  [
    ['mapping in this process (V8), JSON in and out', String(us(times.native)), '1'],
    row(`in AssemblyScript (${instructions.assemblyscript.toLocaleString('en')} instructions), everything put back`, times.fast),
    row(`in TypeScript (${instructions.typescript.toLocaleString('en')} instructions), everything put back`, times.convert),
    row('a TypeScript filter that looks at nothing', times.filter),
    row('AssemblyScript through the worker pool, both threads', times.fastPool),
    row('TypeScript through the worker pool, both threads', times.pool),
  ],
);
const rates = { assemblyscript: Math.round(highest(perSecond.fast)), typescript: Math.round(highest(perSecond.convert)) };
console.log(
  `through the pool with one worker: ${rates.assemblyscript.toLocaleString('en')} messages a second in AssemblyScript, ${rates.typescript.toLocaleString('en')} in TypeScript`,
);
console.log(
  `a step that a warm worker has not seen, until its first message is through: ${coldModules.ms.toFixed(2)} ms in AssemblyScript, ${coldScripts.ms.toFixed(2)} ms in TypeScript`,
);
console.log(`memory of an idle step: ${kib(coldModules.bytes)} in AssemblyScript, ${kib(coldScripts.bytes)} in TypeScript`);
console.log(`an endless loop is stopped after 100,000,000 instructions: ${lowest(loopMs).toFixed(1)} ms`);
console.log(
  `a tenant's p99 at 200 messages a second: ${neighbour.aloneMs.toFixed(1)} ms alone, ${neighbour.attackedMs.toFixed(1)} ms beside endless loops of another; ${neighbour.replaced} workers were replaced`,
);
printFigures('logic', {
  native: { value: us(times.native), unit: 'µs CPU' },
  assemblyscriptMapping: { value: us(times.fast), unit: 'µs CPU', goal: '<= 12' },
  typescriptMapping: { value: us(times.convert), unit: 'µs CPU', goal: '<= 60' },
  assemblyscriptAgainstV8: { value: againstV8(times.fast), unit: 'ratio' },
  typescriptAgainstV8: { value: againstV8(times.convert), unit: 'ratio' },
  emptyStep: { value: us(times.filter), unit: 'µs CPU' },
  assemblyscriptPerSecond: { value: rates.assemblyscript, unit: '1/s', goal: '>= 50000' },
  typescriptPerSecond: { value: rates.typescript, unit: '1/s', goal: '>= 12000' },
  coldAssemblyscript: { value: coldModules.ms, unit: 'ms', goal: '<= 1' },
  coldTypescript: { value: coldScripts.ms, unit: 'ms', goal: '<= 1' },
  idleAssemblyscript: { value: coldModules.bytes, unit: 'bytes' },
  idleTypescript: { value: coldScripts.bytes, unit: 'bytes' },
  loopOf100MStopped: { value: lowest(loopMs), unit: 'ms', goal: '<= 40' },
  neighbourP99: { value: neighbour.attackedMs / neighbour.aloneMs, unit: 'ratio', goal: '<= 2' },
});

/** After a collection. */
function memoryUsage(): NodeJS.MemoryUsage {
  for (let i = 0; i < 4; i++) globalThis.gc?.();
  return process.memoryUsage();
}

function kib(bytes: number): string {
  return `${Math.round(bytes / 1024).toLocaleString('en')} KiB`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
