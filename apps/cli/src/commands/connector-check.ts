import { accessSync, constants, existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { type CheckResult, checkConnector, type Report } from '@vrsky/conformance/check-connector';
import { type SettingsFile, settingsFileSchema } from '@vrsky/conformance/settings-file';
import { CliError } from '../cli-error.ts';
import { findConnectorProject, parse } from '../connector-project.ts';
import type { Exit } from '../exit-codes.ts';
import { parseJsonFile, shown } from '../project.ts';
import type { Terminal } from '../terminal.ts';

/** In a project, what is taken when the command line names no settings. */
const settingsFileName = 'settings.json';

/** Runs a connector as a node would and prints what holds. Ends with `connector` when something does not. */
export async function connectorCheck(given: string | undefined, options: { settings?: string; json?: boolean }, terminal: Terminal): Promise<Exit> {
  const { executable, settingsFile } = resolve(given, options.settings);
  const settings: SettingsFile = parse(settingsFileSchema, settingsFile === null ? {} : parseJsonFile(settingsFile), settingsFile ?? '');
  const report = await checkConnector(
    {
      command: executable,
      env: settings.env,
      secrets: settings.secrets,
      settings: { ...(settings.source && { source: settings.source }), ...(settings.destination && { destination: settings.destination }) },
      request: settings.request,
    },
    options.json ? undefined : (result) => show(result, terminal),
  );
  const count = (state: CheckResult['state']): number => report.checks.filter((check) => check.state === state).length;
  if (options.json) terminal.out(`${JSON.stringify({ ...report, passed: count('passed'), failed: count('failed'), skipped: count('skipped') })}\n`);
  else summarise(report, count, terminal);
  return count('failed') === 0 ? 'ok' : 'connector';
}

function resolve(given: string | undefined, settings: string | undefined): { executable: string; settingsFile: string | null } {
  const at = path.resolve(given ?? '.');
  if (!existsSync(at)) throw new CliError('usage', `${given} does not exist: name an executable file, or the folder of a connector's project`);
  if (!statSync(at).isDirectory()) return { executable: runnable(at), settingsFile: settings ?? null };
  const project = findConnectorProject(at);
  if (project === null)
    throw new CliError(
      'usage',
      `There is no connector's project in ${shown(at)}: name an executable file, or make a project with: vrsky init --template connector-typescript <dir>`,
    );
  if (!existsSync(project.executable)) throw new CliError('usage', `${shown(project.executable)} is not built yet: vrsky build ${given ?? ''}`.trimEnd());
  const own = path.join(at, settingsFileName);
  return { executable: runnable(project.executable), settingsFile: settings ?? (existsSync(own) ? own : null) };
}

function runnable(file: string): string {
  try {
    accessSync(file, constants.X_OK);
  } catch (cause) {
    throw new CliError('usage', `${shown(file)} is not executable: chmod +x ${shown(file)}`, [], { cause });
  }
  return file;
}

function show({ name, title, state, reason }: CheckResult, { err, paint }: Terminal): void {
  const said = reason === '' ? '' : paint.dim(`  ${reason}`);
  if (state === 'passed') err(`${paint.green('✓')} ${title}  ${paint.dim(name)}${said}`);
  else if (state === 'skipped') err(`${paint.yellow('-')} ${title}  ${paint.dim(name)}\n  skipped: ${reason}`);
  else err(`${paint.red('✗')} ${title}  ${paint.dim(name)}\n  ${reason}`);
}

function summarise({ connector }: Report, count: (state: CheckResult['state']) => number, terminal: Terminal): void {
  const who = connector === null ? 'The connector' : `${connector.name} ${connector.version}`;
  const [passed, failed, skipped] = [count('passed'), count('failed'), count('skipped')];
  terminal.err(`${who}: ${passed} passed, ${failed} failed, ${skipped} skipped`);
}
