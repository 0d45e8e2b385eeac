import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { limits } from '@vrsky/contracts/limits';
import { type Fixture, fixtureSchema } from '@vrsky/contracts/pipeline-spec';
import { CliError } from './cli-error.ts';
import { parseJsonFile, shown } from './project.ts';

export const fixturesFolder = 'fixtures';

/** The fixtures of a project, in the order of their files' names. A fixture without a name has that of its file. */
export function readFixtures(dir: string): Fixture[] {
  const folder = path.join(dir, fixturesFolder);
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  if (files.length > limits.fixturesPerStepMax)
    throw new CliError('usage', `${shown(folder)} has ${files.length} fixtures; a step has at most ${limits.fixturesPerStepMax}: leave some out`);
  return files.toSorted().map((name) => readFixture(path.join(folder, name)));
}

/** Reads one fixture. A payload or an output that is not written as text is JSON, so that nobody has to put JSON into quotes. */
export function readFixture(file: string): Fixture {
  const value = parseJsonFile(file);
  if (!isRecord(value)) throw new CliError('usage', `${shown(file)} is not a fixture: it needs "input" and "expect"`);
  const parsed = fixtureSchema.safeParse({
    name: path.basename(file, '.json'),
    ...value,
    ...(isRecord(value.input) && { input: withText(value.input, 'payload') }),
    ...(isRecord(value.expect) && { expect: withText(value.expect, 'output') }),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CliError('usage', `${shown(file)}: ${issue?.path.join('.') || 'the file'}: ${issue?.message ?? 'is not right'}`);
}

function withText(record: Record<string, unknown>, key: string): Record<string, unknown> {
  const value = record[key];
  return value === undefined || typeof value === 'string' ? record : { ...record, [key]: JSON.stringify(value) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
