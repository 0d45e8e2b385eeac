import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import ts from 'typescript';
import type { TemplateVersions } from './src/installation.ts';

// `npm run pack`: the packages `vrsky` and `@vrsky/sdk` as they would be published, in .vrsky/packages. They are plain JavaScript for
// Node 20 and later and need nothing of this repository.

const cli = import.meta.dirname;
const root = path.resolve(cli, '../..');
const sdk = path.join(root, 'sdk/typescript');
const logic = path.join(root, 'packages/logic');
const goSdk = path.join(root, 'sdk/go');
const packagesDir = path.join(root, '.vrsky/packages');

interface Manifest {
  version: string;
  license: string;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
}

/** Where the packed files are, and which compiler of AssemblyScript they go with. */
export interface Packed {
  vrsky: string;
  sdk: string;
  assemblyscript: string;
  templates: TemplateVersions;
}

export async function pack(): Promise<Packed> {
  mkdirSync(packagesDir, { recursive: true });
  // Two at once do not meet: each works in a folder of its own and moves what it made.
  const stage = mkdtempSync(path.join(packagesDir, '.packing-'));
  try {
    await Promise.all([stageSdk(path.join(stage, 'sdk')), stageCli(path.join(stage, 'vrsky'))]);
    const [sdkFile, vrsky] = await Promise.all([npmPack(path.join(stage, 'sdk')), npmPack(path.join(stage, 'vrsky'))]);
    return { sdk: sdkFile, vrsky, assemblyscript: versionOf(logic, 'assemblyscript'), templates: templateVersions() };
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

function templateVersions(): TemplateVersions {
  return { zod: versionOf(sdk, 'zod'), typesNode: versionOf(root, '@types/node') };
}

/**
 * What a step is written with: types, and the same words for AssemblyScript; what runs is in the platform. And what a connector is written
 * with: that runs, and has our packages in it.
 */
async function stageSdk(target: string): Promise<void> {
  const { version, license } = manifestOf(sdk);
  mkdirSync(target, { recursive: true });
  const program = ts.createProgram([path.join(sdk, 'src/logic.ts')], {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    declaration: true,
    types: [],
    rootDir: path.join(sdk, 'src'),
    outDir: path.join(target, 'dist'),
  });
  program.emit();
  const problems = ts.getPreEmitDiagnostics(program).map((diagnostic) => ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'));
  if (problems.length > 0) throw new Error(`the SDK does not compile: ${problems.join('\n')}`);
  await stageConnectorSdk(path.join(target, 'dist'));
  cpSync(path.join(sdk, 'step'), path.join(target, 'step'), { recursive: true });
  cpSync(path.join(sdk, 'assembly'), path.join(target, 'assembly'), { recursive: true, filter: (file) => !/\.test\.ts$/.test(file) });
  writeManifest(target, {
    name: '@vrsky/sdk',
    version,
    description: 'What steps of VRSky pipelines are written with, in TypeScript and in AssemblyScript',
    license,
    type: 'module',
    exports: {
      '.': { types: './dist/logic.d.ts', default: './dist/logic.js' },
      './connector': { types: './dist/connector.d.ts', default: './dist/connector.js' },
      './connector-test': { types: './dist/connector-test.d.ts', default: './dist/connector-test.js' },
      './globals': { types: './step/globals.d.ts' },
      './assembly/*': './assembly/*',
      './package.json': './package.json',
    },
    types: './dist/logic.d.ts',
    // Only connectors need it; one copy, so that its schemas are the author's.
    peerDependencies: { zod: versionOf(sdk, 'zod') },
    peerDependenciesMeta: { zod: { optional: true } },
  });
  copyTexts(sdk, target);
}

async function stageConnectorSdk(target: string): Promise<void> {
  const source = path.join(sdk, 'src');
  const doors = ['connector.ts', 'connector-test.ts', 'connector-test/serve-definition.ts'].map((name) => path.join(source, name));
  await build({
    entryPoints: doors,
    outbase: source,
    outdir: target,
    chunkNames: 'connector/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    charset: 'utf8',
    legalComments: 'eof',
    external: ['zod'],
    banner: requireBanner,
    logLevel: 'silent',
  });
  // Declarations of everything, of which those are taken that the doors are made of: what they import from our packages is code, not types.
  const made = path.join(target, '.declarations');
  const program = ts.createProgram(doors, {
    target: ts.ScriptTarget.ES2024,
    lib: ['lib.es2024.d.ts', 'lib.esnext.disposable.d.ts', 'lib.esnext.collection.d.ts', 'lib.esnext.array.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    noUncheckedIndexedAccess: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    declaration: true,
    emitDeclarationOnly: true,
    types: ['node'],
    typeRoots: [path.join(root, 'node_modules/@types')],
    // `npm run check` does.
    noCheck: true,
    rootDir: root,
    outDir: made,
  });
  const { diagnostics } = program.emit();
  const problems = diagnostics.map((diagnostic) => ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'));
  if (problems.length > 0) throw new Error(`the connector SDK does not compile: ${problems.join('\n')}`);
  for (const name of ['connector.d.ts', 'connector-test.d.ts']) cpSync(path.join(made, 'sdk/typescript/src', name), path.join(target, name));
  rmSync(made, { recursive: true });
}

/** Libraries that are CommonJS call `require` for Node's own modules. */
const requireBanner = { js: "import { createRequire as $createRequire } from 'node:module';\nconst require = $createRequire(import.meta.url);" };

/** The program with everything of this repository in it; what cannot be bundled are dependencies with exact versions. */
async function stageCli(target: string): Promise<void> {
  const { version, license } = manifestOf(cli);
  const dependencies = {
    '@jitl/quickjs-wasmfile-release-sync': versionOf(logic, '@jitl/quickjs-wasmfile-release-sync'),
    '@vrsky/sdk': version,
    esbuild: versionOf(cli, 'esbuild'),
    typescript: versionOf(cli, 'typescript'),
  };
  const peers = { assemblyscript: versionOf(logic, 'assemblyscript') };
  await build({
    entryPoints: [path.join(cli, 'src/main.ts'), path.join(logic, 'src/compile-worker.ts')],
    entryNames: '[name]',
    outdir: path.join(target, 'dist'),
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    charset: 'utf8',
    legalComments: 'eof',
    external: Object.keys({ ...dependencies, ...peers }).flatMap((name) => [name, `${name}/*`]),
    banner: requireBanner,
    logLevel: 'silent',
  });
  cpSync(path.join(cli, 'templates'), path.join(target, 'templates'), { recursive: true });
  const isOfUse = (file: string): boolean => !/_test\.go$/.test(file) && !['cmd', 'internal'].includes(path.relative(goSdk, file));
  cpSync(goSdk, path.join(target, 'go-sdk'), { recursive: true, filter: isOfUse });
  writeManifest(target, {
    name: 'vrsky',
    version,
    description: 'Builds, runs, tests and publishes steps of VRSky pipelines; builds and checks connectors',
    license,
    type: 'module',
    bin: { vrsky: './dist/main.js' },
    engines: { node: '>=20' },
    dependencies,
    // Only those who write AssemblyScript need its compiler, which is large.
    peerDependencies: peers,
    peerDependenciesMeta: { assemblyscript: { optional: true } },
    templates: templateVersions(),
  });
  copyTexts(cli, target);
}

async function npmPack(folder: string): Promise<string> {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--json', '--ignore-scripts', '--loglevel=error'], { cwd: folder });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  const file = path.join(packagesDir, filename);
  renameSync(path.join(folder, filename), file);
  return file;
}

function copyTexts(from: string, target: string): void {
  cpSync(path.join(root, 'LICENSE'), path.join(target, 'LICENSE'));
  const readme = path.join(from, 'README.md');
  if (existsSync(readme)) cpSync(readme, path.join(target, 'README.md'));
}

function writeManifest(target: string, manifest: object): void {
  mkdirSync(target, { recursive: true });
  writeFileSync(path.join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
}

function versionOf(folder: string, name: string): string {
  const { dependencies = {}, devDependencies = {} } = manifestOf(folder);
  const version = dependencies[name] ?? devDependencies[name];
  if (version === undefined) throw new Error(`bug: ${folder} does not depend on ${name}`);
  return version;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { vrsky, sdk: sdkFile } = await pack();
  process.stdout.write(`${path.relative(process.cwd(), vrsky)}\n${path.relative(process.cwd(), sdkFile)}\n`);
}
