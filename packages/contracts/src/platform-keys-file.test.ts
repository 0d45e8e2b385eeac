import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createPlatformKeysFile, readPlatformKeysFile } from './platform-keys-file.ts';

const seed = 'S'.repeat(58);
const keys = createPlatformKeysFile({ operatorSeed: seed, systemAccountSeed: seed, systemUserSeed: seed, controlAccountSeed: seed, controlUserSeed: seed });
const dir = mkdtempSync(join(tmpdir(), 'vrsky-keys-'));

function file(text: string, mode = 0o600): string {
  const path = join(dir, `${Math.random()}.json`);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

test('a keys file is read back as it was made', () => {
  expect(readPlatformKeysFile(file(JSON.stringify(keys)))).toEqual(keys);
});

test('a keys file that others may read, is missing or damaged is refused without telling a secret', () => {
  expect(() => readPlatformKeysFile(file(JSON.stringify(keys), 0o640))).toThrow('can be read by others: chmod 600');
  expect(() => readPlatformKeysFile(join(dir, 'none.json'))).toThrow('cannot be read');
  expect(() => readPlatformKeysFile(file(`${JSON.stringify(keys)}x`))).toThrow('is not JSON');
  const damaged = file(JSON.stringify({ ...keys, kek: `${keys.kek}!`, extra: 1 }));
  expect(() => readPlatformKeysFile(damaged)).toThrow(/look at: kek/);
  try {
    readPlatformKeysFile(damaged);
  } catch (error) {
    expect(String(error)).not.toContain(keys.kek);
  }
});
