import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { type ConnectorManifest, connectorManifestSchema } from '@vrsky/contracts/connector-manifest';
import { z } from 'zod';
import { CliError } from './cli-error.ts';
import { parseJsonFile, projectFileName, shown } from './project.ts';

/** Beside the project's file: what the operator of a node is asked to grant. */
export const manifestFileName = 'connector.json';

const connectorProjectSchema = z.strictObject({
  kind: z.literal('connector'),
  language: z.enum(['typescript', 'go']),
  /** What it calls itself, and the name of the executable. */
  name: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'A name has lower-case letters, digits and -, and begins with a letter'),
  /** Semantic version of the next release; the build puts it in. */
  version: z.string().regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/, 'A version is like 1.0.0'),
  /** In TypeScript the file that serves the connector, in Go the package of main. */
  entry: z.string().min(1),
});

/** A folder with a `vrsky.json` whose kind is `connector`. */
export interface ConnectorProject extends z.infer<typeof connectorProjectSchema> {
  dir: string;
  manifest: ConnectorManifest;
  /** What `vrsky build` makes. */
  executable: string;
}

/** The connector's project in a folder; null when there is a step there, or nothing. What is wrong with its files is said with the field's name. */
export function findConnectorProject(folder: string): ConnectorProject | null {
  const dir = path.resolve(folder);
  const file = path.join(dir, projectFileName);
  if (!existsSync(file) || !statSync(dir).isDirectory()) return null;
  const read = parseJsonFile(file);
  if ((read as { kind?: unknown } | null)?.kind !== 'connector') return null;
  const project = parse(connectorProjectSchema, read, file);
  const manifestFile = path.join(dir, manifestFileName);
  const manifest = parse(connectorManifestSchema, existsSync(manifestFile) ? parseJsonFile(manifestFile) : {}, manifestFile);
  if (!existsSync(path.join(dir, project.entry))) throw new CliError('usage', `${shown(file)}: there is no ${project.entry}: make it, or correct "entry"`);
  return { dir, ...project, manifest, executable: path.join(dir, 'dist', project.name) };
}

/** The value, or a `CliError` that names the file and the field. */
export function parse<T>(schema: z.ZodType<T>, value: unknown, file: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CliError('usage', `${shown(file)}: ${issue?.path.join('.') || 'the file'}: ${issue?.message ?? 'is not right'}`);
}
