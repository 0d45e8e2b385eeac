import { expect, test } from 'vitest';
import * as z from 'zod';
import { destinationSettingsSchema } from './settings.ts';

const messages = (settings: unknown) =>
  destinationSettingsSchema.safeParse(settings).error?.issues.map(({ path, message }) => `/${path.join('/')}: ${message}`) ?? [];

test('defaults fill what a customer left out', () => {
  expect(destinationSettingsSchema.parse({ url: 'https://api.example.com/x' })).toEqual({
    url: 'https://api.example.com/x',
    method: 'POST',
    headers: [],
    timeoutMs: 10_000,
    http2: false,
    compress: false,
  });
});

test.each(['', 'api.example.com', 'ftp://a.test/', 'file:///etc/passwd', 'http://user:secret@a.test/', 'javascript:alert(1)', 'http://'])(
  'the URL %j is refused',
  (url) => {
    expect(messages({ url })).toEqual(['/url: Enter a whole http or https URL without user name and password']);
  },
);

test.each(['customer-id', 'Idempotency-Key', 'Host', 'Content-Length', 'TRANSFER-ENCODING', 'connection', 'traceparent', 'proxy-authorization'])(
  'the header %s is the platform’s',
  (name) => {
    expect(messages({ url: 'http://a.test/', headers: [{ name, value: 'x' }] })).toEqual(['/headers/0/name: The platform sets this header itself']);
  },
);

test.each([
  [{ name: 'x y', value: '' }, '/headers/0/name: A header name has only letters, digits and -'],
  [{ name: 'x\r\ny', value: '' }, '/headers/0/name: A header name has only letters, digits and -'],
  [{ name: 'x', value: 'a\r\nb: c' }, '/headers/0/value: A header value has no line breaks'],
  [{ name: 'x', value: '☃' }, '/headers/0/value: A header value has no line breaks'],
])('the header %j is refused', (header, problem) => {
  expect(messages({ url: 'http://a.test/', headers: [header] })).toEqual([problem]);
});

test('a form can be made of the schemas', () => {
  expect(z.toJSONSchema(destinationSettingsSchema, { io: 'input' })).toMatchObject({
    type: 'object',
    required: ['url'],
    properties: { method: { enum: ['POST', 'PUT', 'PATCH', 'DELETE', 'GET'], default: 'POST' } },
  });
});
