import type { StepModule } from '@vrsky/contracts/bundle';
import type { PipelineSpec, StepSpec } from '@vrsky/contracts/pipeline-spec';
import { fixtureMessage, judgeFixture } from '@vrsky/logic/fixtures';
import type { LogicPool } from '@vrsky/logic/pool';
import { log } from '../../../server/log.ts';
import { singleton } from '../../../server/singleton.ts';
import type { DraftProblem } from '../types.ts';
import { importLogic } from './logic-package.ts';

/** A thread for fixtures, so that a step that computes for long holds up nobody's page. */
function getPool(): Promise<LogicPool> {
  return singleton('fixture-pool', async () => {
    const { createLogicPool } = await importLogic('pool');
    return createLogicPool({ workers: 1, log: (line) => log.warn({ line }, 'fixtures') });
  });
}

/** Runs every step on its fixtures, metered and limited as on a node, and says which do not come out as they expect. */
export async function failingFixtures(tenantId: string, { spec, modules }: { spec: PipelineSpec; modules: StepModule[] }): Promise<DraftProblem[]> {
  const problems: DraftProblem[] = [];
  for (const [i, step] of spec.steps.entries()) {
    const compiled = modules.find((module) => module.stepId === step.id);
    if (!compiled) throw new Error(`bug: step ${step.id} is not compiled`);
    problems.push(...(await failingOf(tenantId, step, compiled, i)));
  }
  return problems;
}

async function failingOf(tenantId: string, step: StepSpec, compiled: StepModule, index: number): Promise<DraftProblem[]> {
  const { fixtures = [] } = step;
  if (fixtures.length === 0) return [];
  const pool = await getPool();
  const results = await pool.run({ tenantId, steps: [{ ...compiled, kind: step.kind }], messages: fixtures.map(fixtureMessage) });
  return fixtures.flatMap((fixture, j) => {
    const result = results[j];
    const judged = result && judgeFixture(fixture, result);
    if (judged?.ok) return [];
    const reason = judged?.reason ?? 'It gave no result.';
    return [{ path: `/steps/${index}/fixtures/${j}`, partId: step.id, message: `The fixture “${fixture.name}” of “${step.name}” fails. ${reason}` }];
  });
}
