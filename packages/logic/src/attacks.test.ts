import { isUtf8 } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { attacks, goodPayload } from '../test/attacks.ts';
import { mapping, order, testInput, testMessage, testStep } from '../test/make.ts';
import { loadEngine } from './engine.ts';
import { createExecutor, type ExecutorResult } from './executor.ts';
import { createLogicPool } from './pool.ts';
import { defaultStepLimits } from './step-limits.ts';
import type { LogicResult, LogicStep } from './types.ts';

const engine = await loadEngine();
const fresh = () => createExecutor({ engine, isUtf8 });
const neighbour = testStep('convert', mapping);
const hot = 3;

const run = (executor: ReturnType<typeof fresh>, step: LogicStep, payloads: string[], tenantId = 'attacker') =>
  executor.run({ tenantId, steps: [step], messages: payloads.map((payload) => testInput(payload)), capture: false, limits: defaultStepLimits });

/** All that a customer can see of a result, but for the time it took. */
function seen(result: ExecutorResult | LogicResult) {
  const { outcome, steps } = result;
  return {
    ends: outcome === 'ok' ? outcome : result.code,
    reason: outcome === 'ok' ? undefined : result.reason,
    payload: outcome === 'ok' && result.payload ? new TextDecoder().decode(result.payload) : undefined,
    instructions: steps.map((step) => step.instructions),
    logs: steps.map((step) => step.logs),
  };
}

describe('an attack costs the same and ends the same, cold and hot, and a message after it is as if there had been none', { timeout: 30_000 }, () => {
  const [quiet] = run(fresh(), neighbour, [order], 'neighbour').map(seen);

  it.each(attacks)('$name', ({ step, payload, ends, costs = 0 }) => {
    const [good] = run(fresh(), step, [goodPayload]).map(seen);
    expect(good).toMatchObject({ ends: 'ok', payload: goodPayload });

    const executor = fresh();
    const [cold] = run(executor, step, [payload]).map(seen);
    expect(cold).toMatchObject({ ends });
    expect(cold?.instructions[0]).toBeGreaterThan(costs);
    for (const next of run(executor, step, new Array(hot).fill(payload)).map(seen)) expect(next).toEqual(cold);
    expect(run(executor, step, [goodPayload, payload, goodPayload]).map(seen)).toEqual([good, cold, good]);
    expect(run(executor, neighbour, [order]).map(seen)).toEqual([quiet]);
    expect(run(executor, neighbour, [order], 'neighbour').map(seen)).toEqual([quiet]);
  });
});

describe('the pool', { timeout: 60_000 }, () => {
  it('gives one result for every message of every attack, replaces no worker, and serves another tenant in between', async () => {
    await using pool = createLogicPool({ workers: 1, log: () => undefined });
    const ask = () => pool.run({ tenantId: 'neighbour', steps: [neighbour], messages: [testMessage(order)] });
    const [quiet] = (await ask()).map(seen);
    for (const { step, payload, ends } of attacks) {
      const messages = [goodPayload, payload, goodPayload].map((text) => testMessage(text));
      const [attacked, served] = await Promise.all([pool.run({ tenantId: 'attacker', steps: [step], messages }), ask()]);
      expect(attacked.map((result) => seen(result).ends)).toEqual(['ok', ends, 'ok']);
      expect(served.map(seen)).toEqual([quiet]);
    }
    expect(pool.stats()).toMatchObject({ replaced: 0, pending: 0, messages: 4 * attacks.length + 1 });
  });
});
