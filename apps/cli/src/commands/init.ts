import { cpSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CliError } from '../cli-error.ts';
import { findGoSdk, findPackages, templatesDir } from '../installation.ts';
import { shown } from '../project.ts';
import type { Template } from '../templates.ts';
import type { Terminal } from '../terminal.ts';

export interface InitOptions {
  template: Template;
  kind: 'convert' | 'filter';
}

/** Makes a project that builds, tests and runs; nothing that exists is overwritten. */
export async function init(dir: string, { template, kind }: InitOptions, terminal: Terminal): Promise<void> {
  const target = path.resolve(dir);
  if (existsSync(target) && readdirSync(target).length > 0) throw new CliError('usage', `${shown(target)} is not empty: name a new folder`);
  switch (template) {
    case 'typescript':
    case 'assemblyscript':
      await copy([`${template}/common`, `${template}/${kind}`], target, { ...(await packages(terminal)), kind, name: packageName(target) });
      say(target, `a ${kind} step in ${template === 'typescript' ? 'TypeScript' : 'AssemblyScript'}`, ['npm install', 'npx vrsky test'], terminal);
      return;
    case 'connector-typescript':
      await copy([template], target, { ...(await packages(terminal)), name: connectorName(target) });
      say(target, 'a connector in TypeScript', ['npm install', 'npm test', 'npx vrsky build && npx vrsky connector check'], terminal);
      return;
    case 'connector-go':
      await copy([template], target, { name: connectorName(target) });
      writeGoModule(target);
      say(target, 'a connector in Go', ['go test ./...', 'vrsky build && vrsky connector check'], terminal);
  }
}

const packages = (terminal: Terminal) => terminal.during('Packing vrsky and @vrsky/sdk', findPackages());

function say(target: string, what: string, next: string[], { err, paint }: Terminal): void {
  err(`${paint.green('✓')} ${shown(target)} is ${what}. Next:`);
  err(`  cd ${shown(target)}`);
  for (const line of next) err(`  ${line}`);
}

/** Copies templates over each other and puts in what they cannot know: each `"{word}"` and `'{word}'` that has a value. */
async function copy(from: string[], target: string, values: Record<string, string>): Promise<void> {
  mkdirSync(target, { recursive: true });
  for (const each of from) cpSync(path.join(templatesDir, each), target, { recursive: true });
  // npm leaves a .gitignore out of the packages it makes.
  renameSync(path.join(target, 'gitignore'), path.join(target, '.gitignore'));
  for (const name of globSync('**/*.{json,ts,go}', { cwd: target })) {
    const file = path.join(target, name);
    const text = readFileSync(file, 'utf8');
    const filled = text.replace(/(["'])\{(\w+)\}\1/g, (whole, quote: string, word: string) => {
      const value = values[word];
      if (value === undefined) return whole;
      return quote === '"' ? JSON.stringify(value) : `'${value}'`;
    });
    if (filled !== text) writeFileSync(file, filled);
  }
}

/** The project's go.mod: the SDK is the copy beside this program, with the versions of its own dependencies. */
function writeGoModule(target: string): void {
  const sdk = findGoSdk();
  const read = readFileSync(path.join(sdk, 'go.mod'), 'utf8');
  const go = /^go (\S+)$/m.exec(read)?.[1];
  const needed = [...read.matchAll(/^\t(\S+\/\S+) (v\S+)/gm)].map(([, module, version]) => `\t${module} ${version} // indirect`);
  const text = `module ${connectorName(target)}\n\ngo ${go}\n\nrequire vrsky/sdk/go v0.0.0\n\nrequire (\n${needed.join('\n')}\n)\n\nreplace vrsky/sdk/go => ${sdk}\n`;
  writeFileSync(path.join(target, 'go.mod'), text);
  cpSync(path.join(sdk, 'go.sum'), path.join(target, 'go.sum'));
}

function packageName(target: string): string {
  return (
    path
      .basename(target)
      .toLowerCase()
      .replace(/[^a-z0-9._-]+/g, '-')
      .replace(/^[._-]+|[._-]+$/g, '') || 'step'
  );
}

/** As connectors are called: it is also the name of the executable. */
function connectorName(target: string): string {
  const name = path
    .basename(target)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 63);
  return name || 'connector';
}
