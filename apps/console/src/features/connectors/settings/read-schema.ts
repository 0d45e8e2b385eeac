import { secretReferenceSchema } from './secret-reference.ts';

/** A JSON Schema as a connector gives it. */
export type SchemaNode = boolean | SchemaObject;
export type SchemaObject = { [keyword: string]: unknown };

export type ReadSchema = { ok: true; schema: SchemaObject } | { ok: false; reason: string };

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
/** Deeper or larger ones are no settings, and a form of them would help nobody. */
const DEPTH_MAX = 32;
const NODES_MAX = 5_000;

const single = ['items', 'contains', 'additionalProperties', 'propertyNames', 'unevaluatedItems', 'unevaluatedProperties', 'not', 'if', 'then', 'else'];
const lists = ['allOf', 'anyOf', 'oneOf', 'prefixItems'];
const maps = ['properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions'];

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
  const reader = { nodes: 0, root: value };
  try {
    const schema = readNode(value, 0, reader);
    return isObject(schema) ? { ok: true, schema } : { ok: false, reason: 'It is not a JSON object.' };
  } catch (error) {
    if (error instanceof Unusable) return { ok: false, reason: error.message };
    throw error;
  }
}

class Unusable extends Error {}

interface Reader {
  nodes: number;
  root: SchemaObject;
}

function readNode(node: unknown, depth: number, reader: Reader): SchemaNode {
  if (typeof node === 'boolean') return node;
  if (!isObject(node)) throw new Unusable('A part of it that should be a schema is none.');
  if (depth > DEPTH_MAX) throw new Unusable(`It is nested more than ${DEPTH_MAX} deep.`);
  if (++reader.nodes > NODES_MAX) throw new Unusable(`It has more than ${NODES_MAX.toLocaleString('en')} parts.`);
  if (node['x-vrsky'] === 'secret') return { ...secretReferenceSchema, ...textsOf(node), 'x-vrsky': 'secret' };
  checkReference(node, reader);
  checkPattern(node.pattern);
  const read: SchemaObject = { ...node };
  for (const keyword of single) if (node[keyword] !== undefined) read[keyword] = readNode(node[keyword], depth + 1, reader);
  for (const keyword of lists) {
    if (node[keyword] === undefined) continue;
    if (!Array.isArray(node[keyword])) throw new Unusable(`“${keyword}” is not a list.`);
    read[keyword] = node[keyword].map((item) => readNode(item, depth + 1, reader));
  }
  for (const keyword of maps) {
    const map = node[keyword];
    if (map === undefined) continue;
    if (!isObject(map)) throw new Unusable(`“${keyword}” is not an object.`);
    if (keyword === 'patternProperties') for (const pattern of Object.keys(map)) checkPattern(pattern);
    read[keyword] = Object.fromEntries(Object.entries(map).map(([key, item]) => [key, readNode(item, depth + 1, reader)]));
  }
  return read;
}

/** Only into the schema itself: nothing is ever fetched. */
function checkReference(node: SchemaObject, reader: Reader): void {
  for (const keyword of ['$dynamicRef', '$recursiveRef', '$id', '$anchor'])
    if (node[keyword] !== undefined && node !== reader.root) throw new Unusable(`It uses “${keyword}”, which the console does not follow.`);
  const { $ref } = node;
  if ($ref === undefined) return;
  if (typeof $ref !== 'string' || resolveReference(reader.root, $ref) === undefined)
    throw new Unusable(`It refers to ${JSON.stringify($ref).slice(0, 100)}, which is not in it.`);
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
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return typeof at === 'boolean' || isObject(at) ? at : undefined;
}

export function isObject(value: unknown): value is SchemaObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textsOf({ title, description }: SchemaObject): SchemaObject {
  return { ...(title !== undefined && { title }), ...(description !== undefined && { description }) };
}
