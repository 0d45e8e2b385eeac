import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** The repository: this file is packages/testkit/src/config.ts. */
export const repositoryRoot = path.resolve(import.meta.dirname, '../../..');

/** Folders where set-up puts programs, the best first; the second serves machines whose home cannot be written. */
export function programFolders(): string[] {
  const env = process.env;
  const cache = env.VRSKY_CACHE_DIR ?? path.join(env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'vrsky');
  return [path.join(cache, 'bin'), path.join(repositoryRoot, '.vrsky', 'cache', 'bin')];
}

/** Every place where a program of this name exists, in the order of PATH and then of our own folders. */
export function findPrograms(name: string): string[] {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  return [...folders, ...programFolders()].map((folder) => path.join(folder, name)).filter((file) => existsSync(file));
}

/** What a process of ours needs from its surroundings, and nothing else: no caller's secrets, no test runner's switches. */
export function plainEnv(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'XDG_CACHE_HOME', 'VRSKY_CACHE_DIR']) {
    const value = process.env[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}

/** One set of flags for every call of the go command: it keeps what it compiled by its flags, and another set would compile everything again. */
export const goFlags = { CGO_ENABLED: '0', GOFLAGS: '-trimpath -buildvcs=false' };

/** What the go command gets: also the person's own environment, which says where modules come from and are kept. */
export function goEnv(): Record<string, string> {
  return { ...(process.env as Record<string, string>), ...goFlags };
}

/** Makes `dir` the temporary directory of this process and of what it starts; answers how to undo that. */
export function useTemporaryFolder(dir: string): () => void {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = dir;
  return () => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  };
}
