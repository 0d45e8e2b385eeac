import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { wat } from '../test/wat.ts';
import { defaultStepLimits } from './step-limits.ts';
import { allowedImports, wasmField } from './wasm-abi.ts';
import { prepareModule } from './wasm-module.ts';
import { createWasmSandbox } from './wasm-sandbox.ts';

const text = readFileSync(new URL('../../../docs/logic-abi.md', import.meta.url), 'utf8');

describe('docs/logic-abi.md', () => {
  it('names every function that a module may import, and no other', () => {
    const imports = text.split('## What a module may import')[1]?.split('## What is put back')[0] ?? '';
    const named = [...imports.matchAll(/^\| `(\w+)` \| `\(/gm)].map(([, name]) => name);
    expect(named).toEqual(allowedImports.map(({ name }) => name));
    expect([...imports.matchAll(/^\| (\d) \|/gm)].map(([, field]) => Number(field))).toEqual(Object.values(wasmField));
  });

  it('has a whole module that does what it says', () => {
    const source = /```wat\n([^`]*)```/.exec(text)?.[1];
    if (!source) throw new Error('the module is gone');
    const sandbox = createWasmSandbox(prepareModule(wat(source), defaultStepLimits.memoryBytes));
    const run = (payload: string) => {
      const input = { id: 'm', customerId: 'c', traceId: 't', pipelineId: 'p', contentType: 'a/b', receivedAtMs: 0, headersJson: '[]' };
      const made = sandbox.run('convert', { ...input, payload: new TextEncoder().encode(payload) }, defaultStepLimits);
      return made.outcome === 'made' ? [new TextDecoder().decode(made.payload), made.contentType] : made;
    };
    expect(run('')).toMatchObject({ outcome: 'dropped', reason: 'the payload is empty' });
    expect(run('x')).toEqual(['short', 'text/plain']);
    expect(run('x'.repeat(100))).toEqual(['long', 'text/plain']);
  });
});
