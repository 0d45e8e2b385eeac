import { isUtf8 } from 'node:buffer';
import type { Fixture } from '@vrsky/contracts/pipeline-spec';
import { type FixtureResult, runFixtures } from '@vrsky/logic/fixtures';
import { type BuiltStep, buildStep, resolveTarget, type TargetOptions } from '../build/build-step.ts';
import { describePlace } from '../build/place.ts';
import { CliError } from '../cli-error.ts';
import { diffLines } from '../diff.ts';
import { fixturesFolder, readFixtures } from '../fixture-files.ts';
import { shown } from '../project.ts';
import { openSandbox } from '../sandbox.ts';
import type { Terminal } from '../terminal.ts';

/** Runs the fixtures of a project. Throws a `CliError` when one does not hold, after it has shown each. */
export async function test(given: string | undefined, options: TargetOptions & { json?: boolean }, terminal: Terminal): Promise<void> {
  const target = resolveTarget(given, options);
  const fixtures = readFixtures(target.dir);
  if (fixtures.length === 0) throw new CliError('usage', `There are no fixtures in ${shown(target.dir)}: put a .json file into ${fixturesFolder}`);
  const built = await terminal.during(`Building ${shown(target.file)}`, buildStep(target));
  const results = await tryFixtures(built, fixtures);
  const failed = results.filter(({ ok }) => !ok).length;
  if (options.json) {
    const list = results.map(({ name, ok, reason, run }) => ({ name, ok, reason: reason ?? null, instructions: run.instructions }));
    terminal.out(`${JSON.stringify({ passed: results.length - failed, failed, fixtures: list })}\n`);
  } else for (const [i, result] of results.entries()) show(result, fixtures[i] as Fixture, terminal);
  if (failed > 0) throw failing(failed, results.length);
  if (!options.json) terminal.err(`${results.length === 1 ? 'The fixture holds' : `All ${results.length} fixtures hold`}`);
}

/** Runs fixtures in the sandbox; what is said of a failure names a place in the author's files. */
export async function tryFixtures(built: BuiltStep, fixtures: Fixture[]): Promise<FixtureResult[]> {
  const { executor } = await openSandbox();
  return runFixtures(executor, built.step, fixtures).map((result) => {
    const { line, column = 1, reason } = result.run;
    const at = line === undefined ? null : built.locate(line, column);
    return at === null || reason === undefined ? result : { ...result, run: { ...result.run, reason: describePlace({ ...at, message: reason }) } };
  });
}

export function failing(failed: number, all: number): CliError {
  return new CliError('fixtures', `${failed} of ${all} ${all === 1 ? 'fixture' : 'fixtures'} ${failed === 1 ? 'does' : 'do'} not hold`);
}

/** One line for a fixture that holds; for one that does not, what was wanted and what came, side by side. */
export function show(result: FixtureResult, { expect }: Fixture, terminal: Terminal): void {
  const { paint } = terminal;
  const cost = paint.dim(`${result.run.instructions.toLocaleString('en')} instructions`);
  if (result.ok) {
    terminal.err(`${paint.green('✓')} ${result.name}  ${cost}`);
    return;
  }
  terminal.err(`${paint.red('✗')} ${result.name}  ${cost}`);
  terminal.err(`  ${result.reason ?? 'it does not hold'}`);
  for (const line of result.run.logs) terminal.err(paint.dim(`  │ ${line}`));
  if (expect.outcome !== 'ok' || expect.output === undefined || result.run.output === undefined) return;
  const wanted = Buffer.from(expect.output, expect.encoding);
  for (const { sign, text } of diffLines(readable(wanted), readable(result.run.output.payload))) {
    const line = `  ${sign} ${text}`;
    terminal.err(sign === '-' ? paint.red(line) : sign === '+' ? paint.green(line) : paint.dim(line));
  }
}

/** JSON with a line for each member, text as it is, other bytes in hexadecimal digits. */
function readable(bytes: Uint8Array): string {
  if (!isUtf8(bytes))
    return (
      Buffer.from(bytes)
        .toString('hex')
        .match(/.{1,64}/g) ?? []
    ).join('\n');
  const text = Buffer.from(bytes).toString('utf8');
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
