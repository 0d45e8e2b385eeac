import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { stepLanguages, stepSchema } from '@vrsky/contracts/pipeline-spec';
import { z } from 'zod';
import { CliError } from './cli-error.ts';

export const projectFileName = 'vrsky.json';

const projectSchema = z.strictObject({
  kind: z.enum(['convert', 'filter']),
  language: z.enum(stepLanguages).exclude(['wasm']),
  /** The file whose default export (or, in AssemblyScript, whose `define…` call) is the step. */
  entry: z.string().min(1),
  /** Where `publish` puts it when the command line does not say. */
  pipeline: z.string().min(1).optional(),
  step: stepSchema.shape.id.optional(),
});

/** A folder with a `vrsky.json`. */
export interface Project extends z.infer<typeof projectSchema> {
  dir: string;
}

/** Reads the project in `dir`; what is wrong with its file is said with the field's name. */
export function readProject(dir: string): Project {
  const file = path.join(dir, projectFileName);
  if (!existsSync(file)) {
    throw new CliError('usage', `There is no ${projectFileName} in ${shown(dir)}: name a file, go to a project's folder, or make one with: vrsky init <dir>`);
  }
  const read = parseJsonFile(file);
  if ((read as { kind?: unknown } | null)?.kind === 'connector')
    throw new CliError('usage', `${shown(dir)} has a connector, not a step: it has the commands vrsky build and vrsky connector check`);
  const parsed = projectSchema.safeParse(read);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new CliError('usage', `${shown(file)}: ${issue?.path.join('.') || 'the file'}: ${issue?.message ?? 'is not right'}`);
  }
  if (!existsSync(path.join(dir, parsed.data.entry)))
    throw new CliError('usage', `${shown(file)}: there is no file ${parsed.data.entry}: make it, or correct "entry"`);
  return { dir, ...parsed.data };
}

/** The project that a file is in: its folder or the nearest above with a `vrsky.json`. */
export function findProject(file: string): Project | null {
  for (let dir = path.dirname(path.resolve(file)); ; dir = path.dirname(dir)) {
    if (existsSync(path.join(dir, projectFileName))) return readProject(dir);
    if (path.dirname(dir) === dir) return null;
  }
}

export function parseJsonFile(file: string): unknown {
  const text = readFile(file);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CliError('usage', `${shown(file)} is not JSON: ${(cause as Error).message}`, [], { cause });
  }
}

/** The text of a file that a person named. */
export function readFile(file: string): string {
  return readFileBytes(file).toString('utf8');
}

export function readFileBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'does not exist' : code === 'EISDIR' ? 'is a folder' : `cannot be read (${code})`;
    throw new CliError('usage', `${shown(file)} ${why}`, [], { cause });
  }
}

/** A path as the person would type it. */
export function shown(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative === '' ? '.' : relative.startsWith('..') ? file : relative;
}
