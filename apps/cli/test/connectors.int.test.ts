import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { goEnv, repositoryRoot } from '@vrsky/testkit/config';
import { goMissing } from '@vrsky/testkit/go';
import { scratchDir } from '@vrsky/testkit/scratch';
import { brokenPromises, readTutorial, runTutorial } from '@vrsky/testkit/tutorial';
import { describe, expect, it } from 'vitest';
import { execute, executeOffline } from './offline.ts';

// Connectors as a person makes them: from a clone, by the templates and by the tutorial.

const missing = goMissing();
const unless = missing === null ? '' : ` (skipped: ${missing})`;
/** Without a cache Go compiles for minutes on a busy machine. */
const BUILD_MS = 600_000;
const main = path.resolve(import.meta.dirname, '../src/main.ts');
const dir = scratchDir('connectors');

it('a new connector in TypeScript passes its tests, builds to one file and passes the check', async () => {
  const project = path.join(dir, 'Hello World');
  expect(await execute(process.execPath, [main, 'init', project, '--template', 'connector-typescript'], { cwd: dir })).toMatchObject({ code: 0, stdout: '' });
  const installed = await execute('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund'], { cwd: project });
  expect(installed, installed.stderr).toMatchObject({ code: 0 });
  const tested = await execute('npm', ['test'], { cwd: project });
  expect(tested, tested.stdout).toMatchObject({ code: 0 });

  const vrsky = path.join(project, 'node_modules/.bin/vrsky');
  const built = await executeOffline(vrsky, ['build', '--json'], { cwd: project });
  expect(built, built.stderr).toMatchObject({ code: 0 });
  expect(JSON.parse(built.stdout)).toMatchObject({
    kind: 'connector',
    language: 'typescript',
    name: 'hello-world',
    version: '0.1.0',
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect(readdirSync(path.join(project, 'dist')).sort()).toEqual(['hello-world', 'hello-world.json']);
  expect(statSync(path.join(project, 'dist/hello-world')).mode & 0o777).toBe(0o755);
  expect(JSON.parse(readFileSync(path.join(project, 'dist/hello-world.json'), 'utf8'))).toEqual({ network: 'none', env: {} });
  const again = await executeOffline(vrsky, ['build'], { cwd: project });
  expect(again.stdout.trim()).toBe(JSON.parse(built.stdout).sha256);

  const checked = await execute(vrsky, ['connector', 'check', '--json'], { cwd: project });
  expect(checked, checked.stderr).toMatchObject({ code: 0 });
  const report = JSON.parse(checked.stdout);
  expect(report).toMatchObject({ connector: { name: 'hello-world', version: '0.1.0' }, failed: 0 });
  expect(report.checks.filter((check: { state: string }) => check.state === 'skipped').map((check: { name: string }) => check.name)).toEqual([
    'receive.role',
    'receive.replies',
    'send.role',
  ]);

  // What is installed has the Go SDK in it, too.
  const inGo = path.join(dir, 'in-go');
  expect(await executeOffline(vrsky, ['init', inGo, '--template', 'connector-go'], { cwd: project })).toMatchObject({ code: 0 });
  const sdk = /^replace vrsky\/sdk\/go => (.+)$/m.exec(readFileSync(path.join(inGo, 'go.mod'), 'utf8'))?.[1];
  expect(sdk).toBe(path.join(realpathSync(path.join(project, 'node_modules/vrsky')), 'go-sdk'));
  expect(readdirSync(path.join(sdk as string, 'connector'))).toContain('serve.go');

  writeFileSync(path.join(project, 'src/main.ts'), "import { nothing } from './connector.ts';\nnothing satisfies never;\n");
  const wrong = await executeOffline(vrsky, ['build'], { cwd: project });
  expect(wrong).toMatchObject({ code: 3, stdout: '' });
  expect(wrong.stderr).toMatch(/main\.ts:1:10 .*nothing/);
});

it.skipIf(missing !== null)(`every command of the connector tutorial works as printed, and prints what it says${unless}`, { timeout: BUILD_MS }, async () => {
  const { commands, promised } = readTutorial(path.join(repositoryRoot, 'docs/connectors.md'));
  const [clone, home] = [path.join(dir, 'clone'), path.join(dir, 'home')];
  for (const folder of [clone, home]) mkdirSync(folder);
  symlinkSync(path.join(repositoryRoot, 'node_modules'), path.join(clone, 'node_modules'));
  // What Go has compiled is in the person's own home.
  const go = JSON.parse(execFileSync('go', ['env', '-json', 'GOPATH', 'GOMODCACHE', 'GOCACHE'], { encoding: 'utf8', env: goEnv() }));
  const printed = await runTutorial(commands, { cwd: clone, env: { ...goEnv(), ...go, HOME: home } });
  expect(promised.length).toBeGreaterThan(10);
  expect(brokenPromises(promised, printed), printed).toEqual([]);
  expect(readdirSync(path.join(clone, '.vrsky/plugins'))).toEqual([]);
});

describe('vrsky connector check', () => {
  const script = path.join(dir, 'no-connector');
  writeFileSync(script, '#!/bin/sh\necho hello\n');
  const vrsky = (...args: string[]) => execute(process.execPath, [main, 'connector', 'check', ...args], { cwd: dir });

  it('of a program that is no connector says so and ends with 9', async () => {
    chmodSync(script, 0o755);
    const { code, stdout, stderr } = await vrsky('no-connector');
    expect({ code, stdout }).toEqual({ code: 9, stdout: '' });
    expect(stderr).toMatch(/✗ Started by hand it explains itself and fails {2}handshake\.cookie\n {2}Without the magic cookie it writes to stdout/);
    expect(stderr).toMatch(/- Describe names the connector and its version {2}describe\.identity\n {2}skipped: It does not start\.\n/);
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/^The connector: 0 passed, \d+ failed, \d+ skipped$/);
  });

  it.each([
    [['nothing'], /^error: nothing does not exist: name an executable file/],
    [['.'], /^error: There is no connector's project in \.: name an executable file/],
    [['plain.txt'], /^error: plain\.txt is not executable: chmod \+x plain\.txt/],
    [['no-connector', '--settings', 'bad.json'], /^error: bad\.json: source: /],
  ])('%j ends with 2 and a sentence that says what to do', async (args, sentence) => {
    chmodSync(script, 0o755);
    writeFileSync(path.join(dir, 'plain.txt'), '');
    writeFileSync(path.join(dir, 'bad.json'), '{"source": 1}');
    const { code, stdout, stderr } = await vrsky(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(sentence);
  });
});
