import { type OutputUnit, Validator } from '@cfworker/json-schema';
import { keysOf, pointerTo, valueAt } from './pointer.ts';
import { isObject, type SchemaObject } from './read-schema.ts';
import { SECRET_NAME_RULE } from './secret-reference.ts';

export interface SettingsError {
  /** JSON Pointer into the settings. */
  path: string;
  message: string;
}

const ERRORS_MAX = 50;

/**
 * What a schema (from `readSchema`) says against settings, in plain words, each at its field. It interprets the schema and generates no
 * code. A schema that refers to itself without end throws RangeError.
 */
export function checkSettings(schema: SchemaObject, settings: unknown): SettingsError[] {
  const { errors } = new Validator(schema, '2020-12', false).validate(settings);
  const found = new Map<string, SettingsError>();
  for (const unit of withoutOtherForms(errors.map(withPlace), settings)) {
    const error = toError(unit, schema, settings);
    // The first thing that is wrong with a field is enough.
    if (error && !found.has(error.path)) found.set(error.path, error);
  }
  return [...found.values()].slice(0, ERRORS_MAX);
}

function toError(unit: OutputUnit, schema: SchemaObject, settings: unknown): SettingsError | null {
  const at = pointerOf(unit.instanceLocation);
  const limit = () => keywordValue(schema, unit.keywordLocation);
  const here = (message: string) => ({ path: at, message });
  if (locate(schema, unit.keywordLocation).inSecret) return { path: at.replace(/\/\$secret$/, ''), message: SECRET_NAME_RULE };
  switch (unit.keyword) {
    case 'required': {
      const name = /required property "(.*)"\.$/s.exec(unit.error)?.[1];
      return name === undefined ? here('Something is missing here') : { path: pointerTo(at, name), message: 'Fill this in' };
    }
    case 'type':
      return here(`Enter ${typeWord(limit())}`);
    case 'enum':
      return here(`Choose one of ${listOf(limit())}`);
    case 'const':
      return here(`Only ${JSON.stringify(limit())} is possible here`);
    case 'minLength':
      return here(limit() === 1 ? 'Fill this in' : `At least ${String(limit())} characters`);
    case 'maxLength':
      return here(`At most ${String(limit())} characters`);
    case 'pattern':
      return here(patternWords(String(limit()), keywordValue(schema, unit.keywordLocation.replace(/pattern$/, 'examples'))));
    case 'format':
      return here(`Enter ${formatWord(String(limit()))}`);
    case 'minimum':
      return here(`At least ${numberWord(limit())}`);
    case 'exclusiveMinimum':
      return here(`More than ${numberWord(limit())}`);
    case 'maximum':
      return here(`At most ${numberWord(limit())}`);
    case 'exclusiveMaximum':
      return here(`Less than ${numberWord(limit())}`);
    case 'multipleOf':
      return here(`A multiple of ${numberWord(limit())}`);
    case 'minItems':
      return here(`At least ${numberWord(limit())} entries`);
    case 'maxItems':
      return here(`At most ${numberWord(limit())} entries`);
    case 'uniqueItems':
      return here('Two entries are the same');
    case 'minProperties':
      return here(`At least ${numberWord(limit())} entries`);
    case 'maxProperties':
      return here(`At most ${numberWord(limit())} entries`);
    case 'contains':
      return here('None of the entries is of the kind that is needed');
    case 'not':
      return here('This value is not allowed');
    case 'false':
      return here(`The connector knows no setting “${keysOf(at).at(-1) ?? ''}”`);
    case 'dependentRequired':
      return here('Something that belongs to this is missing');
    case 'oneOf':
    case 'anyOf':
      return valueAt(settings, at) === undefined ? null : here('It fits none of the possible forms');
    default:
      // What only groups others says nothing of its own.
      return null;
  }
}

/** A schema that is `false` is said to stand where the value does; it stands in the keyword that was named just before it. */
function withPlace(unit: OutputUnit, index: number, units: readonly OutputUnit[]): OutputUnit {
  const owner = units[index - 1];
  return unit.keyword === 'false' && owner !== undefined ? { ...unit, keywordLocation: `${owner.keywordLocation}/false` } : unit;
}

/** Of several possible forms (`oneOf`), only what is wrong with the one that was meant: the one whose fixed values agree. */
function withoutOtherForms(units: OutputUnit[], settings: unknown): OutputUnit[] {
  let kept = units;
  for (const unit of units) {
    if (unit.keyword !== 'oneOf' && unit.keyword !== 'anyOf') continue;
    const inside = (item: OutputUnit) => item.keywordLocation.startsWith(`${unit.keywordLocation}/`);
    const formOf = (item: OutputUnit) => item.keywordLocation.slice(unit.keywordLocation.length + 1).split('/')[0] ?? '';
    const forms = new Set(units.filter(inside).map(formOf));
    const disagrees = (item: OutputUnit) =>
      inside(item) &&
      (item.keyword === 'const' || (item.keyword === 'type' && item.instanceLocation === unit.instanceLocation)) &&
      valueAt(settings, pointerOf(item.instanceLocation)) !== undefined;
    const disagree = new Set(units.filter(disagrees).map(formOf));
    const meant = [...forms].filter((form) => !disagree.has(form));
    const [only] = meant;
    if (meant.length === 1) kept = kept.filter((item) => item !== unit && (!inside(item) || formOf(item) === only));
    else kept = kept.filter((item) => !inside(item));
  }
  return kept;
}

function pointerOf(location: string): string {
  return decodeURI(location.slice(1));
}

/** Follows a keyword's location through references to the value that stands there. */
function keywordValue(schema: SchemaObject, location: string): unknown {
  return locate(schema, location).value;
}

function locate(schema: SchemaObject, location: string): { value: unknown; inSecret: boolean } {
  let at: unknown = schema;
  let inSecret = false;
  for (const key of keysOf(pointerOf(location))) {
    if (isObject(at) && at['x-vrsky'] === 'secret') inSecret = true;
    const next: unknown = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined;
    at = key === '$ref' && typeof next === 'string' ? valueAt(schema, decodeURIComponent(next.slice(1))) : next;
  }
  return { value: at, inSecret };
}

const typeWords: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'yes or no',
  array: 'a list',
  object: 'an object',
  null: 'nothing',
};

function typeWord(type: unknown): string {
  const types = Array.isArray(type) ? type : [type];
  return types.map((item) => typeWords[String(item)] ?? 'a value of another kind').join(' or ');
}

const formatWords: Record<string, string> = {
  uri: 'a whole URL, such as https://api.example.com/orders',
  email: 'an e-mail address',
  date: 'a date, such as 2026-11-29',
  'date-time': 'a point in time, such as 2026-11-29T12:00:00Z',
  time: 'a time of day, such as 12:00:00Z',
  duration: 'a duration, such as PT30S',
  hostname: 'a host name, such as api.example.com',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
  uuid: 'a UUID',
  regex: 'a regular expression',
};

function formatWord(format: string): string {
  return formatWords[format] ?? `a value of the form “${format}”`;
}

/** A pattern is for programs; an example beside it says more to a person. */
function patternWords(pattern: string, examples: unknown): string {
  const [example] = Array.isArray(examples) ? examples : [];
  return typeof example === 'string' ? `Write it like ${example} (the pattern is ${pattern})` : `It has to match ${pattern}`;
}

function numberWord(value: unknown): string {
  return typeof value === 'number' ? value.toLocaleString('en', { maximumFractionDigits: 10 }) : String(value);
}

function listOf(values: unknown): string {
  return Array.isArray(values)
    ? values
        .slice(0, 20)
        .map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
        .join(', ')
    : 'the known values';
}
