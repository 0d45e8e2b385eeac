import type { Delivery } from '@vrsky/sdk/connector';
import { describe, expect, test } from 'vitest';
import { type BodyFormat, compileBody, compileHeader, compileMethod, compileUrl, TemplateFailed, TemplateInvalid, TemplateValues } from './template.ts';

function valuesOf(message: unknown, more: Partial<Delivery> = {}): TemplateValues {
  const payload = typeof message === 'string' ? Buffer.from(message) : Buffer.from(JSON.stringify(message));
  const ids = { connectionId: 'p/out', customerId: 'cus_a', pipelineId: 'pl_1', messageId: 'msg_1', traceparent: '', tracestate: '', attempt: 1 };
  return new TemplateValues({ ...ids, headers: [['x-request-id', 'r1']], payload, contentType: 'application/json', ...more });
}

const order = { id: 7, name: 'a "b" \\ ü\n☃', big: 0, items: [{ sku: 's-1', 'a b': 1 }], note: '', none: null, yes: true };
const path = (template: string, message: unknown = order): string => compileUrl(`https://api.test${template}`).path.render(valuesOf(message));
const body = (format: BodyFormat, template: string, message: unknown = order): string => compileBody(format, template).render(valuesOf(message));

describe('a value', () => {
  test.each([
    ['{{ message.id }}', '7'],
    ['{{message.items[0].sku}}', 's-1'],
    ['{{ message.items[0]["a b"] }}', '1'],
    ['{{ message.yes }}', 'true'],
    ['{{ header.X-Request-Id }}', 'r1'],
    ['{{ header["x-request-id"] }}', 'r1'],
    ['{{ messageId }} {{ customerId }} {{ pipelineId }} {{ contentType }}', 'msg_1 cus_a pl_1 application/json'],
    ['{{ message.gone ?? "none" }}', 'none'],
    ['{{ header.gone ?? "" }}|', '|'],
    ['{{ message.note }}|{{ message.note ?? "x" }}', '|x'],
    ['{{ "{{ }}" }}', '{{ }}'],
    ['{{ message.items }}', '[{"sku":"s-1","a b":1}]'],
    ['no holes } { }}', 'no holes } { }}'],
  ])('of %s is %s', (template, text) => {
    expect(body('text', template)).toBe(text);
  });

  test.each(['message.gone', 'message.id.more', 'message.items[7]', 'header.gone', 'message.constructor', 'message.__proto__', 'message.name.length'])(
    'that is not there, %s, fails the message with its name',
    (expression) => {
      expect(() => body('text', `{{ ${expression} }}`)).toThrow(new RegExp(`^The message has no ${expression.replace(/[[\]]/g, '\\$&')},`));
    },
  );

  test('that is a number of 19 digits keeps all of them', () => {
    expect(body('json', '{"id": {{ message.id }}, "as": "{{ message.id }}"}', '{"id":1234567890123456789}')).toBe(
      '{"id": 1234567890123456789, "as": "1234567890123456789"}',
    );
  });

  test('of a message that is no JSON fails it; ids need no JSON', () => {
    expect(() => path('/{{ message.id }}', 'not json')).toThrow(/^The message is not JSON/);
    expect(path('/{{ messageId }}', 'not json')).toBe('/msg_1');
  });

  test('that would grow without end fails the message', () => {
    const big = { text: 'x'.repeat(100_000) };
    expect(() => body('text', '{{ message.text }}'.repeat(100), big)).toThrow(/larger than 4 MiB/);
  });
});

test.each([
  ['{{ message.id }', /no template/],
  ['{{ }}', /not known/],
  ['{{ process.env }}', /not known/],
  ['{{ message.id + 1 }}', /not known/],
  ['{{ messages }}', /not known/],
  ['{{ message. }}', /not known/],
  ['{{ message.id ?? 1 }}', /not known/],
  ['{{ header.authorization }}', /not passed on/],
  ['{{ header.Cookie ?? "" }}', /not passed on/],
  ['{{ messageId }}'.repeat(201), /at most 200/],
])('%s is refused when it is written', (template, reason) => {
  expect(() => compileBody('text', template)).toThrow(TemplateInvalid);
  expect(() => compileBody('text', template)).toThrow(reason);
});

describe('in a URL', () => {
  test.each([
    ['/orders/{{ message.id }}', { id: 'a/b?c#d%2e é' }, '/orders/a%2Fb%3Fc%23d%252e%20%C3%A9'],
    ['/o?id={{ message.id }}&x=1', { id: 'a&b=c+d #' }, '/o?id=a%26b%3Dc%2Bd%20%23&x=1'],
    ['/v1-{{ message.id }}.json', { id: '..' }, '/v1-...json'],
    ['/a/../b/{{ message.id }}/c d', { id: 1 }, '/b/1/c%20d'],
    ['?q={{ message.id }}', { id: "it's (*)" }, '/?q=it%27s%20%28%2A%29'],
    ['/x#{{ message.id }}', { id: 1 }, '/x'],
    ['/{{ message.id }}', { id: '\ud800' }, '/%EF%BF%BD'],
  ])('%s with %j is %s', (template, message, text) => {
    expect(path(template, message)).toBe(text);
  });

  test.each(['', '.', '..'])('a part that would be %j makes no request to another address', (id) => {
    expect(() => path('/users/{{ message.id }}/orders', { id })).toThrow(TemplateFailed);
  });

  test.each([
    'https://{{ message.host }}/x',
    'https://api.test.{{ message.host }}/x',
    'https://api.test:{{ message.port }}/',
    'https://{{ message.user }}@api.test/',
    'https://api.test{{ message.id }}/',
    '{{ message.url }}',
    'https:\\\\{{ message.host }}\\x',
    '{{ message.scheme }}://api.test/',
  ])('%s would let the message choose where it goes, and is refused', (text) => {
    expect(() => compileUrl(text)).toThrow(TemplateInvalid);
  });

  test('whatever a message holds, the host stays', () => {
    for (const id of ['@evil.test/', '//evil.test', '\\\\evil.test', '\r\nHost: evil.test', '?x', '%0d%0a', '\u0000']) {
      const url = compileUrl('https://api.test/{{ message.id }}');
      expect(new URL(url.path.render(valuesOf({ id })), url.origin).host).toBe('api.test');
      expect(url.path.render(valuesOf({ id }))).toMatch(/^\/[\x21-\x7e]*$/);
    }
  });

  test('a text that looks like our own mark is only a text', () => {
    expect(path('/zqhole0x/{{ message.id }}/zqholeq', { id: 5 })).toBe('/zqhole0x/5/zqholeq');
  });
});

describe('in a header', () => {
  test.each(['a\r\nx-evil: 1', 'a\nb', 'a\0b', 'snow ☃'])('%j is refused, never cut down', (value) => {
    expect(() => compileHeader('v {{ message.v }}').render(valuesOf({ v: value }))).toThrow(TemplateFailed);
  });

  test('text stays as it is', () => {
    expect(compileHeader('order {{ message.v }}').render(valuesOf({ v: 'é;7' }))).toBe('order é;7');
  });
});

describe('in a JSON body', () => {
  test('a hole in quotes is text of the string, one outside is a value', () => {
    const made = body(
      'json',
      '{"n":"<{{ message.name }}>","q\\"":{{ message.name }},"all":{{ message.items }},"none":{{ message.none }},"t":"{{ message.items }}"}',
    );
    expect(JSON.parse(made)).toEqual({ n: `<${order.name}>`, 'q"': order.name, all: order.items, none: null, t: JSON.stringify(order.items) });
  });

  test('no value can end its string', () => {
    const evil = '","admin":true,"x":"';
    expect(JSON.parse(body('json', '{"n":"{{ message.v }}","m":{{ message.v }}}', { v: evil }))).toEqual({ n: evil, m: evil });
  });

  test.each(['{"a": {{ message.id }}', '{"a": {{ message.id }} {{ message.id }}}', '{{ message.id }}"'])('%s is refused when it is written', (template) => {
    expect(() => compileBody('json', template)).toThrow(/not JSON/);
  });
});

test('a form and XML have values of their own kind', () => {
  expect(body('form', 'id={{ message.id }}&name={{ message.name }}', { id: 1, name: 'a b&c=d' })).toBe('id=1&name=a+b%26c%3Dd');
  expect(body('xml', '<o n="{{ message.n }}">{{ message.n }}</o>', { n: `<&"'>\u0001` })).toBe(
    '<o n="&lt;&amp;&quot;&apos;&gt;">&lt;&amp;&quot;&apos;&gt;</o>',
  );
});

test('a method is one of those that are allowed', () => {
  const method = compileMethod('{{ message.m ?? "put" }}', ['PUT', 'DELETE']);
  expect([method.render(valuesOf({})), method.render(valuesOf({ m: 'delete' }))]).toEqual(['PUT', 'DELETE']);
  expect(() => method.render(valuesOf({ m: 'CONNECT' }))).toThrow(TemplateFailed);
});
