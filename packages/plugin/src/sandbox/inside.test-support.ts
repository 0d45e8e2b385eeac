import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { findBubblewrap } from '@vrsky/testkit/bubblewrap';
import { plainEnv } from '@vrsky/testkit/config';
import { scratchDir } from '@vrsky/testkit/scratch';
import { type Confinement, confine } from './confine.ts';
import { feed, pluginStdio } from './descriptors.ts';
import { detectSandbox } from './detect.ts';
import { type SandboxLayer, type SandboxPolicy, type SandboxReport, sandboxLayers } from './layers.ts';

/** What this machine has. */
export const report = await detectSandbox({ bwrap: findBubblewrap() ?? undefined, path: plainEnv().PATH });

/** Namespaces as a node uses them: with a user of the plugin's own, where it can have one. */
export const namespaces: SandboxLayer[] = report.layers.uid.available ? ['namespaces', 'uid'] : ['namespaces'];

/** The report of a machine that has these layers and no others, so that one layer's work is not done by another. */
export function only(...layers: readonly SandboxLayer[]): SandboxReport {
  const off = { available: false, detail: 'left out by the test' };
  return {
    ...report,
    layers: Object.fromEntries(sandboxLayers.map((layer) => [layer, layers.includes(layer) ? report.layers[layer] : off])) as SandboxReport['layers'],
  };
}

/** For the name of a group of tests: what is missing and why, and whether to skip it for that. */
export function needs(...layers: SandboxLayer[]): { skip: boolean; why: string } {
  const missing = layers.filter((layer) => !report.layers[layer].available);
  return {
    skip: missing.length > 0,
    why: missing.length === 0 ? '' : ` (skipped: ${missing.map((layer) => `${layer}: ${report.layers[layer].detail}`).join(' ')})`,
  };
}

export const policy: SandboxPolicy = { network: 'direct', memoryBytes: 134_217_728, processesMax: 64, filesMax: 128, minimum: [] };

export interface Running {
  readonly child: ChildProcess;
  readonly confinement: Confinement;
  readonly scratch: string;
  output(): string;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; reason: string | undefined; output: string }>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface InsideOptions {
  policy?: Partial<SandboxPolicy>;
  env?: Record<string, string>;
}

/** Starts a program inside these layers; `$TMPDIR` is its own folder. Disposed, nothing of it is left. */
export async function startInside(layers: readonly SandboxLayer[], command: [string, ...string[]], options: InsideOptions = {}): Promise<Running> {
  const scratch = scratchDir('inside');
  const confinement = await confine({ report: only(...layers), policy: { ...policy, ...options.policy } }, { executable: command[0], scratchDir: scratch });
  const { prefix, descriptor3 } = confinement.plan;
  const [program, ...args] = [...prefix, ...command] as [string, ...string[]];
  const child = spawn(program, args, {
    cwd: '/',
    detached: true,
    env: { PATH: '/usr/bin:/bin', TMPDIR: scratch, ...options.env },
    stdio: pluginStdio(descriptor3),
  });
  feed(child.stdio[3], descriptor3);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
  const closed = once(child, 'close');
  const ended = once(child, 'exit').then(async ([code, signal]) => {
    const reason = confinement.reasonOf({ code, signal });
    await confinement.endAll();
    await closed;
    return { code, signal, reason, output };
  });
  return {
    child,
    confinement,
    scratch,
    output: () => output,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
      await confinement.release();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

/** Runs a program inside these layers to its end. */
export async function runInside(
  layers: readonly SandboxLayer[],
  command: [string, ...string[]],
  options: InsideOptions = {},
): Promise<Awaited<Running['ended']>> {
  await using running = await startInside(layers, command, options);
  return await running.ended;
}

/** A script of the shell inside these layers; what it prints on stderr is part of the output. */
export const shell = (script: string): [string, ...string[]] => ['/bin/sh', '-c', script];

/** A program for Node inside these layers. */
export const script = (text: string): [string, ...string[]] => [process.execPath, '--input-type=module', '-e', text];
