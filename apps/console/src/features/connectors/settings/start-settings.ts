import { readSchema } from './read-schema.ts';
import { startValue } from './start-value.ts';
import { type Json, toForm } from './to-form.ts';

/** What a new part's settings begin with; nothing when the schema cannot be read. */
export function startSettings(schemaText: string): Record<string, Json> {
  const read = readSchema(schemaText);
  const value = read.ok ? startValue(toForm(read.schema)) : undefined;
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}
