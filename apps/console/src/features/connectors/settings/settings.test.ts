import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { checkSettings } from './check-settings.ts';
import { keysOf, pointerTo, valueAt } from './pointer.ts';
import { readSchema, type SchemaObject } from './read-schema.ts';
import { secretReferences } from './secret-reference.ts';
import { settingsRows } from './settings-rows.ts';
import { startValue, variantOf } from './start-value.ts';
import { type Field, toForm } from './to-form.ts';
import { fieldWords } from './words-of.ts';

function usable(schema: object): SchemaObject {
  const read = readSchema(JSON.stringify(schema));
  if (!read.ok) throw new Error(read.reason);
  return read.schema;
}
const formOf = (schema: object): Field => toForm(usable(schema));
const fieldsOf = (schema: object): Record<string, Field> => {
  const form = formOf(schema);
  if (form.kind !== 'group') throw new Error(`a form of kind ${form.kind}`);
  return Object.fromEntries(form.members.map(({ key, field }) => [key, field]));
};
const errorsOf = (schema: object, settings: unknown): Record<string, string> =>
  Object.fromEntries(checkSettings(usable(schema), settings).map(({ path, message }) => [path, message]));

const filed = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  additionalProperties: false,
  required: ['folder', 'token'],
  properties: {
    folder: { type: 'string', title: 'Folder', description: 'Where files go.', minLength: 1, examples: ['/data'] },
    timeoutMs: { type: 'integer', minimum: 100, maximum: 60_000, default: 10_000 },
    size: { type: 'number', 'x-vrsky-unit': 'MiB' },
    format: { enum: ['json', 'lines'], default: 'json' },
    append: { type: 'boolean', default: true },
    header: { type: 'string', 'x-vrsky': 'long-text' },
    token: { type: 'string', title: 'Token', 'x-vrsky': 'secret' },
    tags: { type: 'array', uniqueItems: true, items: { enum: ['a', 'b'] } },
    rows: { type: 'array', maxItems: 2, items: { $ref: '#/$defs/row' } },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    rotation: {
      oneOf: [
        { title: 'Never', type: 'object', properties: { kind: { const: 'never' } }, required: ['kind'] },
        { type: 'object', properties: { kind: { const: 'size' }, bytes: { type: 'integer', default: 1_000 } }, required: ['kind', 'bytes'] },
      ],
    },
    'x-someone-elses': { type: 'string', 'x-unknown': { deeply: ['ignored'] } },
  },
  $defs: { row: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] } },
};

describe('a form from a schema', () => {
  const fields = fieldsOf(filed);

  it('has a field for each setting, with its words and its unit', () => {
    expect(fields.folder).toMatchObject({ kind: 'text', title: 'Folder', help: 'Where files go.', required: true, example: '/data', long: false });
    expect(fields.timeoutMs).toMatchObject({ kind: 'number', title: 'Timeout', unit: 'ms', whole: true, min: 100, max: 60_000, fallback: 10_000 });
    expect(fields.size).toMatchObject({ kind: 'number', unit: 'MiB', whole: false });
    expect(fields.format).toMatchObject({ kind: 'choice', options: [{ value: 'json' }, { value: 'lines' }] });
    expect(fields.append).toMatchObject({ kind: 'flag' });
    expect(fields.header).toMatchObject({ kind: 'text', long: true });
    expect(fields.token).toMatchObject({ kind: 'secret', title: 'Token', required: true });
    expect(fields.tags).toMatchObject({ kind: 'choices' });
    expect(fields.labels).toMatchObject({ kind: 'map', item: { kind: 'text' } });
    expect(fields['x-someone-elses']).toMatchObject({ kind: 'text', title: 'X someone elses' });
  });

  it('follows references into lists and groups', () => {
    expect(fields.rows).toMatchObject({ kind: 'list', max: 2, item: { kind: 'group', members: [{ key: 'name', field: { kind: 'text', required: true } }] } });
  });

  it('shows several possible forms under their titles, or under the values that tell them apart', () => {
    expect(fields.rotation).toMatchObject({ kind: 'variants', options: [{ title: 'Never' }, { title: 'size' }] });
    const { options } = fields.rotation as Field & { kind: 'variants' };
    expect(variantOf(options, { kind: 'size', bytes: 5 })).toBe(1);
    expect(variantOf(options, { kind: 'other' })).toBe(-1);
  });

  it('takes a list of named constants for a choice, and null beside a form for nothing', () => {
    const { level, note } = fieldsOf({
      properties: {
        level: {
          oneOf: [
            { const: 1, title: 'Low' },
            { const: 2, title: 'High' },
          ],
        },
        note: { anyOf: [{ type: 'string' }, { type: 'null' }] },
      },
    });
    expect(level).toMatchObject({
      kind: 'choice',
      options: [
        { value: 1, title: 'Low' },
        { value: 2, title: 'High' },
      ],
    });
    expect(note).toMatchObject({ kind: 'text' });
  });

  it('begins with the defaults and leaves out what has none', () => {
    expect(startValue(formOf(filed))).toEqual({ timeoutMs: 10_000, format: 'json', append: true });
    expect(startValue({ ...(fields.rotation as Field), required: true })).toEqual({ kind: 'never' });
  });

  it('gives what has no control as JSON, with the reason, and ends at schemas that contain themselves', () => {
    const { any, either, tuple, late } = fieldsOf({
      properties: {
        any: {},
        either: { type: ['string', 'number'] },
        tuple: { type: 'array', prefixItems: [{ type: 'string' }] },
        // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
        late: { type: 'object', properties: { a: { type: 'boolean' } }, if: { required: ['a'] }, then: { properties: { b: { type: 'string' } } } },
      },
    });
    for (const field of [any, either, tuple, late]) expect(field).toMatchObject({ kind: 'json', reason: expect.stringMatching(/\.$/) });
    expect(late).toMatchObject({ reason: expect.stringContaining('b') });
    const endless = fieldsOf({ properties: { child: { $ref: '#' }, other: { $ref: '#' } } });
    expect(JSON.stringify(endless).length).toBeLessThan(200_000);
  });
});

describe('the check of settings', () => {
  it('puts each problem at its field, in words, once', () => {
    const settings = {
      folder: '',
      timeoutMs: 5,
      format: 'xml',
      append: 'yes',
      rows: [{ name: 'a' }, {}, { name: 'c' }],
      'a/b': 1,
      rotation: { kind: 'size', bytes: 'many' },
    };
    expect(errorsOf(filed, settings)).toEqual({
      '/folder': 'Fill this in',
      '/token': 'Fill this in',
      '/timeoutMs': 'At least 100',
      '/format': 'Choose one of json, lines',
      '/append': 'Enter yes or no',
      '/rows': 'At most 2 entries',
      '/rows/1/name': 'Fill this in',
      '/rotation/bytes': 'Enter a whole number',
      '/a~1b': 'The connector knows no setting “a/b”',
    });
  });

  it('finds nothing in what is right', () => {
    expect(errorsOf(filed, { folder: '/data', token: { $secret: 'api-token' }, rotation: { kind: 'never' }, tags: ['a'] })).toEqual({});
  });

  it('takes no value where a secret belongs, only its name', () => {
    expect(errorsOf(filed, { folder: '/data', token: 'hunter2' })).toEqual({ '/token': expect.stringContaining('A secret’s name') });
    expect(errorsOf(filed, { folder: '/data', token: { $secret: 'No such NAME' } })).toEqual({ '/token': expect.stringContaining('A secret’s name') });
    expect(secretReferences({ a: [{ token: { $secret: 'one' } }], b: { $secret: 'two' } })).toEqual([
      { path: '/a/0/token', name: 'one' },
      { path: '/b', name: 'two' },
    ]);
  });
});

test.each([
  ['{', 'not JSON'],
  ['[]', 'not a JSON object'],
  ['{"$schema":"http://json-schema.org/draft-07/schema#"}', 'draft-07'],
  ['{"properties":{"a":{"$ref":"https://example.com/x"}}}', 'not in it'],
  ['{"properties":{"a":{"$ref":"#/$defs/none"}}}', 'not in it'],
  ['{"properties":{"a":{"pattern":"("}}}', 'no regular expression'],
  ['{"properties":[]}', 'not an object'],
  ['{"properties":{"a":3}}', 'should be a schema'],
  ['{"required":5}', '“required” is 5'],
  ['{"properties":{"a":{"minLength":"2"}}}', '“minLength”'],
  ['{"properties":{"a":{"$dynamicRef":"#b"}}}', 'does not follow'],
  [`${'{"items":'.repeat(40)}true${'}'.repeat(40)}`, 'nested'],
  [JSON.stringify({ properties: Object.fromEntries(Array.from({ length: 6_000 }, (_, i) => [`p${i}`, {}])) }), '5,000'],
])('an unusable schema is told by its reason: %.60s', (text, reason) => {
  expect(readSchema(text)).toEqual({ ok: false, reason: expect.stringContaining(reason) });
});

test('whatever a schema holds, it is refused with a reason or can be used: nothing of it throws', () => {
  let seed = 7;
  const pick = <T>(items: readonly T[]): T => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return items[seed % items.length] as T;
  };
  const keywords = ['type', 'properties', 'items', 'oneOf', 'anyOf', 'allOf', 'enum', 'const', 'required', '$ref', '$defs', 'not', 'if', 'then', 'default'];
  const others = [
    'x-vrsky',
    'pattern',
    'minLength',
    'additionalProperties',
    'title',
    'description',
    '$id',
    '$anchor',
    'uniqueItems',
    'prefixItems',
    'examples',
  ];
  const make = (depth: number): unknown => {
    if (depth === 0) return pick([true, 'string', 'object', 3, null, [], {}, '#', '#/$defs/a', '(', 'secret', ['a'], -1]);
    if (pick([1, 2, 3]) === 1) return Array.from({ length: pick([0, 1, 2]) }, () => make(depth - 1));
    return Object.fromEntries(
      Array.from({ length: pick([1, 2, 3]) }, () => [pick(pick([0, 1]) === 0 ? [...keywords, 'a'] : [...others, 'a']), make(depth - 1)]),
    );
  };
  let used = 0;
  for (let i = 0; i < 5_000; i++) {
    const read = readSchema(JSON.stringify(make(pick([1, 2, 3, 4]))));
    if (!read.ok) continue;
    used++;
    const form = toForm(read.schema);
    settingsRows(form);
    for (const settings of [startValue(form) ?? {}, { a: 1 }, { a: { a: [] } }, {}]) {
      try {
        checkSettings(read.schema, settings);
      } catch (error) {
        // It refers to itself without end: that is caught where it is called.
        expect(error).toBeInstanceOf(RangeError);
      }
    }
  }
  expect(used).toBeGreaterThan(500);
});

test('a pointer names a place, whatever its keys hold', () => {
  const settings = { 'a/b': [{ '~': 1 }] };
  const pointer = pointerTo(pointerTo(pointerTo('', 'a/b'), 0), '~');
  expect(pointer).toBe('/a~1b/0/~0');
  expect(keysOf(pointer)).toEqual(['a/b', '0', '~']);
  expect(valueAt(settings, pointer)).toBe(1);
  expect(valueAt(settings, '/constructor')).toBeUndefined();
});

const referenceSchemas = (role: string) =>
  readFileSync(new URL(`../../../../../../sdk/go/cmd/vrsky-connector-schedule-and-file/${role}.schema.json`, import.meta.url), 'utf8');

test.each(['source', 'destination'])('every setting of the Go reference connector as %s has a control of its own', (role) => {
  const schema = usable(JSON.parse(referenceSchemas(role)));
  const form = toForm(schema);
  expect(form).toMatchObject({ kind: 'group' });
  expect(settingsRows(form).map(({ kind }) => kind)).not.toContain('JSON');
  expect(checkSettings(schema, startValue(form))).toEqual([]);
});

test('what does not match a pattern is told by the example', () => {
  expect(errorsOf(JSON.parse(referenceSchemas('destination')), { path: '../x' })).toEqual({ '/path': expect.stringMatching(/^Write it like orders\.ndjson/) });
});

test('a field is called by words in a list of problems', () => {
  expect(fieldWords('/columns/0/maxWidth')).toBe('Columns 1, max width');
  expect(fieldWords('/2024/x')).toBe('2024, x');
  expect(fieldWords('')).toBe('');
});
