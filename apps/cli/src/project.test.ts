import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { scratchDir } from '@vrsky/testkit/scratch';
import { expect, it } from 'vitest';
import { resolveTarget } from './build/build-step.ts';
import { CliError } from './cli-error.ts';
import { readProject } from './project.ts';

function folder(manifest: unknown, files: string[] = ['src/step.ts']): string {
  const dir = scratchDir('project');
  if (manifest !== undefined) writeFileSync(path.join(dir, 'vrsky.json'), typeof manifest === 'string' ? manifest : JSON.stringify(manifest));
  for (const file of files) {
    mkdirSync(path.dirname(path.join(dir, file)), { recursive: true });
    writeFileSync(path.join(dir, file), '');
  }
  return dir;
}

const manifest = { kind: 'filter', language: 'assemblyscript', entry: 'src/step.ts' };

it('a project says what its step is; a file in it is of the same kind and language', () => {
  const dir = folder(manifest, ['src/step.ts', 'src/deep/other.ts', 'a.wasm']);
  expect(resolveTarget(dir)).toEqual({ kind: 'filter', language: 'assemblyscript', file: path.join(dir, 'src/step.ts'), dir });
  expect(resolveTarget(path.join(dir, 'src/deep/other.ts'))).toMatchObject({ kind: 'filter', language: 'assemblyscript', dir });
  expect(resolveTarget(path.join(dir, 'a.wasm'))).toMatchObject({ kind: 'filter', language: 'wasm', dir });
});

it('a file in no project is a convert step in TypeScript, unless the command line says otherwise', () => {
  const file = path.join(folder(undefined, ['step.ts']), 'step.ts');
  expect(resolveTarget(file)).toMatchObject({ kind: 'convert', language: 'typescript', dir: path.dirname(file) });
  expect(resolveTarget(file, { kind: 'filter', language: 'assemblyscript' })).toMatchObject({ kind: 'filter', language: 'assemblyscript' });
});

it('a module in dist is what it was built as', () => {
  const dir = folder(undefined, ['dist/step.wasm', 'dist/other.wasm']);
  writeFileSync(path.join(dir, 'dist/step.json'), '{ "kind": "filter" }');
  expect(resolveTarget(path.join(dir, 'dist/step.wasm'))).toMatchObject({ kind: 'filter', language: 'wasm' });
  expect(resolveTarget(path.join(dir, 'dist/other.wasm'))).toMatchObject({ kind: 'convert' });
});

it('what is wrong with a project is said in one sentence, with the field and what to do', () => {
  const cases: [unknown, string[], RegExp][] = [
    [undefined, [], /There is no vrsky\.json in .*vrsky init/],
    ['{', [], /vrsky\.json is not JSON/],
    [{ ...manifest, kind: 'map' }, ['src/step.ts'], /vrsky\.json: kind: /],
    [{ ...manifest, language: 'wasm' }, ['src/step.ts'], /vrsky\.json: language: /],
    [{ ...manifest, step: 'Not An Id' }, ['src/step.ts'], /vrsky\.json: step: /],
    [{ ...manifest, colour: 1 }, ['src/step.ts'], /colour/],
    [manifest, [], /there is no file src\/step\.ts/],
  ];
  for (const [given, files, sentence] of cases) expect(() => readProject(folder(given, files)), JSON.stringify(given)).toThrow(sentence);
  expect(() => resolveTarget('nowhere.ts')).toThrow(CliError);
  expect(() => resolveTarget(path.join(folder(undefined, ['notes.txt']), 'notes.txt'))).toThrow(/is not a step/);
});
