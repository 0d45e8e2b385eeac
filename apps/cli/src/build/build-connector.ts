import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { connectorManifestPath } from '@vrsky/contracts/connector-manifest';
import { type BuildFailure, build } from 'esbuild';
import ts from 'typescript';
import { CliError } from '../cli-error.ts';
import type { ConnectorProject } from '../connector-project.ts';
import { shown } from '../project.ts';
import { describePlace, type Place } from './place.ts';

export interface BuiltConnector {
  executable: string;
  /** What a node names the release by. */
  sha256: string;
  bytes: number;
}

const GO_MS = 600_000;

/**
 * Builds a connector into one executable file, with its manifest beside it. Both are renamed into place, the manifest first: a node that looks
 * meanwhile finds the old pair or the new one. Throws a `CliError` with every problem at its place.
 */
export async function buildConnector(project: ConnectorProject, inherited: NodeJS.ProcessEnv): Promise<BuiltConnector> {
  const { executable, manifest, language } = project;
  mkdirSync(path.dirname(executable), { recursive: true });
  const fresh = `${path.dirname(executable)}/.${project.name}.${process.pid}`;
  if (language === 'go') await buildGo(project, fresh, inherited);
  else await buildTypeScript(project, fresh);
  const manifestFile = connectorManifestPath(executable);
  writeFileSync(`${fresh}.json`, `${JSON.stringify(manifest, null, 2)}\n`);
  renameSync(`${fresh}.json`, manifestFile);
  renameSync(fresh, executable);
  const built = readFileSync(executable);
  return { executable, sha256: createHash('sha256').update(built).digest('hex'), bytes: built.length };
}

/** One file that needs nothing but Node, libraries and all. */
async function buildTypeScript({ dir, entry, version }: ConnectorProject, outfile: string): Promise<void> {
  const wrong = checkTypes(dir, path.join(dir, entry));
  if (wrong.length > 0) throw notBuilt(wrong);
  try {
    const { outputFiles } = await build({
      entryPoints: [path.join(dir, entry)],
      absWorkingDir: dir,
      outfile,
      write: false,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node22',
      define: { CONNECTOR_VERSION: JSON.stringify(version) },
      banner: {
        // Libraries that are CommonJS call `require` for Node’s own modules. The SDK is bundled already and has a `$createRequire` of its own.
        js: "#!/usr/bin/env node\nimport { createRequire as $requireOf } from 'node:module';\nconst require = $requireOf(import.meta.url);",
      },
      legalComments: 'eof',
      logLevel: 'silent',
    });
    writeFileSync(outfile, outputFiles[0]?.contents ?? '', { mode: 0o755 });
  } catch (error) {
    const { errors } = error as Partial<BuildFailure>;
    if (errors === undefined) throw error;
    throw notBuilt(
      errors.map(({ text, location }) => ({
        file: path.resolve(dir, location?.file ?? entry),
        line: location?.line ?? 1,
        column: (location?.column ?? 0) + 1,
        message: text,
      })),
    );
  }
}

/** The author's own files, with the author's own settings. */
function checkTypes(dir: string, entry: string): Place[] {
  const file = path.join(dir, 'tsconfig.json');
  const { config = {}, error } = ts.readConfigFile(file, ts.sys.readFile);
  if (error !== undefined) throw new CliError('usage', `${shown(file)}: ${ts.flattenDiagnosticMessageText(error.messageText, ' ')}`);
  const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, dir);
  const program = ts.createProgram({
    rootNames: [...new Set([entry, ...fileNames])],
    options: { ...options, noEmit: true, incremental: false, composite: false },
  });
  return ts.getPreEmitDiagnostics(program).map(({ file: at, start = 0, messageText }) => {
    const { line, character } = at?.getLineAndCharacterOfPosition(start) ?? { line: 0, character: 0 };
    return { file: at?.fileName ?? file, line: line + 1, column: character + 1, message: ts.flattenDiagnosticMessageText(messageText, ' ') };
  });
}

/** Without the machine's paths and without what only debuggers read: the same sources give the same bytes. */
async function buildGo({ dir, entry, version }: ConnectorProject, outfile: string, inherited: NodeJS.ProcessEnv): Promise<void> {
  const target = entry === '.' ? '.' : `./${entry}`;
  const args = ['build', '-trimpath', '-buildvcs=false', '-ldflags', `-s -w -X main.version=${version}`, '-o', outfile, target];
  try {
    await promisify(execFile)('go', args, { cwd: dir, env: { ...inherited, CGO_ENABLED: '0' }, timeout: GO_MS, maxBuffer: 16 * 1_048_576 });
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') throw new CliError('build', 'There is no Go on PATH: install Go 1.24 or newer (https://go.dev/dl)', [], { cause: error });
    const lines = (stderr ?? '').trim().split('\n');
    throw new CliError('build', `go build fails in ${shown(dir)}: nothing was built`, lines, { cause: error });
  }
}

function notBuilt(problems: Place[]): CliError {
  const many = problems.length === 1 ? 'One problem' : `${problems.length} problems`;
  return new CliError(
    'build',
    `${many} in ${[...new Set(problems.map(({ file }) => shown(file)))].join(', ')}: nothing was built`,
    problems.map(describePlace),
  );
}
