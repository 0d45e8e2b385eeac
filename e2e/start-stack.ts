import path from 'node:path';
import { step } from '../tools/progress.ts';
import { portsFrom } from '../tools/up/config.ts';
import { findFreeBase } from '../tools/up/free-ports.ts';
import { startStack } from '../tools/up/stack.ts';

/**
 * A whole VRSky of its own for the browser tests, fresh at each run. `VRSKY_DEV_FILE=.vrsky/dev.json npm run test:e2e` uses one
 * that runs already.
 */
export default async function start(): Promise<() => Promise<void>> {
  if (process.env.VRSKY_DEV_FILE !== undefined) return async () => {};
  const dir = path.resolve(import.meta.dirname, '..', '.vrsky', 'e2e');
  const stack = await startStack({ dir, ports: portsFrom(await findFreeBase()), fresh: true, step });
  process.env.VRSKY_DEV_FILE = path.join(dir, 'dev.json');
  return () => stack.stop();
}
