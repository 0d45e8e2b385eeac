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

/** One compiler run a workspace, two at a time; what did not change is remembered in .vrsky. */
async function types(): Promise<GateResult> {
  const waiting = workspaces();
  const outputs: string[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const result = await typecheck(next);
      if (result.code !== 0) outputs.push(`${next}:\n${result.output.trim()}`);
    }
  };
  await Promise.all([work(), work()]);
  return { code: outputs.length === 0 ? 0 : 1, output: outputs.join('\n\n') };
}

async function typecheck(workspace: string): Promise<GateResult> {
  const manifest = JSON.parse(readFileSync(path.join(root, workspace, 'package.json'), 'utf8')) as { scripts?: Record<string, string> };
  if (manifest.scripts?.typecheck !== undefined) return run('npm', ['run', '--silent', 'typecheck', '-w', workspace]);
  if (!existsSync(path.join(root, workspace, 'tsconfig.json'))) return { code: 1, output: 'it has TypeScript but no tsconfig.json' };
  const remembered = path.join(root, '.vrsky', 'tsc', `${workspace.replaceAll('/', '-')}.tsbuildinfo`);
  return run('tsc', ['-p', workspace, '--incremental', '--tsBuildInfoFile', remembered]);
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
