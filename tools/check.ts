import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { goFlags } from '@vrsky/testkit/config';
import { goMissing, goModule } from '@vrsky/testkit/go';
import { scratchDir } from '@vrsky/testkit/scratch';
import { root, run } from './run.ts';

export interface Gate {
  name: string;
  state: 'passed' | 'failed' | 'skipped';
  /** What a failed gate found, or why it was skipped. */
  output: string;
}

interface GateResult {
  code: number;
  output: string;
}

const GATES: Record<string, () => Promise<GateResult | { skipped: string }>> = {
  'format and lint': formatAndLint,
  'import directions': importDirections,
  types,
  'connector contract: lint, compatible': connectorContract,
  'Go: format, vet, generated code': goSdk,
};

/** A check that looked at nothing must not pass: the tree has several times as many modules. */
const MODULES_LEAST = 100;

/** Everything that is known without running the product: one gate each, all run, also when one fails. */
export async function runGates(onGate: (gate: Gate) => void): Promise<Gate[]> {
  const gates: Gate[] = [];
  for (const [name, work] of Object.entries(GATES)) {
    const result = await work();
    const gate: Gate =
      'skipped' in result
        ? { name, state: 'skipped', output: result.skipped }
        : { name, state: result.code === 0 ? 'passed' : 'failed', output: result.output.trim() };
    gates.push(gate);
    onGate(gate);
  }
  return gates;
}

/** A gate's line for a person. */
export function describeGate({ name, state, output }: Gate): string {
  if (state === 'skipped') return `- ${name}: skipped, ${output}`;
  return state === 'passed' ? `✓ ${name}` : `✗ ${name}\n${output}\n`;
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

/** What connectors out there were built against stays true: `contract/` has the contract as it was last released. */
async function connectorContract(): Promise<GateResult> {
  const cwd = path.join(root, 'packages', 'proto');
  const results = [await run('buf', ['lint'], { cwd }), await run('buf', ['breaking', '--against', 'contract/connector-v1.binpb'], { cwd })];
  return { code: Math.max(...results.map(({ code }) => code)), output: results.map(({ output }) => output.trim()).join('\n') };
}

/** The Go SDK, where there is Go. */
async function goSdk(): Promise<GateResult | { skipped: string }> {
  const skipped = goMissing();
  if (skipped !== null) return { skipped };
  const results = [await gofmt(), await run('go', ['vet', './...'], { cwd: goModule, env: goFlags }), await generatedGo()];
  return { code: Math.max(...results.map(({ code }) => code)), output: results.map(({ output }) => output.trim()).join('\n') };
}

async function gofmt(): Promise<GateResult> {
  // New projects begin as gofmt writes them, too.
  const { code, output } = await run('gofmt', ['-l', '.', path.join(root, 'apps/cli/templates')], { cwd: goModule });
  return output === '' ? { code, output } : { code: 1, output: `not as gofmt writes it:\n${output}` };
}

async function generatedGo(): Promise<GateResult> {
  const fresh = scratchDir('gen');
  const args = ['generate', '--template', '../../sdk/go/buf.gen.yaml', '--path', 'proto/vrsky', '--output', fresh];
  const made = await run('buf', args, { cwd: path.join(root, 'packages', 'proto'), env: goFlags });
  if (made.code !== 0) return made;
  const { code, output } = await run('diff', ['-r', path.join(goModule, 'gen'), path.join(fresh, 'gen')]);
  return code === 0
    ? { code, output }
    : { code, output: `sdk/go/gen is not what the .proto files generate; run \`npm run gen:go -w packages/proto\`\n${output}` };
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
  const gates = await runGates((gate) => console.log(describeGate(gate)));
  if (gates.some(({ state }) => state === 'failed')) process.exitCode = 1;
}
