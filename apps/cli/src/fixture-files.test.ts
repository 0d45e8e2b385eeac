import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { scratchDir } from '@vrsky/testkit/scratch';
import { expect, it } from 'vitest';
import { readFixtures } from './fixture-files.ts';

function project(files: Record<string, unknown>): string {
  const dir = scratchDir('fixtures');
  mkdirSync(path.join(dir, 'fixtures'));
  for (const [name, value] of Object.entries(files)) writeFileSync(path.join(dir, 'fixtures', name), typeof value === 'string' ? value : JSON.stringify(value));
  return dir;
}

it('fixtures are read in the order of their names; JSON need not be put into quotes, and a file without a name gives it its own', () => {
  const dir = project({
    '2-text.json': { name: 'text', input: { payload: 'a,b', contentType: 'text/csv' }, expect: { outcome: 'failed', reason: 'no' } },
    '1-order.json': { input: { payload: { id: 1 } }, expect: { outcome: 'ok', output: [1] } },
    'notes.txt': 'not a fixture',
  });
  expect(readFixtures(dir)).toEqual([
    {
      name: '1-order',
      input: { payload: '{"id":1}', encoding: 'utf8', contentType: 'application/json', headers: {} },
      expect: { outcome: 'ok', output: '[1]', encoding: 'utf8' },
    },
    { name: 'text', input: { payload: 'a,b', encoding: 'utf8', contentType: 'text/csv', headers: {} }, expect: { outcome: 'failed', reason: 'no' } },
  ]);
});

it('a project without a folder of fixtures has none', () => {
  expect(readFixtures(scratchDir('fixtures'))).toEqual([]);
});

it('what is wrong is said with the file and the field', () => {
  expect(() => readFixtures(project({ 'a.json': '{' }))).toThrow(/a\.json is not JSON/);
  expect(() => readFixtures(project({ 'a.json': [] }))).toThrow(/a\.json is not a fixture/);
  expect(() => readFixtures(project({ 'a.json': { input: { payload: '' } } }))).toThrow(/a\.json: expect/);
  expect(() => readFixtures(project({ 'a.json': { input: { payload: '', colour: 1 }, expect: { outcome: 'ok' } } }))).toThrow(/a\.json: input/);
  const many = Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`${i}.json`, {}]));
  expect(() => readFixtures(project(many))).toThrow(/has 21 fixtures; a step has at most 20/);
});
