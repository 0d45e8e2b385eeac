import { describe, expect, test } from 'vitest';
import { readSchema, type SettingsSchema, wrongValues } from './schema.ts';

const reference = { type: 'object', properties: { $secret: { type: 'string' } }, required: ['$secret'] };
const read = (schema: object): SettingsSchema => {
  const made = readSchema(JSON.stringify({ type: 'object', ...schema }));
  if (typeof made === 'string') throw new Error(made);
  return made;
};

test.each([
  ['', 'it is not JSON'],
  ['[]', 'it is not an object'],
  ['{"type":"string"}', 'its "type" is not "object"'],
  ['{"type":"object","$schema":"http://json-schema.org/draft-07/schema#"}', 'not that of 2020-12'],
  ['{"type":"object","properties":{"a":{"type":"text"}}}', 'it is not JSON Schema 2020-12: /properties/a/type'],
  ['{"type":"object","properties":{"a":{"$ref":"#/nowhere"}}}', 'it cannot be used'],
  ['{"type":"object","properties":{"a":{"pattern":"("}}}', 'it '],
])('%j is no settings schema', (text, problem) => {
  expect(readSchema(text)).toContain(problem);
});

test('words of other vocabularies are annotations', () => {
  expect(read({ 'x-mine': 1, properties: { a: { format: 'no-such-format', 'x-hint': true } } }).marks).toEqual([]);
});

describe('a mark', () => {
  test('is found wherever it is, also behind a reference and in a list', () => {
    const schema = read({
      $defs: { key: { ...reference, 'x-vrsky': 'secret' } },
      properties: {
        note: { type: 'string', 'x-vrsky': 'long-text' },
        a: { $ref: '#/$defs/key' },
        'b/c': { type: 'array', items: { ...reference, 'x-vrsky': 'secret' } },
      },
    });
    expect(schema.marks).toEqual([
      { pointer: '/$defs/key', problem: null },
      { pointer: '/properties/b~1c/items', problem: null },
    ]);
  });

  test.each([
    [{ ...reference, 'x-vrsky': 'password' }, 'the marks are "secret" and "long-text"'],
    [{ type: 'string', 'x-vrsky': 'secret' }, 'it does not take {"$secret": "name"}'],
    [{ 'x-vrsky': 'secret' }, 'it takes a plain text'],
  ])('%j is not well-formed', (property, problem) => {
    expect(read({ properties: { a: property } }).marks[0]?.problem).toContain(problem);
  });
});

test('wrong values are those that the schema refuses, the others being good', () => {
  const schema = read({ required: ['b'], properties: { a: { type: 'integer', minimum: 1 }, b: { type: 'string' }, any: {} } });
  expect(wrongValues(schema, { b: 'x' }, 'a')).toContain(0);
  expect(wrongValues(schema, { b: 'x' }, 'b')).not.toContain('');
  expect(wrongValues(schema, { b: 'x' }, 'any')).toEqual([]);
});
