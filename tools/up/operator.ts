import path from 'node:path';
import { type DevFile, devFileSchema } from '@vrsky/contracts/dev-file';
import { plainEnv } from '@vrsky/testkit/config';
import { launch } from '@vrsky/testkit/launch';
import { root } from '../run.ts';

export type Seeded = Pick<DevFile, 'user' | 'tenant' | 'apiKey' | 'demo' | 'otherTenant'>;

const seededSchema = devFileSchema.pick({ user: true, tenant: true, apiKey: true, demo: true, otherTenant: true });

/** Two tenants, and the demo pipeline; run again, it adds what is missing. Passwords are kept in `seedFile`. */
export async function seedTenants(env: Record<string, string>, seedFile: string): Promise<Seeded> {
  const answer = await runCommand('seed-main.ts', { ...env, VRSKY_SEED_FILE: seedFile });
  return seededSchema.parse(JSON.parse(answer));
}

/** A token that lets one node in, once. */
export function issueJoinToken(env: Record<string, string>): Promise<string> {
  return runCommand('join-token-main.ts', env);
}

/** Runs an operator's command of the control plane and gives back the last line of its answer. */
async function runCommand(program: string, env: Record<string, string>): Promise<string> {
  const child = await launch({ command: process.execPath, args: [path.join(root, 'apps/console/src/worker', program)], env: { ...plainEnv(), ...env } });
  const { code } = await child.exited;
  const output = child.output().trim();
  if (code !== 0) throw new Error(`${program} failed: ${output}`);
  return output.split('\n').at(-1) ?? '';
}
