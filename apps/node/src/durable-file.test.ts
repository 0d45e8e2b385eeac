import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findText, removeDurably, writeDurably } from './durable-file.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'vrsky-durable-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('what was written is there, for the owner alone, with nothing left aside', async () => {
  const file = path.join(folder, 'sub', 'a.json');
  expect(await findText(file)).toBeNull();
  await writeDurably(file, 'one');
  await writeDurably(file, 'two');
  expect(await findText(file)).toBe('two');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(path.dirname(file))).toEqual(['a.json']);
  await removeDurably(file);
  await removeDurably(file);
  expect(await findText(file)).toBeNull();
});
