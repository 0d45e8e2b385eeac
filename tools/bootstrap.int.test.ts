import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { scratchDir } from '@vrsky/testkit/scratch';
import { expect, test } from 'vitest';
import { root } from './run.ts';

/** A clone with nothing installed, as far as bootstrap looks at it. */
function bareClone(): string {
  const clone = scratchDir('clone');
  mkdirSync(path.join(clone, 'tools'));
  cpSync(path.join(root, 'tools/bootstrap.mjs'), path.join(clone, 'tools/bootstrap.mjs'));
  writeFileSync(path.join(clone, 'package.json'), '{ "name": "clone", "version": "1.0.0" }');
  writeFileSync(
    path.join(clone, 'package-lock.json'),
    '{ "name": "clone", "version": "1.0.0", "lockfileVersion": 3, "packages": { "": {}, "node_modules/missing": { "version": "1.0.0" } } }',
  );
  return clone;
}

/** Folder with only the named programs, as links: a PATH on which everything else is missing. */
function pathWith(...programs: string[]): string {
  const folder = scratchDir('path');
  for (const program of programs) symlinkSync(spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).stdout.trim(), path.join(folder, program));
  return folder;
}

const bootstrap = (clone: string, env: Record<string, string> = {}) =>
  spawnSync(process.execPath, ['tools/bootstrap.mjs'], { cwd: clone, encoding: 'utf8', env: { PATH: process.env.PATH ?? '', HOME: clone, ...env } });

test('a missing npm is one sentence', () => {
  const { status, stderr } = bootstrap(bareClone(), { PATH: pathWith('sh') });
  expect({ status, stderr }).toEqual({ status: 1, stderr: 'npm is needed and there is none on PATH: install Node.js with npm from https://nodejs.org\n' });
});

test('a missing Node is one sentence', () => {
  const { status, stderr } = spawnSync('make', ['--silent', 'bootstrap'], { cwd: root, encoding: 'utf8', env: { PATH: pathWith('make', 'sh') } });
  expect(status).not.toBe(0);
  expect(stderr.split('\n')[0]).toBe('Node.js 20 or newer with npm is needed and there is none on PATH: install it from https://nodejs.org');
});

test('a read-only clone is one sentence', ({ skip }) => {
  const clone = bareClone();
  const script = `mount --bind ${clone} ${clone} && mount -o remount,ro,bind ${clone} && cd ${clone} && exec ${process.execPath} tools/bootstrap.mjs`;
  const { status, stderr } = spawnSync('unshare', ['--map-root-user', '--mount', 'sh', '-c', script], { encoding: 'utf8' });
  if (stderr.includes('mount') || stderr.includes('unshare')) skip(); // no user namespaces here
  expect(status).toBe(1);
  expect(stderr).toMatch(/^.*\/\.vrsky cannot be written by .*: use a clone in a folder that can\n$/);
});

test('the lock of a set-up that was killed does not stop the next one', () => {
  const clone = bareClone();
  const dead = spawnSync('true').pid;
  mkdirSync(path.join(clone, '.vrsky'));
  writeFileSync(path.join(clone, '.vrsky/bootstrap.lock'), String(dead));
  const { stderr } = bootstrap(clone, { PATH: pathWith('sh') });
  expect(stderr).toMatch(/^npm is needed/); // so it got past the lock
  expect(existsSync(path.join(clone, '.vrsky/bootstrap.lock'))).toBe(false);
});
