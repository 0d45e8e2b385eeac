import { existsSync } from 'node:fs';
import path from 'node:path';
import { root, run } from './run.ts';
import { Sentence } from './sentence.ts';
import { whenChanged } from './stamp.ts';

/** The workspaces whose source ends up in the console. */
const CONSOLE_INPUTS = ['apps/console', 'packages', 'sdk/typescript', 'package-lock.json', 'tsconfig.base.json'];

/** Builds the console's pages when a source of theirs changed. */
export async function buildConsole(): Promise<string> {
  const made = await whenChanged('console', { inputs: CONSOLE_INPUTS, output: 'apps/console/.next/BUILD_ID' }, () => npmRun('apps/console', 'build'));
  return made === 'done' ? 'built' : 'unchanged';
}

/** Builds the HTTP connector into one executable file. */
export async function buildConnectors(): Promise<string> {
  const made = await whenChanged(
    'connector-http',
    {
      inputs: ['connectors/http', 'sdk/typescript', 'packages/plugin', 'packages/proto', 'packages/kernel', 'package-lock.json'],
      output: 'connectors/http/dist/http-connector',
    },
    () => npmRun('connectors/http', 'build'),
  );
  return made === 'done' ? 'http built' : 'unchanged';
}

/** Generates the database client, which is not kept in the repository. */
export async function generateCode(): Promise<string> {
  const made = await whenChanged(
    'db',
    { inputs: ['packages/db/prisma', 'packages/db/prisma.config.ts', 'packages/db/bin', 'package-lock.json'], output: 'packages/db/src/generated' },
    () => npmRun('packages/db', 'db:generate'),
  );
  return made === 'done' ? 'database client' : 'unchanged';
}

async function npmRun(workspace: string, script: string): Promise<void> {
  if (!existsSync(path.join(root, workspace, 'package.json'))) throw new Error(`there is no workspace ${workspace}`);
  const { code, output } = await run('npm', ['run', '--silent', script], { cwd: path.join(root, workspace) });
  if (code !== 0) throw new Sentence(`${output.trim()}\n\n\`npm run ${script}\` in ${workspace} failed: the reason is above`);
}
