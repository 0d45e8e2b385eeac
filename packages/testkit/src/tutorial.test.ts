import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { scratchDir } from './scratch.ts';
import { brokenPromises, readTutorial, runTutorial } from './tutorial.ts';

const dir = scratchDir('tutorial');

test('what is typed and what is seen are told apart, and run in one shell', async () => {
  const file = path.join(dir, 'tutorial.md');
  writeFileSync(file, 'Do:\n\n```sh\nN=1\n```\n\n```json\n{}\n```\n\n```sh\necho "n is $N"; echo "to stderr" >&2\n```\n\n```text\nn is 1\nnot said\n```\n');
  const { commands, promised } = readTutorial(file);
  expect(commands).toHaveLength(2);
  const printed = await runTutorial(commands, { cwd: dir, env: { PATH: process.env.PATH, FORCE_COLOR: '1' } });
  expect(printed).toBe('n is 1\nto stderr\n');
  expect(brokenPromises(promised, printed)).toEqual(['not said']);
  expect(brokenPromises(['n is 2'], printed, (text) => text.replace(/\d/, '…'))).toEqual([]);
});

test('a command that fails stops it, with what was printed before', async () => {
  await expect(runTutorial(['echo before', 'false', 'echo after'], { cwd: dir, env: { PATH: process.env.PATH } })).rejects.toThrow(
    /^before\n\n?Command failed/,
  );
});
