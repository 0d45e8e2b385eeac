import { isObject, resolveReference, type SchemaNode, type SchemaObject } from './read-schema.ts';
import { wordsOf } from './words-of.ts';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** One setting as a form shows it. */
export type Field = FieldTexts & FieldShape;

export interface FieldTexts {
  title: string;
  help: string | null;
  required: boolean;
  /** What the connector takes when nothing is set; undefined when it says nothing. */
  fallback: Json | undefined;
  /** A value for the eye, such as the first example. */
  example: string | null;
  /** Shown only where it is set: something else has taken its place. */
  deprecated?: true;
}

export type FieldShape =
  | { kind: 'text'; long: boolean; input: 'text' | 'url' | 'email'; maxLength: number | null }
  | { kind: 'number'; whole: boolean; min: number | null; max: number | null; unit: string | null }
  | { kind: 'flag' }
  | { kind: 'choice'; options: Option[] }
  /** Several of the options. */
  | { kind: 'choices'; options: Option[] }
  /** The name of a secret; its value is never in settings. */
  | { kind: 'secret' }
  /** Nothing to choose: this is its value. */
  | { kind: 'fixed'; value: Json }
  | { kind: 'group'; members: Member[] }
  | { kind: 'list'; item: Field; min: number; max: number | null }
  /** Names that the customer chooses, each with a value. */
  | { kind: 'map'; item: Field }
  | { kind: 'variants'; options: Variant[] }
  /** Edited as JSON text, since the form has no control for it. */
  | { kind: 'json'; reason: string };

export interface Option {
  value: Json;
  title: string;
}
export interface Member {
  key: string;
  field: Field;
}
export interface Variant {
  title: string;
  field: Field;
}

const DEPTH_MAX = 8;
const FIELDS_MAX = 400;
/** A text that may be longer gets several lines. */
const LINE_CHARS_MAX = 4_096;

/** The form of a connector's settings; the schema is one that `readSchema` has accepted. */
export function toForm(schema: SchemaObject): Field {
  return toField('settings', schema, true, { root: schema, depth: 0, count: { fields: 0 } });
}

interface Place {
  root: SchemaObject;
  depth: number;
  count: { fields: number };
}

function toField(key: string, node: SchemaNode, required: boolean, place: Place): Field {
  const schema = flatten(node, place.root);
  const { title, unit } = namesOf(key, schema);
  const texts: FieldTexts = {
    title,
    help: typeof schema.description === 'string' ? schema.description : null,
    required,
    fallback: schema.default as Json | undefined,
    example: exampleOf(schema),
    ...(schema.deprecated === true && { deprecated: true as const }),
  };
  if (place.depth > DEPTH_MAX || ++place.count.fields > FIELDS_MAX) return { ...texts, kind: 'json', reason: 'It is nested too deep for a form.' };
  return { ...texts, ...toShape(schema, unit, { ...place, depth: place.depth + 1 }) };
}

function toShape(schema: SchemaObject, unit: string | null, place: Place): FieldShape {
  if (schema['x-vrsky'] === 'secret') return { kind: 'secret' };
  if ('const' in schema) return { kind: 'fixed', value: schema.const as Json };
  if (Array.isArray(schema.enum)) return { kind: 'choice', options: schema.enum.map((value) => ({ value: value as Json, title: optionTitle(value) })) };
  const forms = formsOf(schema);
  if (forms) return toVariants(schema, forms, place);
  const type = typeOf(schema);
  if (type === 'string') return toText(schema);
  if (type === 'number' || type === 'integer') {
    const min = numberOf(schema.minimum) ?? numberOf(schema.exclusiveMinimum);
    const max = numberOf(schema.maximum) ?? numberOf(schema.exclusiveMaximum);
    return { kind: 'number', whole: type === 'integer', min, max, unit };
  }
  if (type === 'boolean') return { kind: 'flag' };
  if (type === 'array') return toList(schema, place);
  if (type === 'object') return toGroup(schema, place);
  return { kind: 'json', reason: type === null ? 'The connector does not say what kind of value this is.' : 'It takes values of several kinds.' };
}

function toText(schema: SchemaObject): FieldShape {
  const long =
    schema['x-vrsky'] === 'long-text' ||
    schema.format === 'textarea' ||
    typeof schema.contentMediaType === 'string' ||
    (typeof schema.default === 'string' && schema.default.includes('\n')) ||
    (numberOf(schema.maxLength) ?? 0) > LINE_CHARS_MAX;
  return { kind: 'text', long, input: schema.format === 'uri' ? 'url' : schema.format === 'email' ? 'email' : 'text', maxLength: numberOf(schema.maxLength) };
}

function toList(schema: SchemaObject, place: Place): FieldShape {
  if (schema.prefixItems !== undefined) return { kind: 'json', reason: 'It is a list whose entries differ by their place.' };
  const item = toField('entry', (schema.items as SchemaNode | undefined) ?? true, true, place);
  if (item.kind === 'choice' && schema.uniqueItems === true) return { kind: 'choices', options: item.options };
  return { kind: 'list', item, min: numberOf(schema.minItems) ?? 0, max: numberOf(schema.maxItems) };
}

function toGroup(schema: SchemaObject, place: Place): FieldShape {
  const properties = isObject(schema.properties) ? schema.properties : {};
  const hidden = conditionalNames(schema, place.root).filter((name) => !(name in properties));
  if (hidden.length > 0) return { kind: 'json', reason: `Which of its settings there are (${hidden.slice(0, 3).join(', ')}) depends on others.` };
  const required = Array.isArray(schema.required) ? schema.required : [];
  const members = Object.entries(properties)
    .filter(([, node]) => node !== false)
    .map(([key, node]) => ({ key, field: toField(key, node as SchemaNode, required.includes(key), place) }));
  if (members.length > 0) return { kind: 'group', members };
  if (isObject(schema.additionalProperties)) return { kind: 'map', item: toField('value', schema.additionalProperties, true, place) };
  return schema.additionalProperties === false ? { kind: 'group', members: [] } : { kind: 'json', reason: 'It may hold anything.' };
}

/** Settings that only a condition brings in. */
function conditionalNames(schema: SchemaObject, root: SchemaObject): string[] {
  const below = [schema.then, schema.else, ...(isObject(schema.dependentSchemas) ? Object.values(schema.dependentSchemas) : [])];
  return below.flatMap((node) => (isObject(node) ? Object.keys((flatten(node, root).properties as object | undefined) ?? {}) : []));
}

/** The possible forms of a value; null when there is one. `null` beside another form only says that the value may be left out. */
function formsOf(schema: SchemaObject): SchemaNode[] | null {
  const forms = (schema.oneOf ?? schema.anyOf) as SchemaNode[] | undefined;
  return forms && forms.length > 0 ? forms : null;
}

function toVariants(schema: SchemaObject, forms: SchemaNode[], place: Place): FieldShape {
  const { oneOf: _oneOf, anyOf: _anyOf, title: _title, description: _description, default: _default, ...common } = schema;
  const flat = forms.map((form) => flatten(form, place.root)).filter((form) => form.type !== 'null');
  if (flat.length > 0 && flat.every((form) => 'const' in form)) {
    return {
      kind: 'choice',
      options: flat.map((form) => ({ value: form.const as Json, title: typeof form.title === 'string' ? form.title : optionTitle(form.const) })),
    };
  }
  const [only] = flat;
  if (flat.length === 1 && only) return toShape(merged(common, only), null, place);
  const options = flat.map((form, index) => {
    const field = toField(`form ${index + 1}`, merged(common, form), true, place);
    return { title: typeof form.title === 'string' ? form.title : variantTitle(field, index), field };
  });
  return { kind: 'variants', options };
}

/** A form without a title is called by its fixed values, else by its kind. */
function variantTitle(field: Field, index: number): string {
  if (field.kind === 'group') {
    const fixed = field.members.flatMap((member) => (member.field.kind === 'fixed' ? [optionTitle(member.field.value)] : []));
    if (fixed.length > 0) return fixed.join(', ');
  }
  const words: Partial<Record<Field['kind'], string>> = { text: 'Text', number: 'Number', flag: 'Yes or no', list: 'List', secret: 'Secret' };
  return words[field.kind] ?? `Form ${index + 1}`;
}

/** A schema without `$ref` and `allOf` at its top: what they say is part of it. */
function flatten(node: SchemaNode, root: SchemaObject, depth = 0): SchemaObject {
  if (!isObject(node)) return {};
  let schema = node;
  if (typeof schema.$ref === 'string' && depth < DEPTH_MAX) {
    const { $ref, ...own } = schema;
    schema = merged(flatten(resolveReference(root, $ref) ?? {}, root, depth + 1), own);
  }
  if (!Array.isArray(schema.allOf)) return schema;
  const { allOf, ...own } = schema;
  return (allOf as SchemaNode[]).reduce<SchemaObject>((whole, part) => merged(flatten(part, root, depth + 1), whole), own);
}

/** Both at once; where both say something, `over` has the word, except that properties and required names come together. */
function merged(under: SchemaObject, over: SchemaObject): SchemaObject {
  const both: SchemaObject = { ...under, ...over };
  if (isObject(under.properties) && isObject(over.properties)) {
    both.properties = { ...under.properties, ...over.properties };
  }
  if (Array.isArray(under.required) && Array.isArray(over.required)) both.required = [...new Set([...under.required, ...over.required])];
  return both;
}

function typeOf(schema: SchemaObject): string | null {
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]).filter((type) => typeof type === 'string' && type !== 'null');
  if (types.length === 1) return types[0];
  if (types.length > 1) return 'several';
  if (schema.properties !== undefined || schema.additionalProperties !== undefined) return 'object';
  if (schema.items !== undefined || schema.prefixItems !== undefined) return 'array';
  return null;
}

const units: Record<string, string> = { Ms: 'ms', Seconds: 's', Minutes: 'min', Hours: 'h', Days: 'd', Bytes: 'bytes', Percent: '%', Kb: 'KB', Mb: 'MB' };

/** Its title, or its key in words. The unit is what `x-vrsky-unit` says, or what the key ends with: `timeoutMs` is “Timeout” in ms. */
function namesOf(key: string, schema: SchemaObject): { title: string; unit: string | null } {
  const suffix = Object.keys(units).find((word) => key.length > word.length && key.endsWith(word));
  const isNumber = schema.type === 'number' || schema.type === 'integer';
  const said = typeof schema['x-vrsky-unit'] === 'string' ? schema['x-vrsky-unit'].slice(0, 16) : null;
  const unit = said ?? (isNumber && suffix !== undefined ? (units[suffix] ?? null) : null);
  if (typeof schema.title === 'string' && schema.title.trim() !== '') return { title: schema.title, unit };
  return { title: wordsOf(isNumber && suffix !== undefined ? key.slice(0, -suffix.length) : key), unit };
}

function optionTitle(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function exampleOf(schema: SchemaObject): string | null {
  const [first] = Array.isArray(schema.examples) ? schema.examples : [];
  return typeof first === 'string' || typeof first === 'number' ? String(first) : null;
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
