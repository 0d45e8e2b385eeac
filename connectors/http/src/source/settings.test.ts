import { expect, test } from 'vitest';
import * as z from 'zod';
import { sourceSettingsSchema } from './settings.ts';

const path = 'in_0123456789abcdefghjkmnpq';
const secret = { $secret: 'webhook' };
const messages = (settings: object) =>
  sourceSettingsSchema.safeParse({ path, ...settings }).error?.issues.map(({ path: at, message }) => `/${at.join('/')}: ${message}`) ?? [];

test('a path is long enough that nobody guesses it', () => {
  const accepts = (value: string): boolean => sourceSettingsSchema.safeParse({ path: value }).success;
  expect([accepts('orders'), accepts('../../../../etc'), accepts(path)]).toEqual([false, false, true]);
});

test('a pipeline that only has a path goes on as it did: anybody who knows the URL, POST and PUT, 202', () => {
  expect(sourceSettingsSchema.parse({ path })).toEqual({
    path,
    auth: { scheme: 'none' },
    deduplicate: { by: 'scheme', windowSeconds: 86_400 },
    methods: ['POST', 'PUT'],
    subpaths: false,
    contentTypes: [],
    split: 'no',
    answer: { status: 202 },
    limits: { bodyBytes: 1_048_576, headers: 100, headerBytes: 16_384, bodyMs: 30_000 },
  });
});

test.each([
  [{ auth: { scheme: 'github' } }, '/auth/secret: '],
  [{ auth: { scheme: 'hmac', secret, header: 'x-sig', signed: '{timestamp}.{body}' } }, '/auth/timestampHeader: A timestamp needs both'],
  [{ auth: { scheme: 'hmac', secret, header: 'x-sig', timestampHeader: 'x-time' } }, '/auth/timestampHeader: A timestamp needs both'],
  [{ auth: { scheme: 'hmac', secret, header: 'x-sig', signed: '{header:x-id}' } }, '/auth/signed: It has {body} exactly once'],
  [{ auth: { scheme: 'hmac', secret, header: 'x-sig', signed: '{boddy}{body}' } }, '/auth/signed: Use {body}'],
  [{ auth: { scheme: 'basic', user: 'a:b', password: secret } }, '/auth/user: A user name has no colon'],
  [{ auth: { scheme: 'jwt', jwksUrl: 'https://u:p@a.test/', issuer: 'i', audience: 'a' } }, '/auth/jwksUrl: Enter a URL with https'],
  [{ deduplicate: { by: 'header' } }, '/deduplicate/header: Name the header'],
  [{ methods: [] }, '/methods: Allow at least one'],
  [{ methods: ['POST', 'POST'] }, '/methods: Each method once'],
  [{ contentTypes: ['json'] }, '/contentTypes/0: Like application/json'],
  [{ answer: { status: 204, body: 'x' } }, '/answer/body: An answer with status 204 has no body'],
  [{ answer: { body: 'x', contentType: 'a\r\nb: c' } }, '/answer/contentType: A content type is text'],
  [{ limits: { bodyBytes: 2_000_000 } }, '/limits/bodyBytes: At most'],
])('%j is refused at its field', (settings, problem) => {
  expect(messages(settings)).toEqual([expect.stringContaining(problem)]);
});

test('a form can be made of it: every setting has a title, and secrets are marked', () => {
  const schema = z.toJSONSchema(sourceSettingsSchema, { io: 'input' }) as { properties: Record<string, { title?: string; oneOf?: Variant[] }> };
  expect(Object.values(schema.properties).filter(({ title }) => title === undefined)).toEqual([]);
  const variants = schema.properties.auth?.oneOf ?? [];
  expect(variants.map(({ title }) => title)).toHaveLength(9);
  const secrets = variants.flatMap(({ properties }) => Object.values(properties).filter((property) => property['x-vrsky'] === 'secret'));
  expect(secrets).toHaveLength(7);
  for (const { properties } of variants)
    for (const [key, property] of Object.entries(properties)) if (key !== 'scheme') expect(property.title, key).toEqual(expect.any(String));
});

interface Variant {
  title: string;
  properties: Record<string, { title?: string; 'x-vrsky'?: string }>;
}
