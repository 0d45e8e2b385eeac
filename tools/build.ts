import path from 'node:path';
import { plainEnv } from '@vrsky/testkit/config';
import { launch } from '@vrsky/testkit/launch';
import { root } from './run.ts';
import { Sentence } from './sentence.ts';
import { whenChanged } from './stamp.ts';

const NEXT = path.join(root, 'node_modules/next/dist/bin/next');

/** What ends up in the console's pages and routes. */
const CONSOLE_INPUTS = [
  ...['bus', 'contracts', 'db', 'kernel', 'logic', 'metering', 'proto'].map((name) => `packages/${name}/src`),
  ...['src', 'next.config.ts', 'package.json', 'tsconfig.json'].map((name) => `apps/console/${name}`),
  'sdk/typescript/src',
  'sdk/typescript/step',
  'sdk/typescript/assembly',
  'package-lock.json',
  'tsconfig.base.json',
];

/** Builds the console's pages when a source of theirs changed. */
export async function buildConsole(stop?: AbortSignal): Promise<string> {
  const made = await whenChanged('console', { inputs: CONSOLE_INPUTS, output: 'apps/console/.next/BUILD_ID' }, () =>
    build('apps/console', [NEXT, 'build'], stop),
  );
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
    () => build('connectors/http', ['build.ts']),
  );
  return made === 'done' ? 'http built' : 'unchanged';
}

/** Generates the database client, which is not kept in the repository. */
export async function generateCode(): Promise<string> {
  const made = await whenChanged(
    'db',
    { inputs: ['packages/db/prisma', 'packages/db/prisma.config.ts', 'packages/db/bin', 'package-lock.json'], output: 'packages/db/src/generated' },
    () => build('packages/db', ['bin/generate.ts']),
  );
  return made === 'done' ? 'database client' : 'unchanged';
}

/** Runs a build that ends with us, however we end: one that lives on would stand in the way of the next. */
async function build(workspace: string, args: string[], stop?: AbortSignal): Promise<void> {
  const child = await launch({
    command: process.execPath,
    args,
    cwd: path.join(root, workspace),
    env: { ...plainEnv(), NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' },
    ownGroup: true,
  });
  const end = (): void => void child.stop({ graceMs: 5_000 });
  stop?.addEventListener('abort', end, { once: true });
  const { code } = await child.exited;
  stop?.removeEventListener('abort', end);
  stop?.throwIfAborted();
  if (code !== 0) throw new Sentence(`${child.output().trim()}\n\nThe build of ${workspace} failed: the reason is above`);
}
