import { Ajv2020, type AnySchema, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';

/** A settings schema that was understood. */
export interface SettingsSchema {
  root: { properties?: Record<string, unknown>; [keyword: string]: unknown };
  accepts(settings: unknown): boolean;
  /** Every place that is marked `x-vrsky`, as a JSON Pointer, with what is wrong about it. */
  marks: { pointer: string; problem: string | null }[];
}

/** Reads a settings schema as JSON Schema 2020-12; answers a sentence when it is none. */
export function readSchema(text: string): SettingsSchema | string {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    return `it is not JSON (${(error as Error).message})`;
  }
  if (typeof root !== 'object' || root === null || Array.isArray(root)) return 'it is not an object';
  const { $schema, type } = root as { $schema?: unknown; type?: unknown };
  if ($schema !== undefined && !/^https:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/.test(String($schema)))
    return `its $schema is ${JSON.stringify($schema)}, not that of 2020-12`;
  if (type !== 'object') return 'its "type" is not "object": settings are an object, of which the console makes a form';
  // What a vocabulary of others adds is an annotation, as the specification has it.
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  if (!ajv.validateSchema(root)) return `it is not JSON Schema 2020-12: ${sayErrors(ajv.errors)}`;
  let validate: ValidateFunction;
  try {
    validate = ajv.compile(root);
  } catch (error) {
    return `it cannot be used: ${(error as Error).message}`;
  }
  const schema = root as SettingsSchema['root'];
  const marks = listMarks(schema).map(({ pointer, mark }) => ({ pointer, problem: problemOf(pointer, mark, schema) }));
  return { root: schema, accepts: (settings) => validate(settings) === true, marks };
}

function sayErrors(errors: ErrorObject[] | null | undefined): string {
  return (errors ?? []).map(({ instancePath, message }) => `${instancePath || '/'} ${message}`).join('; ');
}

function listMarks(schema: unknown, pointer = ''): { pointer: string; mark: unknown }[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const here =
    Object.hasOwn(schema, MARK) && !FORM_MARKS.has((schema as Record<string, unknown>)[MARK])
      ? [{ pointer, mark: (schema as Record<string, unknown>)[MARK] }]
      : [];
  return [...here, ...Object.entries(schema).flatMap(([key, value]) => listMarks(value, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`))];
}
const MARK = 'x-vrsky';
/** What only concerns how a form shows a setting. */
const FORM_MARKS: ReadonlySet<unknown> = new Set(['long-text']);

/** A marked place takes a reference and nothing that could be a value. */
function problemOf(pointer: string, mark: unknown, root: SettingsSchema['root']): string | null {
  if (mark !== 'secret') return `"${MARK}" is ${JSON.stringify(mark)}: the marks are "secret" and "long-text"`;
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const id = 'https://conformance.invalid/settings';
  ajv.addSchema({ ...root, $id: id } as AnySchema);
  const accepts = ajv.compile({ $ref: `${id}#${encodeURI(pointer)}` });
  if (!accepts({ $secret: 'name' })) return 'it does not take {"$secret": "name"}';
  if (accepts('value')) return 'it takes a plain text: a value must not be in settings';
  return null;
}

const CANDIDATES: readonly unknown[] = [null, 0, '', [], {}, 'not this one', -1.5, true, [[]], { unexpected: true }];

/** Values that the schema refuses for one property, the others being good; none when it takes anything. */
export function wrongValues(schema: SettingsSchema, good: Record<string, unknown>, property: string): unknown[] {
  return CANDIDATES.filter((value) => !schema.accepts({ ...good, [property]: value }));
}
