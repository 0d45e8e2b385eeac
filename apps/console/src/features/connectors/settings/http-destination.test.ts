import { expect, test } from 'vitest';
import * as z from 'zod';
import { destinationSettingsSchema } from '../../../../../../connectors/http/src/destination/settings.ts';
import { checkSettings } from './check-settings.ts';
import { readSchema } from './read-schema.ts';
import { type Field, toForm } from './to-form.ts';

const read = readSchema(JSON.stringify(z.toJSONSchema(destinationSettingsSchema, { io: 'input' })));
if (!read.ok) throw new Error(read.reason);
const { schema } = read;
const url = 'https://api.example.com/orders/{{ message.id }}';

function kindsIn(field: Field): string[] {
  const below =
    field.kind === 'group'
      ? field.members.map((member) => member.field)
      : field.kind === 'variants'
        ? field.options.map((option) => option.field)
        : field.kind === 'list'
          ? [field.item]
          : [];
  return [field.kind, ...below.flatMap(kindsIn)];
}

test('every setting of an HTTP destination has a control: none has to be written as JSON', () => {
  expect(kindsIn(toForm(schema))).not.toContain('json');
});

test('the ways of authentication can be told apart by their names', () => {
  const form = toForm(schema);
  const auth = form.kind === 'group' ? form.members.find(({ key }) => key === 'auth')?.field : undefined;
  expect(auth?.kind === 'variants' && auth.options.map(({ title }) => title)).toEqual([
    'Bearer token',
    'Basic: user name and password',
    'API key',
    'OAuth 2 client credentials',
    'AWS Signature Version 4',
  ]);
});

test('what strict order has taken the place of is shown only where it is set', () => {
  const form = toForm(schema);
  const pace = form.kind === 'group' ? form.members.find(({ key }) => key === 'pace')?.field : undefined;
  expect(pace?.kind === 'group' && pace.members.map(({ key, field }) => [key, field.deprecated])).toEqual([
    ['concurrency', undefined],
    ['ratePerSecond', undefined],
    ['inOrder', true],
  ]);
});

test('what the connector takes the console takes, too, and a mistake has its field', () => {
  expect(checkSettings(schema, { url })).toEqual([]);
  expect(
    checkSettings(schema, { url, auth: { scheme: 'bearer', token: { $secret: 'api' } }, pace: { ratePerSecond: 5 }, body: { template: '{{ message.a }}' } }),
  ).toEqual([]);
  expect(checkSettings(schema, { url, pace: { concurrency: 0 } }).map((error) => error.path)).toEqual(['/pace/concurrency']);
  expect(checkSettings(schema, { url, auth: { scheme: 'bearer' } }).map((error) => error.path)).toEqual(['/auth/token']);
});
