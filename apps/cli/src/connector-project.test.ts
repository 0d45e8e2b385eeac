import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { scratchDir } from '@vrsky/testkit/scratch';
import { expect, it } from 'vitest';
import { resolveTarget } from './build/build-step.ts';
import { findConnectorProject } from './connector-project.ts';

const project = { kind: 'connector', language: 'go', name: 'ship-it', version: '1.0.0-rc.1', entry: '.' };

function folder(files: Record<string, unknown>): string {
  const dir = scratchDir('connector');
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(dir, name), JSON.stringify(content));
  return dir;
}

it('a folder with a connector is one, with what it needs of a node; others are none', () => {
  const dir = folder({ 'vrsky.json': project, 'connector.json': { network: 'direct' } });
  expect(findConnectorProject(dir)).toEqual({ ...project, dir, manifest: { network: 'direct', env: {} }, executable: path.join(dir, 'dist/ship-it') });
  expect(findConnectorProject(folder({ 'vrsky.json': project }))?.manifest).toEqual({ network: 'none', env: {} });
  expect(findConnectorProject(folder({ 'vrsky.json': { kind: 'convert' } }))).toBeNull();
  expect(findConnectorProject(folder({}))).toBeNull();
});

it('what is wrong with it is said with the file and the field', () => {
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ 'vrsky.json': { ...project, name: '../x' } }, /vrsky\.json: name: A name has lower-case letters/],
    [{ 'vrsky.json': { ...project, version: '1' } }, /vrsky\.json: version: A version is like 1\.0\.0/],
    [{ 'vrsky.json': { ...project, language: 'rust' } }, /vrsky\.json: language: /],
    [{ 'vrsky.json': { ...project, entry: 'main.ts' } }, /there is no main\.ts: make it, or correct "entry"/],
    [{ 'vrsky.json': project, 'connector.json': { network: 'all' } }, /connector\.json: network: /],
    [{ 'vrsky.json': project, 'connector.json': { env: { LD_PRELOAD: 'x' } } }, /connector\.json: env\.LD_PRELOAD: The node sets this variable itself/],
  ];
  for (const [files, sentence] of cases) expect(() => findConnectorProject(folder(files)), JSON.stringify(files)).toThrow(sentence);
});

it('commands for steps say that it is a connector', () => {
  expect(() => resolveTarget(folder({ 'vrsky.json': project }))).toThrow(/has a connector, not a step: .*vrsky connector check/);
});
