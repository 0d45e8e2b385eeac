import { describe, expect, test } from 'vitest';
import { createScrubber, MASK, secretsIn } from './scrubber.ts';

const secret = 'kanarie/"geheim"+42';

function knowing(...values: (string | Uint8Array)[]) {
  const scrubber = createScrubber();
  scrubber.learn(values);
  return scrubber;
}

describe('a value that is known', () => {
  const bytes = Buffer.from(secret);
  test.each([
    ['as it is', secret],
    ['in JSON', JSON.stringify({ secret }).slice(11, -2)],
    ['in an address', encodeURIComponent(secret)],
    ['in base64', bytes.toString('base64')],
    ['in base64 without its end', bytes.toString('base64').replace(/=+$/, '')],
    ['in base64url', bytes.toString('base64url')],
    ['in hex', bytes.toString('hex')],
    ['in capital hex', bytes.toString('hex').toUpperCase()],
  ])('is taken out of a text, %s, however often', (_, written) => {
    const scrubbed = knowing(bytes).text(`a ${written} b ${written}${written}`);
    expect(scrubbed.replace(/=+/g, '')).toBe(`a ${MASK} b ${MASK}${MASK}`);
  });

  test('is taken out of bytes that are no text, and of every line it has', () => {
    const key = Buffer.from([0, 255, 1, 254, 2, 253, 3, 252, 4]);
    expect(Buffer.from(knowing(key).bytes(Buffer.concat([Buffer.from('x'), key]))).toString('latin1')).toBe(`x${MASK}`);
    expect(knowing('-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----').text('line MIIEvQIBADANBg!')).toBe(`line ${MASK}!`);
  });

  test('is taken out of a record of a log: message, module, names and values at any depth', () => {
    const record = { level: 'info' as const, message: `m ${secret}`, module: secret, fields: { [secret]: [{ deep: { er: secret } }], n: 1, no: null } };
    const scrubbed = knowing(secret).record(record);
    expect(JSON.stringify(scrubbed)).not.toContain('kanarie');
    expect(scrubbed).toMatchObject({ level: 'info', message: `m ${MASK}`, fields: { n: 1, no: null } });
  });

  test('is taken out whole when another one is its beginning', () => {
    expect(knowing('12345678', '1234567890', '123456789').text('=1234567890=12345678=')).toBe(`=${MASK}=${MASK}=`);
  });

  test('that is only a word stays, and a text without one is the same', () => {
    const scrubber = knowing('short', '');
    const text = 'short and nothing else';
    expect(scrubber.text(text)).toBe(text);
    const bytes = Buffer.from(text);
    expect(knowing(secret).bytes(bytes)).toBe(bytes);
  });
});

test('settings that are most likely secrets are known by their names, by Bearer and by an address with a password', () => {
  expect(
    secretsIn({
      url: 'https://user:url-password@example.com/x',
      headers: [
        { name: 'Authorization', value: 'Bearer header-token' },
        { name: 'X-Plain', value: 'plain' },
      ],
      apiKey: 'api-key-value',
      nested: { dbPassword: ['one-password'], token: { $secret: 'reference' } },
      path: 'in_path',
    }).sort(),
  ).toEqual(['Bearer header-token', 'api-key-value', 'header-token', 'one-password', 'url-password']);
});

test('a megabyte of text and ten thousand values cost milliseconds, not seconds', () => {
  const scrubber = knowing(...Array.from({ length: 10_000 }, (_, i) => `value-${i}-${'x'.repeat(20)}`));
  const text = 'value- and vALUE-1 and other words '.repeat(30_000);
  const startedMs = performance.now();
  expect(scrubber.text(text)).toBe(text);
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});
