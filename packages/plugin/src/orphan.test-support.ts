import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { plainEnv } from '@vrsky/testkit/config';
import { eventually } from '@vrsky/testkit/eventually';
import { scratchDir } from '@vrsky/testkit/scratch';

/** The command of our own host for tests. `kernel` asks the kernel to end its plugin with it, `plain` cannot. */
export function nodeHost(how: 'kernel' | 'plain', ...plugin: string[]): [string, ...string[]] {
  return [process.execPath, join(import.meta.dirname, 'fixtures', 'host.ts'), how, ...plugin];
}

/** Starts a host that prints its plugin's pid, kills it with SIGKILL, and waits until the plugin is gone too. */
export async function expectNoOrphan([command, ...args]: [string, ...string[]]): Promise<void> {
  const host = spawn(command, args, { env: { ...plainEnv(), SOCKET_DIR: scratchDir('p') }, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(host.stdout, 'data');
  const pid = Number(String(line));
  if (!isRunning(pid)) throw new Error(`the plugin ${String(line).trim()} does not run`);
  host.kill('SIGKILL');
  try {
    await eventually(() => !isRunning(pid), { timeoutMs: 5_000, what: 'the plugin to end' });
  } finally {
    if (isRunning(pid)) process.kill(pid, 'SIGKILL');
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false; // no such process
  }
}
