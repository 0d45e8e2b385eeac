import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPlatformKeys } from './platform-keys.ts';
import { natsServerConfig } from './server-config.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'vrsky-conf-'));
});
afterAll(() => rm(dir, { recursive: true }));

test('every message is on the disk before its answer, and nobody outside the machine reaches the server', async () => {
  const text = await natsServerConfig({ keys: createPlatformKeys(), port: 4999, dir });
  expect(text).toMatch(/sync_interval: always/);
  expect(text).toMatch(/^listen: "127\.0\.0\.1:4999"$/m);
});

test('the storage is bounded, below the size of the volume', async () => {
  const keys = createPlatformKeys();
  expect(await natsServerConfig({ keys, port: 4999, dir })).toMatch(/max_file: [1-9]\d{6,}/);
  expect(await natsServerConfig({ keys, port: 4999, dir, maxFileBytes: 5_000_000 })).toContain('max_file: 5000000');
});

test('the configuration has no secret in it', async () => {
  const keys = createPlatformKeys();
  const text = await natsServerConfig({ keys, port: 4999, dir });
  for (const seed of Object.values(keys)) expect(text).not.toContain(seed);
});
