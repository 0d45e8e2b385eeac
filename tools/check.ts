import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, run } from './run.ts';

export interface Gate {
  name: string;
  ok: boolean;
  output: string;
}

interface GateResult {
  code: number;
  output: string;
}

/** A check that looked at nothing must not pass: the tree has several times as many modules. */
const MODULES_LEAST = 100;

/** Everything that is known without running the product: one gate each, all run, also when one fails. */
export async function runGates(onGate: (gate: Gate) => void): Promise<Gate[]> {
  const gates: Gate[] = [];
  for (const [name, work] of Object.entries({ 'format and lint': formatAndLint, 'import directions': importDirections, types })) {
    const { code, output } = await work();
    const gate = { name, ok: code === 0, output: output.trim() };
    gates.push(gate);
    onGate(gate);
  }
  return gates;
}

function formatAndLint(): Promise<GateResult> {
  return run('biome', ['check', '--max-diagnostics=50', '--colors=off', '.']);
}

async function importDirections(): Promise<GateResult> {
  const folders = ['apps', 'packages', 'sdk', 'connectors', 'tools', 'e2e', 'bench'].filter((folder) => existsSync(path.join(root, folder)));
  const result = await run('depcruise', ['--config', '.dependency-cruiser.mjs', ...folders]);
  const modules = Number(/(\d+) modules/.exec(result.output)?.[1] ?? 0);
  if (modules < MODULES_LEAST) return { code: 1, output: `${result.output}\nonly ${modules} modules were looked at` };
  return result;
}

/** Two processes beside each other: one for the workspaces that have more to do than compile, one for all others. */
async function types(): Promise<GateResult> {
  const own: string[] = [];
  const others: string[] = [];
  for (const workspace of workspaces()) (hasOwnCheck(workspace) ? own : others).push(workspace);
  const results = await Promise.all([
    run('npm', ['run', '--silent', 'typecheck', ...own.flatMap((workspace) => ['-w', workspace])]),
    run('node', ['tools/types.ts', ...others]),
  ]);
  return { code: Math.max(...results.map(({ code }) => code)), output: results.map(({ output }) => output.trim()).join('\n\n') };
}

function hasOwnCheck(workspace: string): boolean {
  const manifest = JSON.parse(readFileSync(path.join(root, workspace, 'package.json'), 'utf8')) as { scripts?: Record<string, string> };
  return manifest.scripts?.typecheck !== undefined;
}

/** Every workspace that has TypeScript. */
function workspaces(): string[] {
  const { workspaces: patterns } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { workspaces: string[] };
  return globSync(
    patterns.map((pattern) => `${pattern}/package.json`),
    { cwd: root },
  )
    .map((file) => path.dirname(file))
    .filter((workspace) => globSync('**/*.ts', { cwd: path.join(root, workspace), exclude: (name) => ['node_modules', '.next'].includes(name) }).length > 0)
    .sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const gates = await runGates((gate) => console.log(`${gate.ok ? '✓' : '✗'} ${gate.name}${gate.ok ? '' : `\n${gate.output}\n`}`));
  if (gates.some((gate) => !gate.ok)) process.exitCode = 1;
}
