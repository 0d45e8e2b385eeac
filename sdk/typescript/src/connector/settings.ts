import * as z from 'zod';
import type { FieldError, JsonSchema, SettingsSchema } from '../connector.ts';
import { escapePointer } from './secret.ts';

/** A settings schema, made ready once. */
export interface SettingsCheck {
  /** For the platform: JSON Schema 2020-12 of what a customer enters. */
  jsonSchema: JsonSchema;
  /** The settings with their defaults, or what is wrong with which field. */
  check(settings: unknown): { value: unknown } | { errors: FieldError[] };
}

const checks = new WeakMap<SettingsSchema, SettingsCheck>();

/** The same for the same schema. Throws when a plain schema says what we cannot check, or a zod one what JSON Schema cannot say. */
export function settingsCheck(schema: SettingsSchema): SettingsCheck {
  const known = checks.get(schema);
  if (known !== undefined) return known;
  const zod = isZod(schema) ? schema : z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
  const jsonSchema = (isZod(schema) ? z.toJSONSchema(schema, { io: 'input' }) : schema) as JsonSchema;
  const made: SettingsCheck = {
    jsonSchema,
    check(settings) {
      const result = zod.safeParse(settings);
      return result.success ? { value: result.data } : { errors: result.error.issues.flatMap((issue) => toFieldErrors(issue, settings)) };
    },
  };
  checks.set(schema, made);
  return made;
}

function isZod(schema: SettingsSchema): schema is z.ZodType {
  return '_zod' in schema;
}

function toFieldErrors(issue: z.core.$ZodIssue, settings: unknown): FieldError[] {
  const path = issue.path.map((key) => `/${escapePointer(key)}`).join('');
  // Where the field is, not the object around it: that is where a form can show it.
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => ({ path: `${path}/${escapePointer(key)}`, message: 'There is no such setting' }));
  if (issue.code === 'invalid_type' && valueAt(settings, issue.path) === undefined) return [{ path, message: 'This is required' }];
  return [{ path, message: issue.message }];
}

function valueAt(settings: unknown, path: readonly PropertyKey[]): unknown {
  let value = settings;
  for (const key of path) value = typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;
  return value;
}
