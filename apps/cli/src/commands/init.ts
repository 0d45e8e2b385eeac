import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CliError } from '../cli-error.ts';
import { findPackages, type PackageSpecs, templatesDir } from '../installation.ts';
import { shown } from '../project.ts';
import type { Terminal } from '../terminal.ts';

export interface InitOptions {
  template: 'typescript' | 'assemblyscript';
  kind: 'convert' | 'filter';
}

/** Makes a project that builds, tests and runs; nothing that exists is overwritten. */
export async function init(dir: string, { template, kind }: InitOptions, terminal: Terminal): Promise<void> {
  const target = path.resolve(dir);
  if (existsSync(target) && readdirSync(target).length > 0) throw new CliError('usage', `${shown(target)} is not empty: name a new folder`);
  const packages = await terminal.during('Packing vrsky and @vrsky/sdk', findPackages());
  mkdirSync(target, { recursive: true });
  cpSync(path.join(templatesDir, template, 'common'), target, { recursive: true });
  cpSync(path.join(templatesDir, template, kind), target, { recursive: true });
  // npm leaves a .gitignore out of the packages it makes.
  renameSync(path.join(target, 'gitignore'), path.join(target, '.gitignore'));
  const name = packageName(path.basename(target));
  fill(path.join(target, 'package.json'), packages, name);
  fill(path.join(target, 'vrsky.json'), packages, name, kind);
  const { paint } = terminal;
  terminal.err(`${paint.green('✓')} ${shown(target)} is a ${kind} step in ${template === 'typescript' ? 'TypeScript' : 'AssemblyScript'}. Next:`);
  terminal.err(`  cd ${shown(target)} && npm install`);
  terminal.err('  npx vrsky test');
}

/** Puts in what a template cannot know. */
function fill(file: string, packages: PackageSpecs, name: string, kind = ''): void {
  const values: Record<string, string> = { name, kind, ...packages };
  writeFileSync(
    file,
    readFileSync(file, 'utf8').replace(/"\{(\w+)\}"/g, (whole, key: string) => (values[key] === undefined ? whole : JSON.stringify(values[key]))),
  );
}

function packageName(base: string): string {
  return (
    base
      .toLowerCase()
      .replace(/[^a-z0-9._-]+/g, '-')
      .replace(/^[._-]+|[._-]+$/g, '') || 'step'
  );
}
