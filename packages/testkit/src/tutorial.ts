import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

/** The fenced blocks of a tutorial, in order: `sh` is what the reader types, `text` what the reader then sees. */
export interface TutorialBlocks {
  commands: string[];
  /** Line by line. */
  promised: string[];
}

export function readTutorial(file: string): TutorialBlocks {
  const blocks = [...readFileSync(file, 'utf8').matchAll(/^```(sh|text)\n([\s\S]*?)^```/gm)].map(([, language, text = '']) => ({ language, text }));
  const of = (wanted: string): string[] => blocks.filter(({ language }) => language === wanted).map(({ text }) => text);
  return { commands: of('sh'), promised: of('text').flatMap((text) => text.trimEnd().split('\n')) };
}

/** Runs the commands in one shell that stops at the first that fails, without colours; answers what they print. Rejects with that and the reason. */
export async function runTutorial(commands: readonly string[], options: { cwd: string; env: Record<string, string | undefined> }): Promise<string> {
  // A test runner may ask for colours; a person who pipes does not get any. Even an empty FORCE_COLOR asks Node for them.
  const { FORCE_COLOR: _, ...env } = options.env;
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', `exec 2>&1\n${commands.join('\n')}`], {
    cwd: options.cwd,
    env: env as NodeJS.ProcessEnv,
    maxBuffer: 16 * 1_048_576,
  }).catch((error: { stdout: string; message: string }) => {
    throw new Error(`${error.stdout}\n${error.message}`);
  });
  return stdout;
}

/** The promised lines with which no printed line begins, both without what differs from run to run. */
export function brokenPromises(promised: readonly string[], printed: string, normalise: (text: string) => string = (text) => text): string[] {
  const lines = printed.split('\n').map(normalise);
  return promised.filter((line) => !lines.some((other) => other.startsWith(normalise(line))));
}
