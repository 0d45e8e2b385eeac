import { secretReferenceSchema } from './secret-reference.ts';

/** A JSON Schema as a connector gives it. */
export type SchemaNode = boolean | SchemaObject;
export type SchemaObject = { [keyword: string]: unknown };

export type ReadSchema = { ok: true; schema: SchemaObject } | { ok: false; reason: string };

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
/** Deeper or larger ones are no settings, and a form of them would help nobody. */
const DEPTH_MAX = 32;
const NODES_MAX = 5_000;

/** Keywords that hold one schema, a list of them, or a map of them. */
const single = ['items', 'contains', 'additionalProperties', 'propertyNames', 'unevaluatedItems', 'unevaluatedProperties', 'not', 'if', 'then', 'else'];
const lists = ['allOf', 'anyOf', 'oneOf', 'prefixItems'];
const maps = ['properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions'];

const isText = (value: unknown) => typeof value === 'string';
const isNumber = (value: unknown) => typeof value === 'number';
const isList = (value: unknown) => Array.isArray(value);
const isTexts = (value: unknown) => Array.isArray(value) && value.every(isText);
const isAnything = () => true;

/** The other keywords that count, and what each has to be. Whatever else a schema holds is left out. */
const plain: Record<string, (value: unknown) => boolean> = {
  $ref: isText,
  type: (value) => isText(value) || isTexts(value),
  enum: isList,
  const: isAnything,
  required: isTexts,
  dependentRequired: (value) => isObject(value) && Object.values(value).every(isTexts),
  pattern: isText,
  format: isText,
  contentMediaType: isText,
  deprecated: (value) => typeof value === 'boolean',
  uniqueItems: (value) => typeof value === 'boolean',
  default: isAnything,
  examples: isList,
  title: isText,
  description: isText,
  'x-vrsky': isText,
  'x-vrsky-unit': isText,
  ...Object.fromEntries(
    [
      'minLength',
      'maxLength',
      'minimum',
      'maximum',
      'exclusiveMinimum',
      'exclusiveMaximum',
      'multipleOf',
      'minItems',
      'maxItems',
      'minContains',
      'maxContains',
      'minProperties',
      'maxProperties',
    ].map((keyword) => [keyword, isNumber]),
  ),
};

/**
 * A connector's settings schema (JSON Schema 2020-12 as text), ready to check with and to draw a form from: it was written by a stranger,
 * so what could not be used safely is a reason instead. Where it says `"x-vrsky": "secret"`, the schema of a reference to a secret stands.
 */
export function readSchema(text: string): ReadSchema {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'It is not JSON.' };
  }
  if (!isObject(value)) return { ok: false, reason: 'It is not a JSON object.' };
  if (value.$schema !== undefined && String(value.$schema).replace(/#$/, '') !== DIALECT)
    return { ok: false, reason: `It is written for ${String(value.$schema).slice(0, 100)}; the console reads JSON Schema 2020-12.` };
  try {
    const reader: Reader = { nodes: 0, references: new Set() };
    const schema = readNode(value, 0, reader) as SchemaObject;
    for (const reference of reader.references) {
      if (resolveReference(schema, reference) === undefined) throw new Unusable(`It refers to ${JSON.stringify(reference).slice(0, 100)}, which is not in it.`);
    }
    return { ok: true, schema };
  } catch (error) {
    if (error instanceof Unusable) return { ok: false, reason: error.message };
    throw error;
  }
}

class Unusable extends Error {}

interface Reader {
  nodes: number;
  /** Every `$ref`: only into the schema itself, since nothing is ever fetched. */
  references: Set<string>;
}

function readNode(node: unknown, depth: number, reader: Reader): SchemaNode {
  if (typeof node === 'boolean') return node;
  if (!isObject(node)) throw new Unusable('A part of it that should be a schema is none.');
  if (depth > DEPTH_MAX) throw new Unusable(`It is nested more than ${DEPTH_MAX} deep.`);
  if (++reader.nodes > NODES_MAX) throw new Unusable(`It has more than ${NODES_MAX.toLocaleString('en')} parts.`);
  if (node['x-vrsky'] === 'secret') return { ...secretReferenceSchema, ...textsOf(node), 'x-vrsky': 'secret' };
  const read: SchemaObject = {};
  for (const [keyword, isRight] of Object.entries(plain)) {
    if (!Object.hasOwn(node, keyword)) continue;
    if (!isRight(node[keyword])) throw new Unusable(`Its “${keyword}” is ${JSON.stringify(node[keyword]).slice(0, 60)}, which is no such thing.`);
    read[keyword] = node[keyword];
  }
  for (const keyword of ['$dynamicRef', '$recursiveRef'])
    if (node[keyword] !== undefined) throw new Unusable(`It uses “${keyword}”, which the console does not follow.`);
  if (typeof node.$ref === 'string') reader.references.add(node.$ref);
  checkPattern(node.pattern);
  for (const keyword of single) if (Object.hasOwn(node, keyword)) read[keyword] = readNode(node[keyword], depth + 1, reader);
  for (const keyword of lists) {
    if (!Object.hasOwn(node, keyword)) continue;
    if (!Array.isArray(node[keyword])) throw new Unusable(`“${keyword}” is not a list.`);
    read[keyword] = node[keyword].map((item) => readNode(item, depth + 1, reader));
  }
  for (const keyword of maps) {
    if (!Object.hasOwn(node, keyword)) continue;
    const map = node[keyword];
    if (!isObject(map)) throw new Unusable(`“${keyword}” is not an object.`);
    if (keyword === 'patternProperties') for (const pattern of Object.keys(map)) checkPattern(pattern);
    read[keyword] = Object.fromEntries(Object.entries(map).map(([key, item]) => [key, readNode(item, depth + 1, reader)]));
  }
  return read;
}

function checkPattern(pattern: unknown): void {
  if (pattern === undefined) return;
  try {
    new RegExp(String(pattern), 'u');
  } catch {
    throw new Unusable(`Its pattern ${JSON.stringify(pattern).slice(0, 100)} is no regular expression.`);
  }
}

/** What `#` or `#/$defs/name` names in a schema; undefined when that is nothing. */
export function resolveReference(root: SchemaObject, reference: string): SchemaNode | undefined {
  if (reference === '#') return root;
  if (!reference.startsWith('#/')) return undefined;
  let at: unknown = root;
  for (const part of reference.slice(2).split('/')) {
    const key = decoded(part).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return typeof at === 'boolean' || isObject(at) ? at : undefined;
}

/** A reference is a URI; one with a stray % is taken as it is. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return part;
    throw error;
  }
}

export function isObject(value: unknown): value is SchemaObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textsOf({ title, description }: SchemaObject): SchemaObject {
  return { ...(isText(title) && { title }), ...(isText(description) && { description }) };
}
