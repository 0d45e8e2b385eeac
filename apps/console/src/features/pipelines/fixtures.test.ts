import { type Fixture, fixtureSchema, type StepSpec } from '@vrsky/contracts/pipeline-spec';
import { expect, test } from 'vitest';
import { addFixture, FIXTURE_TEXT_MAX, hasRoomForFixture, removeFixture, toExpectation, updateFixture } from './fixtures.ts';
import type { BenchRun } from './workbench/bench-types.ts';

const run: BenchRun = {
  result: 'ok',
  instructions: 10,
  limit: 100,
  split: null,
  durationUs: 1,
  code: null,
  reason: null,
  route: null,
  line: null,
  column: null,
  logs: [],
  output: { text: '{"a":1}', base64: 'eyJhIjoxfQ==', bytes: 7, contentType: 'application/json' },
};
const step: StepSpec = { id: 's', name: 'S', kind: 'convert', language: 'typescript', source: '' };
const input: Fixture['input'] = { payload: '{}', encoding: 'utf8', contentType: 'application/json', headers: {} };

test('a result is expected as it is: JSON in lines, text as text, bytes in Base64, a reason as the reason', () => {
  expect(toExpectation(run, 'convert')).toEqual({ outcome: 'ok', output: '{\n  "a": 1\n}', encoding: 'utf8' });
  const plain = { ...run, output: { text: '{"a":1}', base64: '', bytes: 7, contentType: 'text/plain' } };
  expect(toExpectation(plain, 'convert')).toEqual({ outcome: 'ok', output: '{"a":1}', encoding: 'utf8' });
  const binary = { ...run, output: { text: null, base64: 'AP8=', bytes: 2, contentType: '' } };
  expect(toExpectation(binary, 'convert')).toEqual({ outcome: 'ok', output: 'AP8=', encoding: 'base64' });
  expect(toExpectation({ ...run, result: 'filtered', reason: 'not paid', output: null }, 'filter')).toEqual({ outcome: 'filtered', reason: 'not paid' });
  expect(toExpectation({ ...run, result: 'failed', reason: 'no id', output: null }, 'convert')).toEqual({ outcome: 'failed', reason: 'no id' });
});

test('a filter that lets a message pass is not held to its payload', () => {
  expect(toExpectation(run, 'filter')).toEqual({ outcome: 'ok', encoding: 'utf8' });
});

test('an output that a draft cannot keep is no expectation', () => {
  const large = { ...run, output: { text: 'x'.repeat(FIXTURE_TEXT_MAX + 1), base64: '', bytes: FIXTURE_TEXT_MAX + 1, contentType: '' } };
  expect(toExpectation(large, 'convert')).toBeNull();
});

test('fixtures are added under names of their own, changed and removed, and are what the contract takes', () => {
  const expectation = toExpectation(run, 'convert') as Fixture['expect'];
  let filled = step;
  for (let i = 0; i < 3; i++) filled = { ...filled, ...addFixture(filled, { input, expect: expectation }) };
  expect(filled.fixtures?.map(({ name }) => name)).toEqual(['Fixture 1', 'Fixture 2', 'Fixture 3']);
  filled = { ...filled, ...removeFixture(filled, 0) };
  filled = { ...filled, ...addFixture(filled, { input, expect: expectation }) };
  expect(filled.fixtures?.map(({ name }) => name)).toEqual(['Fixture 2', 'Fixture 3', 'Fixture 4']);
  filled = { ...filled, ...updateFixture(filled, 1, { name: 'An open order' }) };
  expect(filled.fixtures?.[1]?.name).toBe('An open order');
  expect(filled.fixtures?.every((fixture) => fixtureSchema.safeParse(fixture).success)).toBe(true);
});

test('a step has room for so many', () => {
  const full = { ...step, fixtures: Array.from({ length: 20 }, () => ({ name: 'f', input, expect: { outcome: 'failed' as const } })) };
  expect(hasRoomForFixture(step)).toBe(true);
  expect(hasRoomForFixture(full)).toBe(false);
});
