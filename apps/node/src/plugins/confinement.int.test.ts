import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { createLog } from '@vrsky/kernel/log';
import type { SandboxReport } from '@vrsky/plugin/sandbox/layers';
import { sandboxLayers } from '@vrsky/plugin/sandbox/layers';
import { scratchDir } from '@vrsky/testkit/scratch';
import { expect, test } from 'vitest';
import { findDataDir } from './confinement.ts';

const log = createLog('test', 'silent');

function reportOf(...available: string[]): SandboxReport {
  const layers = Object.fromEntries(sandboxLayers.map((name) => [name, { available: available.includes(name), detail: '' }])) as SandboxReport['layers'];
  return { layers, means: { setpriv: null, prlimit: null, bwrap: null, cgroup: null } };
}

test('a connector that can do without a folder starts without one where its own user would not get there', async () => {
  const state = scratchDir('state');
  chmodSync(state, 0o700);
  const dir = join(state, 'connector-data', 'mine');
  expect(await findDataDir(reportOf('uid'), dir, log)).toBeUndefined();
  for (const layers of [[], ['namespaces'], ['uid', 'namespaces']]) expect(await findDataDir(reportOf(...layers), dir, log)).toBe(dir);
  chmodSync(state, 0o711);
  expect(await findDataDir(reportOf('uid'), dir, log)).toBe(dir);
});
