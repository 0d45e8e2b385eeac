import { limits } from '@vrsky/contracts/limits';
import type { Fixture, StepSpec } from '@vrsky/contracts/pipeline-spec';
import { prettyText } from '../../ui/pretty-text.ts';
import type { BenchRun } from './workbench/bench-types.ts';

/** The most characters that a payload or an output in a draft may have. */
export const FIXTURE_TEXT_MAX = 65_536;

/** A result as what a fixture expects from now on; null when it is too large to be kept. */
export function toExpectation(run: BenchRun, kind: StepSpec['kind']): Fixture['expect'] | null {
  if (run.result === 'filtered') return { outcome: 'filtered', ...(run.reason !== null && { reason: run.reason }) };
  if (run.result === 'failed') return { outcome: 'failed', ...(run.reason !== null && { reason: run.reason }) };
  // What a filter lets pass is what came in.
  if (kind === 'filter' || !run.output) return { outcome: 'ok', encoding: 'utf8' };
  const { text, base64, contentType } = run.output;
  // JSON is compared as values: its lines are for reading. Other text must be as it is.
  const output = text === null ? base64 : contentType.includes('json') ? prettyText(text) : text;
  return output.length > FIXTURE_TEXT_MAX ? null : { outcome: 'ok', output, encoding: text === null ? 'base64' : 'utf8' };
}

export function addFixture(step: StepSpec, fixture: Omit<Fixture, 'name'>): Pick<StepSpec, 'fixtures'> {
  const fixtures = step.fixtures ?? [];
  return { fixtures: [...fixtures, { ...fixture, name: freeName(fixtures) }] };
}

export function updateFixture(step: StepSpec, index: number, change: Partial<Fixture>): Pick<StepSpec, 'fixtures'> {
  return { fixtures: (step.fixtures ?? []).map((fixture, i) => (i === index ? { ...fixture, ...change } : fixture)) };
}

export function removeFixture(step: StepSpec, index: number): Pick<StepSpec, 'fixtures'> {
  return { fixtures: (step.fixtures ?? []).toSpliced(index, 1) };
}

export function hasRoomForFixture(step: StepSpec): boolean {
  return (step.fixtures ?? []).length < limits.fixturesPerStepMax;
}

function freeName(fixtures: Fixture[]): string {
  const taken = new Set(fixtures.map(({ name }) => name));
  let n = fixtures.length + 1;
  while (taken.has(`Fixture ${n}`)) n++;
  return `Fixture ${n}`;
}
