import { defaultStepLimits } from '@vrsky/logic/step-limits';
import type { StepLimits } from '@vrsky/logic/types';
import { CliError } from './cli-error.ts';
import { readFile, shown } from './project.ts';

const nameOf = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)$/;

/** Each of `given` is `name=value`, or a file with a JSON object or one `name: value` a line. */
export function parseHeaders(given: readonly string[]): [string, string][] {
  return given.flatMap((item): [string, string][] => {
    const at = item.indexOf('=');
    if (at > 0 && nameOf.test(item.slice(0, at))) return [[item.slice(0, at), item.slice(at + 1)]];
    return headersOfFile(item);
  });
}

function headersOfFile(file: string): [string, string][] {
  const text = readFile(file);
  const entries = text.trimStart().startsWith('{') ? jsonHeaders(text, file) : text.split(/\r?\n/).flatMap((line, i) => lineHeader(line, file, i + 1));
  for (const [name] of entries) if (!nameOf.test(name)) throw new CliError('usage', `${shown(file)}: ${JSON.stringify(name)} is not a header's name`);
  return entries;
}

function jsonHeaders(text: string, file: string): [string, string][] {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CliError('usage', `${shown(file)} is not JSON: ${(cause as Error).message}`, [], { cause });
  }
  return Object.entries(value).flatMap(([name, item]) =>
    (Array.isArray(item) ? item : [item]).map((one): [string, string] => {
      if (typeof one !== 'string') throw new CliError('usage', `${shown(file)}: the header ${name} is not a text`);
      return [name, one];
    }),
  );
}

function lineHeader(line: string, file: string, number: number): [string, string][] {
  if (line.trim() === '') return [];
  const at = line.indexOf(':');
  if (at < 1) throw new CliError('usage', `${shown(file)}:${number} is not a header: write name: value`);
  return [[line.slice(0, at).trim(), line.slice(at + 1).trim()]];
}

/** What of the limits a person can change, and the factor of the unit they write. */
const settable = ['instructions', 'instructionsPerKib', 'memoryBytes', 'depth', 'outputBytes', 'logLines', 'logBytes'] as const satisfies (keyof StepLimits)[];

/** Each of `given` is `name=number`; `5e6` and `5_000_000` are numbers, too. What is not given is as a node has it. */
export function parseLimits(given: readonly string[]): StepLimits {
  const limits = { ...defaultStepLimits };
  for (const item of given) {
    const [name = '', text = ''] = item.split('=');
    const key = settable.find((candidate) => candidate === name);
    if (key === undefined) throw new CliError('usage', `There is no limit ${JSON.stringify(name)}: there are ${settable.join(', ')}`);
    const value = Number(text.replaceAll('_', ''));
    if (text === '' || !Number.isSafeInteger(value) || value < 0)
      throw new CliError('usage', `The limit ${name} is a whole number, as in ${name}=${defaultStepLimits[key]}`);
    limits[key] = value;
  }
  return limits;
}
