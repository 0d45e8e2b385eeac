import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { priceTable } from '@vrsky/metering/price-table';
import { buildConnector } from '../build/build-connector.ts';
import { type BuiltStep, buildStep, resolveTarget, type TargetOptions } from '../build/build-step.ts';
import { describePlace } from '../build/place.ts';
import type { Settings } from '../config.ts';
import { type ConnectorProject, findConnectorProject } from '../connector-project.ts';
import { shown } from '../project.ts';
import type { Terminal } from '../terminal.ts';

/** Builds a step into `dist`: the module, and beside it what it is; or a connector, and beside it its manifest. Prints the hash, which the node names too. */
export async function build(
  given: string | undefined,
  options: TargetOptions & { json?: boolean },
  { inherited }: Settings,
  terminal: Terminal,
): Promise<void> {
  const connector = findConnectorProject(given ?? '.');
  if (connector !== null) return await buildProject(connector, options, inherited, terminal);
  const target = resolveTarget(given, options);
  const built = await terminal.during(`Building ${shown(target.file)}`, buildStep(target));
  for (const warning of built.warnings) terminal.err(`${terminal.paint.yellow('warning')} ${describePlace(warning)}`);
  const { file, about } = write(built);
  if (options.json) terminal.out(`${JSON.stringify({ file: shown(file), ...about })}\n`);
  else {
    terminal.err(`${terminal.paint.green('✓')} ${shown(file)} (${about.bytes.toLocaleString('en')} bytes)`);
    terminal.out(`${about.sha256}\n`);
  }
}

async function buildProject(project: ConnectorProject, options: { json?: boolean }, inherited: NodeJS.ProcessEnv, terminal: Terminal): Promise<void> {
  const { executable, sha256, bytes } = await terminal.during(`Building ${shown(project.dir)}`, buildConnector(project, inherited));
  const { language, name, version } = project;
  if (options.json) terminal.out(`${JSON.stringify({ file: shown(executable), kind: 'connector', language, name, version, sha256, bytes })}\n`);
  else {
    terminal.err(`${terminal.paint.green('✓')} ${shown(executable)} (${bytes.toLocaleString('en')} bytes)`);
    terminal.out(`${sha256}\n`);
  }
}

/** What is written beside a module. The same sources give the same text. */
interface About {
  kind: 'convert' | 'filter';
  language: string;
  format: string;
  /** Of what the node runs, made from the module. */
  sha256: string;
  /** The version of the prices that instructions are counted by. */
  priceTable: number;
  bytes: number;
}

function write({ target, source, map, step }: BuiltStep): { file: string; about: About } {
  const dist = path.join(target.dir, 'dist');
  mkdirSync(dist, { recursive: true });
  const isModule = step.format === 'wasm';
  const file = path.join(dist, isModule ? 'step.wasm' : 'step.js');
  const bytes = isModule ? Buffer.from(step.code, 'base64') : Buffer.from(source);
  const about: About = {
    kind: step.kind,
    language: target.language,
    format: step.format,
    sha256: step.sha256,
    priceTable: priceTable.version,
    bytes: bytes.length,
  };
  // Of an earlier build in another language nothing is left to be taken for this one.
  for (const name of ['step.js', 'step.js.map', 'step.wasm', 'step.json'])
    if (path.join(dist, name) !== target.file) rmSync(path.join(dist, name), { force: true });
  writeFileSync(file, bytes);
  if (map !== null) writeFileSync(`${file}.map`, map);
  writeFileSync(path.join(dist, 'step.json'), `${JSON.stringify(about, null, 2)}\n`);
  return { file, about };
}
