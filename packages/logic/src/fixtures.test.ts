import { isUtf8 } from 'node:buffer';
import { fixtureSchema } from '@vrsky/contracts/pipeline-spec';
import { expect, it } from 'vitest';
import { testStep } from '../test/make.ts';
import { loadEngine } from './engine.ts';
import { createExecutor } from './executor.ts';
import { runFixtures } from './fixtures.ts';

const executor = createExecutor({ engine: await loadEngine(), isUtf8 });
const step = testStep(
  'convert',
  `const o = message.json(); if (o.bad) throw new Error('bad order'); if (o.open) return ctx.filter('open'); return o.bytes ? new Uint8Array([0, 255]) : { b: o.a, a: [1, { x: message.headers.get('h') }] }`,
);

function judge(payload: string, expect: object, input: object = {}) {
  const [result] = runFixtures(executor, step, [fixtureSchema.parse({ name: 'one', input: { payload, ...input }, expect })]);
  return result?.ok ? 'ok' : result?.reason;
}

it('compares JSON as values, bytes as bytes, and reasons', () => {
  expect(judge('{"a":5}', { outcome: 'ok' })).toBe('ok');
  expect(judge('{"a":5}', { outcome: 'ok', output: '{ "a": [1, {"x": "v"}], "b": 5 }' }, { headers: { h: 'v' } })).toBe('ok');
  expect(judge('{"bytes":1}', { outcome: 'ok', output: 'AP8=', encoding: 'base64' })).toBe('ok');
  expect(judge('eyJhIjo1fQ==', { outcome: 'ok', output: '{"b":5,"a":[1,{"x":null}]}' }, { encoding: 'base64' })).toBe('ok');
  expect(judge('{"open":1}', { outcome: 'filtered', reason: 'open' })).toBe('ok');
  expect(judge('{"bad":1}', { outcome: 'failed' })).toBe('ok');
});

it('says the first thing that is not as expected', () => {
  expect(judge('{"a":5}', { outcome: 'ok', output: '{"b":6,"a":[1,{"x":null}]}' })).toBe('b is 5, not 6');
  expect(judge('{"a":5}', { outcome: 'ok', output: '{"b":5,"a":[1,{"x":1}]}' })).toBe('a[1].x is null, not 1');
  expect(judge('{"a":5}', { outcome: 'ok', output: '{"b":5}' })).toBe('a is [1,{"x":null}], and not expected');
  expect(judge('{"a":5}', { outcome: 'ok', output: '{"b":5,"a":[1,{"x":null}],"c":1}' })).toBe('c is missing');
  expect(judge('{"a":5}', { outcome: 'ok', output: '[]' })).toBe('The output is {"b":5,"a":[1,{"x":null}]}, not []');
  expect(judge('{"bytes":1}', { outcome: 'ok', output: 'x' })).toMatch(/^The step made "\\u0000�", not "x"$/);
  expect(judge('{"open":1}', { outcome: 'filtered', reason: 'closed' })).toBe('The reason is "open", not "closed"');
  expect(judge('{"open":1}', { outcome: 'ok' })).toBe('The outcome is "filtered", not "ok": open');
  expect(judge('{"bad":1}', { outcome: 'filtered' })).toBe('The outcome is "failed", not "filtered": bad order');
});

it('gives what each run cost', () => {
  const fixtures = [fixtureSchema.parse({ name: 'a', input: { payload: '{"a":5}' }, expect: { outcome: 'ok' } })];
  const [first] = runFixtures(executor, step, fixtures);
  expect(first?.run.instructions).toBeGreaterThan(10_000);
  expect(runFixtures(executor, step, fixtures)[0]?.run.instructions).toBe(first?.run.instructions);
});
