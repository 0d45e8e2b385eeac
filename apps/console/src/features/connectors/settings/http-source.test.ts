import { expect, test } from 'vitest';
import * as z from 'zod';
import { sourceSettingsSchema } from '../../../../../../connectors/http/src/source/settings.ts';
import { checkSettings } from './check-settings.ts';
import { readSchema } from './read-schema.ts';
import { type Field, toForm } from './to-form.ts';

const read = readSchema(JSON.stringify(z.toJSONSchema(sourceSettingsSchema, { io: 'input' })));
if (!read.ok) throw new Error(read.reason);
const { schema } = read;
const path = 'in_0123456789abcdefghjkmnpq';

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

test('every setting of an HTTP source has a control: none has to be written as JSON', () => {
  expect(kindsIn(toForm(schema))).not.toContain('json');
});

test('the ways of authentication can be told apart by their names', () => {
  const form = toForm(schema);
  const auth = form.kind === 'group' ? form.members.find(({ key }) => key === 'auth')?.field : undefined;
  expect(auth?.kind === 'variants' && auth.options.map(({ title }) => title)).toEqual([
    'None',
    'Token in a header',
    'User name and password',
    'Standard Webhooks',
    'GitHub',
    'Stripe',
    'Slack',
    'HMAC, as you describe it',
    'JSON Web Token',
  ]);
});

test('what the connector takes by its defaults the console takes, too, and a mistake has its field', () => {
  expect(checkSettings(schema, { path })).toEqual([]);
  expect(checkSettings(schema, { path, auth: { scheme: 'github', secret: { $secret: 'webhook' } }, methods: ['GET'], limits: { perSecond: 5 } })).toEqual([]);
  expect(checkSettings(schema, { path, limits: { bodyBytes: 2_000_000 } }).map((error) => error.path)).toEqual(['/limits/bodyBytes']);
  expect(checkSettings(schema, { path, auth: { scheme: 'github' } }).map((error) => error.path)).toEqual(['/auth/secret']);
});
