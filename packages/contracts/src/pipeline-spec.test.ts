import { describe, expect, test } from 'vitest';
import { newInletPath } from './ids.ts';
import { limits } from './limits.ts';
import { isPlainHttp, pipelineDraftSchema, pipelineSpecSchema } from './pipeline-spec.ts';
import { listStages } from './stages.ts';

const source = { id: 'source', name: 'Webhook', connector: 'http', settings: { path: newInletPath() } };
const destination = (settings: object = {}, id = 'out') => ({
  id,
  name: 'Send',
  connector: 'http',
  settings: { url: 'https://api.example.com/orders', ...settings },
});
const spec = (extra: object = {}) => ({ v: 1, source, steps: [], destinations: [destination()], ...extra });

function problems(value: unknown): string[] {
  const parsed = pipelineSpecSchema.safeParse(value);
  return parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
}

test('defaults are filled in, so that a stored spec says everything', () => {
  expect(pipelineSpecSchema.parse(spec()).destinations[0]).toMatchObject({
    settings: { method: 'POST', headers: [], timeoutMs: 10_000 },
    retry: { attempts: 6, initialMs: 1_000, maxMs: 60_000 },
  });
});

test('of an HTTP source the path alone is checked here: the rest is the connector’s, and stays as it is', () => {
  const settings = { path: newInletPath(), auth: { scheme: 'github', secret: { $secret: 'webhook' } }, methods: ['POST'] };
  expect(pipelineSpecSchema.parse(spec({ source: { ...source, settings } })).source.settings).toEqual(settings);
  expect(problems(spec({ source: { ...source, settings: { ...settings, path: 'orders' } } }))).toEqual([
    'source.settings.path: A source path is made by the console',
  ]);
  expect(problems(spec({ source: { ...source, settings: { ...settings, note: 'x'.repeat(limits.settingsCharsMax) } } }))).toEqual([
    expect.stringContaining('source.settings: Settings have at most'),
  ]);
});

test('a destination without an order stays without one, so that what was published before has the hash that it had', () => {
  expect(Object.keys(pipelineSpecSchema.parse(spec()).destinations[0] ?? {})).not.toContain('order');
  expect(pipelineSpecSchema.parse(spec({ destinations: [{ ...destination(), order: 'strict' }] })).destinations[0]?.order).toBe('strict');
  expect(problems(spec({ destinations: [{ ...destination(), order: 'sorted' }] }))[0]).toContain('destinations.0.order');
});

test('a sender can be answered with the result of the steps or with a destination’s answer, and only with one that is there', () => {
  expect(pipelineSpecSchema.parse(spec()).reply).toBeUndefined();
  expect(pipelineSpecSchema.parse(spec({ reply: { from: 'steps' } })).reply).toEqual({ from: 'steps', withinMs: 10_000 });
  expect(problems(spec({ reply: { from: 'out', withinMs: 100 } }))).toEqual([]);
  expect(problems(spec({ reply: { from: 'gone' } }))).toEqual([
    'reply.from: There is no destination gone whose answer the sender could get. Choose one of the pipeline, or the result of its steps',
  ]);
  expect(pipelineDraftSchema.safeParse(spec({ reply: { from: 'gone', withinMs: 1_000 } })).success).toBe(true);
  expect(problems(spec({ reply: { from: 'steps', withinMs: 30_001 } }))).toEqual(['reply.withinMs: At most 30 s']);
  expect(problems(spec({ reply: { from: 'steps', withinMs: 99 } }))).toEqual(['reply.withinMs: At least 100 ms']);
});

test('a pipeline without a destination cannot be published but can be drafted', () => {
  expect(problems(spec({ destinations: [] }))).toEqual(['destinations: Add a destination: where should messages go?']);
  expect(pipelineDraftSchema.safeParse(spec({ destinations: [] })).success).toBe(true);
});

test('a draft keeps a URL that is still being typed', () => {
  expect(pipelineDraftSchema.safeParse(spec({ destinations: [destination({ url: 'https:/' })] })).success).toBe(true);
  expect(pipelineDraftSchema.safeParse(spec({ destinations: [destination({ url: '' })] })).success).toBe(true);
  expect(problems(spec({ destinations: [destination({ url: '' })] }))[0]).toContain('whole URL');
});

test.each([
  ['file:///etc/passwd', 'starts with http'],
  ['orders', 'whole URL'],
  ['https://user:pass@api.example.com/', 'user name or password'],
])('the URL %s is refused with what to do', (url, message) => {
  expect(problems(spec({ destinations: [destination({ url })] }))[0]).toContain(message);
});

test('a pipeline cannot set what the platform stamps, nor break a header line', () => {
  for (const name of ['Customer-ID', 'traceparent', 'Content-Length', 'idempotency-key']) {
    expect(problems(spec({ destinations: [destination({ headers: [{ name, value: 'x' }] })] }))[0]).toContain('The platform sets this header');
  }
  expect(problems(spec({ destinations: [destination({ headers: [{ name: 'x-a', value: 'b\r\nx-evil: 1' }] })] }))[0]).toContain('no line breaks');
});

test('of an HTTP destination what every one has is checked here: the rest is the connector’s, and stays as it is', () => {
  const more = { auth: { scheme: 'bearer', token: { $secret: 'api' } }, pace: { inOrder: true }, url: 'https://api.example.com/orders/{{ message.id }}' };
  expect(pipelineSpecSchema.parse(spec({ destinations: [destination(more)] })).destinations[0]?.settings).toMatchObject(more);
  expect(problems(spec({ destinations: [destination({ url: 'https://{{ message.host }}/' })] }))[0]).toContain('whole URL');
  expect(problems(spec({ destinations: [destination({ auth: { note: 'x'.repeat(limits.settingsCharsMax) } })] }))[0]).toContain('Settings have at most');
});

test('a destination that only has what the platform knows need not be asked about', () => {
  const { settings } = pipelineSpecSchema.parse(spec()).destinations[0] as { settings: Record<string, unknown> };
  expect(isPlainHttp(settings)).toBe(true);
  expect(isPlainHttp({ ...settings, http2: true })).toBe(false);
  expect(isPlainHttp({ ...settings, url: 'https://a.test/{{ message.id }}' })).toBe(false);
  expect(isPlainHttp({ ...settings, headers: [{ name: 'x-a', value: '{{ messageId }}' }] })).toBe(false);
});

test('two parts with one id are refused, naming the second', () => {
  expect(problems(spec({ destinations: [destination({}, 'a'), destination({}, 'a')] }))).toEqual(['destinations.1.id: Two parts have the id a']);
});

test('an unknown field is refused instead of dropped', () => {
  expect(problems({ ...spec(), extra: true })[0]).toContain('extra');
});

const step = (extra: object = {}) => ({ id: 'convert', name: 'Reshape', kind: 'convert', language: 'typescript', source: 'export default () => 1', ...extra });

test('a fixture says what is expected, and what it leaves out is filled in', () => {
  const fixture = { name: 'paid', input: { payload: '{"id":1}' }, expect: { outcome: 'ok', output: '{"id":1}' } };
  expect(pipelineSpecSchema.parse(spec({ steps: [step({ fixtures: [fixture] })] })).steps[0]?.fixtures).toEqual([
    {
      name: 'paid',
      input: { payload: '{"id":1}', encoding: 'utf8', contentType: 'application/json', headers: {} },
      expect: { outcome: 'ok', output: '{"id":1}', encoding: 'utf8' },
    },
  ]);
  expect(problems(spec({ steps: [step({ fixtures: [{ ...fixture, expect: { outcome: 'filtered', output: 'x' } }] })] }))[0]).toContain(
    'steps.0.fixtures.0.expect',
  );
});

test('only a WebAssembly module may be longer than code may', () => {
  const source = 'A'.repeat(1_048_577);
  expect(problems(spec({ steps: [step({ language: 'wasm', source })] }))).toEqual([]);
  expect(problems(spec({ steps: [step({ language: 'assemblyscript', source })] }))).toEqual(['steps.0.source: A step has at most 1,048,576 characters']);
});

describe('stages', () => {
  const step = (id: string, after?: string) => ({ id, name: id, kind: 'convert', language: 'typescript', source: '', ...(after && { after }) });
  const to = (id: string, after?: string) => ({ ...destination({}, id), name: id, ...(after && { after }) });

  test('a step and a destination may take the answer of a destination', () => {
    const parsed = pipelineSpecSchema.parse(
      spec({ steps: [step('shape'), step('merge', 'customers')], destinations: [to('customers'), to('log'), to('orders', 'customers'), to('mail', 'orders')] }),
    );
    expect(listStages(parsed).map(({ after, steps, destinations }) => [after, ...[...steps, ...destinations].map(({ id }) => id)])).toEqual([
      [null, 'shape', 'customers', 'log'],
      ['customers', 'merge', 'orders'],
      ['orders', 'mail'],
    ]);
  });

  test('a spec without one means, and hashes to, what it did', () => {
    expect(Object.keys(pipelineSpecSchema.parse(spec()).destinations[0] ?? {})).not.toContain('after');
    expect(listStages(pipelineSpecSchema.parse(spec()))).toHaveLength(1);
  });

  test.each([
    ['an unknown destination', [step('a', 'gone')], [to('out')], ['steps.0.after: There is no destination with the id gone, so there is no answer of it']],
    ['the source', [], [to('out'), to('more', 'source')], ['destinations.1.after: There is no destination with the id source, so there is no answer of it']],
    ['itself', [], [to('out'), to('own', 'own')], [expect.stringMatching(/^destinations\.1\.after: “own” would wait for its own answer/)]],
    [
      'each other',
      [],
      [to('out'), to('a', 'b'), to('b', 'a'), to('c', 'b')],
      [expect.stringContaining('destinations.1.after: “a” would'), expect.stringContaining('destinations.2.after: “b” would')],
    ],
    [
      'a destination with nothing but steps after it',
      [step('a', 'out'), step('b', 'out')],
      [to('out')],
      [expect.stringMatching(/^steps\.0\.after: Add a dest/)],
    ],
    [
      'too many in a row',
      [],
      ['a', 'b', 'c', 'd', 'e', 'f'].map((id, i, all) => to(id, all[i - 1])),
      ['destinations.5.after: At most 4 answers in a row become the input of the next destination'],
    ],
  ])('after %s is refused at its field', (_, steps, destinations, expected) => {
    expect(problems(spec({ steps, destinations }))).toEqual(expected);
    expect(pipelineDraftSchema.safeParse(spec({ steps, destinations })).success).toBe(true);
  });
});
