import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { loadEngine } from '../src/engine.ts';
import type { SandboxInput, SandboxLimits, SandboxResult } from '../src/sandbox.ts';
import { createScriptSandbox, type ScriptSandbox } from '../src/script-sandbox.ts';
import { defaultStepLimits } from '../src/step-limits.ts';
import type { LogicMessage, LogicStep } from '../src/types.ts';

export const testLimits: SandboxLimits = defaultStepLimits;

export function testInput(payload: string | Uint8Array, more: Partial<SandboxInput> = {}): SandboxInput {
  return {
    id: 'msg_1',
    customerId: 'cus_1',
    traceId: '0af7651916cd43dd8448eb211c80319c',
    pipelineId: 'pip_1',
    contentType: 'application/json',
    receivedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5),
    headersJson: '[]',
    payload: typeof payload === 'string' ? new TextEncoder().encode(payload) : payload,
    ...more,
  };
}

export async function newSandbox(): Promise<ScriptSandbox> {
  return createScriptSandbox({ engine: await loadEngine(), isUtf8, memoryBytesMax: testLimits.memoryBytes });
}

/** A step from the body of its function, as its exports. */
export function bundled(body: string, before = ''): string {
  return `(() => { ${before}\nreturn { default: function (message, ctx) { ${body} } }; })()`;
}

/** What came out, with its payload as text. */
export function shown(result: SandboxResult): Record<string, unknown> {
  const { instructions: _instructions, split: _split, logs, ...rest } = result;
  return {
    ...rest,
    ...(logs.length > 0 && { logs }),
    ...('payload' in rest && { payload: new TextDecoder().decode(rest.payload) }),
    ...('stack' in rest && { stack: undefined }),
  };
}

export function testStep(kind: 'convert' | 'filter', body: string, before = ''): LogicStep {
  const code = bundled(body, before);
  return { stepId: kind, kind, format: 'script', code, sha256: createHash('sha256').update(code).digest('hex') };
}

export function testMessage(payload: string, more: Partial<LogicMessage> = {}): LogicMessage {
  return {
    id: 'msg_1',
    customerId: 'cus_1',
    traceId: 't',
    pipelineId: 'pip_1',
    headers: [],
    contentType: 'application/json',
    payload: new TextEncoder().encode(payload),
    receivedAtMs: 1_767_323_045_000,
    ...more,
  };
}

/** About 1 KB, as webhooks send it. */
export const order = JSON.stringify({
  id: 'A-1001',
  status: 'paid',
  customer: { first: 'Zoë', last: 'Müller', email: 'zoe@example.test', note: 'x'.repeat(180) },
  lines: Array.from({ length: 12 }, (_, i) => ({ sku: `SKU-${i}`, qty: i + 1, price: 9.99, text: `line text ${i}` })),
});

export const mapping = `
  const o = message.json();
  const out = { id: o.id, total: 0, lines: [], name: (o.customer.first + ' ' + o.customer.last).toUpperCase() };
  for (const l of o.lines) { out.total += l.qty * l.price; out.lines.push({ sku: l.sku, amount: l.qty * l.price }); }
  return out;`;
