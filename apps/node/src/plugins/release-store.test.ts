import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openReleaseStore, type ReleaseStore } from './release-store.ts';

let dir: string;
let store: ReleaseStore;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'vrsky-store-'));
  store = await openReleaseStore(path.join(dir, 'kept'));
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

async function fileWith(text: string): Promise<string> {
  const file = path.join(dir, 'connector');
  await writeFile(file, text);
  return file;
}

test('what runs is what was hashed, whatever becomes of the file it came from', async () => {
  const file = await fileWith('first');
  const release = await store.admit(file);
  await writeFile(file, 'second');
  expect(release.digest).toBe(digestOf('first'));
  expect(await readFile(await release.stage(), 'utf8')).toBe('first');
  await rm(file);
  const found = await store.find(release.digest);
  expect(await readFile(await (found as NonNullable<typeof found>).stage(), 'utf8')).toBe('first');
});

test('a kept release that was changed on disk is not run', async () => {
  const release = await store.admit(await fileWith('honest'));
  const [kept] = await readdir(path.join(dir, 'kept'));
  const keptFile = path.join(dir, 'kept', kept as string);
  await chmod(keptFile, 0o600);
  await writeFile(keptFile, 'forged');
  await expect(release.stage()).rejects.toMatchObject({ code: 'PLUGIN.CHANGED' });
});

test('a staged copy that was changed is made anew before the next start', async () => {
  const release = await store.admit(await fileWith('honest'));
  const staged = await release.stage();
  await chmod(staged, 0o700);
  await writeFile(staged, 'forged');
  expect(await readFile(await release.stage(), 'utf8')).toBe('honest');
});

test('a release that was never admitted is not found, and one that is gone says so', async () => {
  expect(await store.find(digestOf('nobody knows'))).toBeNull();
  const release = await store.admit(await fileWith('soon gone'));
  await rm(path.join(dir, 'kept'), { recursive: true });
  await expect(release.stage()).rejects.toMatchObject({ code: 'PLUGIN.NOT_INSTALLED' });
});

test('others may run a staged copy but neither list nor write it', async () => {
  const staged = await (await store.admit(await fileWith('text'))).stage();
  expect((await stat(staged)).mode & 0o777).toBe(0o555);
  expect((await stat(path.dirname(staged))).mode & 0o777).toBe(0o711);
  expect((await stat(path.join(dir, 'kept'))).mode & 0o777).toBe(0o700);
});

test('nothing of a copy that failed stays behind', async () => {
  await expect(store.admit(path.join(dir, 'absent'))).rejects.toThrow();
  await expect(store.admit(dir)).rejects.toThrow();
  expect(await readdir(path.join(dir, 'kept'))).toEqual([]);
});
