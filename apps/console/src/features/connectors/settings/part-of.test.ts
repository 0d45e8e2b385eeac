import { expect, test } from 'vitest';
import { partOfSchema, partOfSettings } from './part-of.ts';

test('a part of a schema has its settings alone, in the order asked for, and what they refer to', () => {
  const schema = {
    type: 'object',
    properties: { path: { type: 'string' }, limits: { $ref: '#/$defs/limits' }, auth: { type: 'object' } },
    required: ['path', 'auth'],
    additionalProperties: false,
    $defs: { limits: { type: 'object' } },
  };
  expect(JSON.parse(partOfSchema(JSON.stringify(schema), ['auth', 'limits', 'gone']))).toEqual({
    ...schema,
    properties: { auth: { type: 'object' }, limits: { $ref: '#/$defs/limits' } },
    required: ['auth'],
  });
});

test.each(['', '{', '[]', '{"type":"object"}'])('%j stays as it is', (text) => {
  expect(partOfSchema(text, ['auth'])).toBe(text);
});

test('a part of settings has those that are set', () => {
  expect(partOfSettings({ path: 'x', auth: { scheme: 'none' } }, ['auth', 'limits'])).toEqual({ auth: { scheme: 'none' } });
});
