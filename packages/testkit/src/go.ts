import { execFile, execFileSync } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { goEnv, repositoryRoot } from './config.ts';

/** What the `go` line of sdk/go/go.mod asks for. */
const GO_LEAST = '1.24';
/** A cold cache compiles for a minute and more. */
const GO_MS = 600_000;

export const goModule = path.join(repositoryRoot, 'sdk', 'go');

/** Why nothing of ours that needs Go can run here, in words for the name of what is skipped; null where Go is on PATH. */
export function goMissing(): string | null {
  missing ??= { reason: lookForGo() };
  return missing.reason;
}
let missing: { reason: string | null } | undefined;

function lookForGo(): string | null {
  let version: string;
  try {
    version = execFileSync('go', ['env', 'GOVERSION'], { encoding: 'utf8', env: goEnv() }).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'there is no Go on PATH';
    throw error;
  }
  const [major = 0, minor = 0] = version.replace('go', '').split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = GO_LEAST.split('.').map(Number);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor) ? null : `${version} is older than ${GO_LEAST}`;
}

/** Runs the go command in the SDK's module. Rejects with what it printed. */
export async function runGo(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('go', args, { cwd: goModule, env: goEnv(), timeout: GO_MS });
  return stdout;
}

/** Builds programs of the SDK's module (of `cmd`, the others of `internal`), where Go has not done so before; answers their paths by name. */
export async function buildGoPrograms<Name extends string>(names: readonly Name[]): Promise<Record<Name, string>> {
  const folder = path.join(repositoryRoot, '.vrsky', 'go');
  await runGo('build', '-ldflags', '-s -w', '-o', `${folder}/`, ...names.map((name) => `./${name.startsWith('vrsky-') ? 'cmd' : 'internal'}/${name}`));
  return Object.fromEntries(names.map((name) => [name, path.join(folder, name)])) as Record<Name, string>;
}
