import { isUtf8 } from 'node:buffer';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { testInput } from '../test/make.ts';
import { compileStep } from './compile.ts';
import { loadEngine } from './engine.ts';
import { createExecutor } from './executor.ts';
import { defaultStepLimits } from './step-limits.ts';

const executor = createExecutor({ engine: await loadEngine(), isUtf8 });

/** A step with its libraries in it, as the command line makes one. */
async function bundle(source: string): Promise<string> {
  const made = await build({
    stdin: { contents: source, loader: 'ts', resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'es2023',
    external: ['@vrsky/sdk'],
    banner: { js: '// @ts-nocheck' },
  });
  return (made.outputFiles[0] as { text: string }).text;
}

async function run(source: string, payload: string) {
  const compiled = await compileStep({ kind: 'convert', language: 'typescript', source: await bundle(source) });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  const results = executor.run({
    tenantId: 'a',
    steps: [{ stepId: 's', kind: 'convert', ...compiled }],
    messages: [testInput(payload), testInput(payload)],
    capture: false,
    limits: defaultStepLimits,
  });
  expect(results[0]?.steps[0]?.instructions).toBe(results[1]?.steps[0]?.instructions);
  const [result] = results;
  return { outcome: result?.outcome, reason: result?.reason, text: result?.payload && new TextDecoder().decode(result.payload) };
}

describe('a step with ordinary npm libraries', { timeout: 120_000 }, () => {
  it('checks a message with zod', async () => {
    const source = `import { defineConvert } from '@vrsky/sdk';
import { z } from 'zod';
const Order = z.object({ id: z.string(), email: z.email(), lines: z.array(z.object({ qty: z.number().int().positive() })).min(1) });
export default defineConvert((msg, ctx) => {
  const order = Order.safeParse(msg.json());
  if (!order.success) return ctx.filter(order.error.issues.map((issue) => issue.path.join('.') + ': ' + issue.code).join(', '));
  return { id: order.data.id, pieces: order.data.lines.reduce((sum, line) => sum + line.qty, 0) };
});`;
    expect(await run(source, '{"id":"A","email":"a@example.test","lines":[{"qty":2},{"qty":3}]}')).toMatchObject({
      outcome: 'ok',
      text: '{"id":"A","pieces":5}',
    });
    expect(await run(source, '{"id":1,"email":"a","lines":[]}')).toMatchObject({
      outcome: 'filtered',
      reason: 'id: invalid_type, email: invalid_format, lines: too_small',
    });
  });

  it('uses a library in CommonJS that looks for process', async () => {
    const source = `import { defineConvert } from '@vrsky/sdk';
import semver from 'semver';
export default defineConvert((msg) => semver.sort(msg.json()).map((version) => [version, semver.satisfies(version, '^1.2.0')]));`;
    expect(await run(source, '["1.10.0","1.2.3","2.0.0-rc.1"]')).toMatchObject({ text: '[["1.2.3",true],["1.10.0",true],["2.0.0-rc.1",false]]' });
  });
});
