import { isObject } from './read-schema.ts';

/** Some of the settings that a schema describes, as a schema of their own, so that a form may show them apart. What cannot be read stays as it is. */
export function partOfSchema(schemaText: string, keys: readonly string[]): string {
  const schema = parse(schemaText);
  if (schema === null || !isObject(schema.properties)) return schemaText;
  const { required } = schema;
  return JSON.stringify({
    ...schema,
    properties: partOfSettings(schema.properties, keys),
    ...(Array.isArray(required) && { required: required.filter((key) => keys.includes(key)) }),
  });
}

/** The settings of these names. */
export function partOfSettings(settings: Readonly<Record<string, unknown>>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.flatMap((key) => (Object.hasOwn(settings, key) ? [[key, settings[key]]] : [])));
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
