import { expect, test } from 'vitest';
import { connectorManifestSchema } from './connector-manifest.ts';

test('nothing said grants nothing', () => {
  expect(connectorManifestSchema.parse({})).toEqual({ network: 'none', env: {} });
});

test('what is granted is taken as it is said', () => {
  const manifest = { network: 'direct', memoryMiB: 256, processes: 64, env: { VRSKY_HTTP_LISTEN: '127.0.0.1:0' } };
  expect(connectorManifestSchema.parse(manifest)).toEqual(manifest);
});

test.each([
  [{ network: 'all' }, 'network'],
  [{ netwrok: 'none' }, ''],
  [{ memoryMiB: 0 }, 'memoryMiB'],
  [{ processes: 1.5 }, 'processes'],
  [{ env: { PLUGIN_CLIENT_CERT: '' } }, 'env.PLUGIN_CLIENT_CERT'],
  [{ env: { LD_PRELOAD: '/x.so' } }, 'env.LD_PRELOAD'],
  [{ env: { NODE_OPTIONS: '--require=/x' } }, 'env.NODE_OPTIONS'],
  [{ env: { 'a b': '' } }, 'env.a b'],
  [{ env: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`V${i}`, ''])) }, 'env'],
])('%j is refused', (manifest, path) => {
  const result = connectorManifestSchema.safeParse(manifest);
  expect(result.error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
});
